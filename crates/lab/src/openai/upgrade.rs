//! The HTTP upgrade: path, model and key.

use super::record::SessionLog;
use super::{FakeOpenAiOptions, OpenAi};
use crate::realtime::Knock;
use serde_json::json;
use tokio_tungstenite::tungstenite::handshake::server::Request;

/// What the request said.
#[derive(Clone, Debug, Default)]
pub struct Door {
    path: String,
    pub(super) model: String,
    headers: Vec<(String, String)>,
    key: Option<String>,
}

impl Knock<OpenAi> for Door {
    fn of(request: &Request) -> Self {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let model = query.split('&').find_map(|pair| pair.strip_prefix("model=")).unwrap_or_default();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers: Vec<(String, String)> =
            request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect();
        let key = headers.iter().find_map(|(name, value)| match name.as_str() {
            "authorization" => value.strip_prefix("Bearer ").map(str::to_owned),
            "api-key" => Some(value.clone()),
            _ => None,
        });
        let secret = |name: &str| ["authorization", "api-key"].contains(&name);
        let headers = headers.into_iter().filter(|(name, _)| !secret(name)).collect();
        Self { path: uri.path().to_owned(), model: model.to_owned(), headers, key }
    }

    fn note(&self, log: &mut SessionLog) {
        log.headers.clone_from(&self.headers);
        log.model.clone_from(&self.model);
    }

    fn refusal(&self, FakeOpenAiOptions { api_key: key, models, .. }: &FakeOpenAiOptions) -> Option<(u16, String)> {
        let body = |message: String, code: &str| {
            json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}).to_string()
        };
        let given = self.key.as_deref().unwrap_or_default();
        if !self.path.ends_with("/v1/realtime") {
            return Some((404, body(format!("Invalid URL (GET {})", self.path), "unknown_url")));
        }
        if !key.is_empty() && given != key {
            return Some((401, body(format!("Incorrect API key provided: {given}."), "invalid_api_key")));
        }
        if self.headers.iter().any(|(name, _)| name == "openai-beta") {
            let message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.";
            return Some((400, body(message.to_owned(), "beta_api_shape_disabled")));
        }
        if !models.contains(&self.model) {
            let message = format!("The model `{}` does not exist or you do not have access to it.", self.model);
            return Some((404, body(message, "model_not_found")));
        }
        None
    }
}
