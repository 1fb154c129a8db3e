//! The HTTP upgrade: path, version, and key or token.

use super::record::SessionLog;
use super::wire::Refusal;
use super::{FakeGeminiOptions, Gemini};
use crate::realtime::Knock;
use tokio_tungstenite::tungstenite::handshake::server::Request;

/// What the request said.
#[derive(Clone, Debug, Default)]
pub struct Door {
    path: String,
    /// `v1beta` or `v1alpha`; of Vertex `v1beta1` or `v1`.
    version: String,
    vertex: bool,
    headers: Vec<(String, String)>,
    key: Option<String>,
    key_in_query: bool,
    token: Option<String>,
}

impl Knock<Gemini> for Door {
    fn of(request: &Request) -> Self {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let in_query = query.split('&').find_map(|pair| pair.strip_prefix("key=")).map(str::to_owned);
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let in_header = headers.iter().find(|(name, _)| name == KEY_HEADER).map(|(_, value)| value.clone());
        Self {
            path: uri.path().to_owned(),
            version: version_of(uri.path()).or(vertex_version_of(uri.path())).unwrap_or_default().to_owned(),
            vertex: vertex_version_of(uri.path()).is_some(),
            token: headers.iter().find_map(|(name, value)| (name == "authorization").then(|| value.clone())),
            headers: headers.into_iter().filter(|(name, _)| name != KEY_HEADER && name != "authorization").collect(),
            key_in_query: in_query.is_some(),
            key: in_header.or(in_query),
        }
    }

    fn note(&self, log: &mut SessionLog) {
        log.path.clone_from(&self.path);
        log.headers.clone_from(&self.headers);
        log.key_in_query = self.key_in_query;
    }

    fn refusal(&self, options: &FakeGeminiOptions) -> Option<(u16, String)> {
        if self.version.is_empty() || self.vertex != options.vertex.is_some() {
            return Some((404, "Not Found".to_owned()));
        }
        if let Some(vertex) = &options.vertex {
            let granted = self.token.as_ref().is_some_and(|token| *token == format!("Bearer {}", vertex.token));
            return (!granted || self.key.is_some()).then(|| (401, "Request had invalid authentication credentials.".to_owned()));
        }
        match &self.key {
            None => Some((403, "Method doesn't allow unregistered callers (callers without established identity).".to_owned())),
            Some(given) if *given != options.api_key && options.wrong_key_is_http => Some((403, WRONG_KEY.to_owned())),
            Some(_) => None,
        }
    }
}

impl Door {
    /// The version, for who has the key.
    pub(super) fn open(&self, options: &FakeGeminiOptions) -> Result<&str, Refusal> {
        if options.vertex.is_some() || self.key.as_ref() == Some(&options.api_key) {
            return Ok(&self.version);
        }
        Err(Refusal::invalid(WRONG_KEY))
    }
}

const WRONG_KEY: &str = "API key not valid. Please pass a valid API key.";
const KEY_HEADER: &str = "x-goog-api-key";

fn version_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/ws/google.ai.generativelanguage.")?;
    rest.strip_suffix(".GenerativeService.BidiGenerateContent").filter(|version| ["v1beta", "v1alpha"].contains(version))
}

fn vertex_version_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/ws/google.cloud.aiplatform.")?;
    rest.strip_suffix(".LlmBidiService/BidiGenerateContent").filter(|version| ["v1beta1", "v1"].contains(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::FakeVertex;
    use tokio_tungstenite::tungstenite::http::HeaderName;

    fn check(options: &FakeGeminiOptions, uri: &str, header: Option<(&str, &str)>, wanted: Option<u16>) {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().expect("a path");
        if let Some((name, value)) = header {
            request.headers_mut().insert(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a header"));
        }
        let door = Door::of(&request);
        assert_eq!(door.refusal(options).map(|(status, _)| status), wanted, "{uri} {header:?}");
        assert!(door.headers.is_empty());
    }

    #[test]
    fn path_and_key_are_looked_at() {
        let options = FakeGeminiOptions { api_key: "right".into(), wrong_key_is_http: true, ..FakeGeminiOptions::default() };
        let check = |uri: &str, key: Option<&str>, wanted| check(&options, uri, key.map(|key| (KEY_HEADER, key)), wanted);
        let path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
        check(path, Some("right"), None);
        check(&format!("{path}?key=right"), None, None);
        check(path, Some("wrong"), Some(403));
        check(path, None, Some(403));
        check("/ws/google.ai.generativelanguage.v2.GenerativeService.BidiGenerateContent", Some("right"), Some(404));
        check("/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent", Some("right"), Some(404));
        check("/", Some("right"), Some(404));
    }

    #[test]
    fn vertex_wants_its_path_and_a_token() {
        let vertex = FakeVertex { project: "p".into(), location: "l".into(), token: "t0ken".into() };
        let options = FakeGeminiOptions { vertex: Some(vertex), ..FakeGeminiOptions::default() };
        let path = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent";
        check(&options, path, Some(("authorization", "Bearer t0ken")), None);
        check(&options, path, Some(("authorization", "Bearer other")), Some(401));
        check(&options, path, Some((KEY_HEADER, "t0ken")), Some(401));
        check(&options, path, None, Some(401));
        let developers = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
        check(&options, developers, Some(("authorization", "Bearer t0ken")), Some(404));
    }
}
