//! The HTTP upgrade: path, version and key.

use super::record::SessionLog;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;

/// What the request said.
#[derive(Clone, Debug, Default)]
pub(super) struct Door {
    path: String,
    /// `v1beta` or `v1alpha`.
    pub version: String,
    headers: Vec<(String, String)>,
    key: Option<String>,
    key_in_query: bool,
}

impl Door {
    pub fn of(request: &Request) -> Self {
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
            version: version_of(uri.path()).unwrap_or_default().to_owned(),
            headers: headers.into_iter().filter(|(name, _)| name != KEY_HEADER).collect(),
            key_in_query: in_query.is_some(),
            key: in_header.or(in_query),
        }
    }

    pub fn note(&self, log: &mut SessionLog) {
        log.path.clone_from(&self.path);
        log.headers.clone_from(&self.headers);
        log.key_in_query = self.key_in_query;
    }

    pub fn has_key(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }

    /// Status and message with which the upgrade is refused.
    pub fn refusal(&self, key: &str, wrong_key_is_http: bool) -> Option<(u16, String)> {
        if self.version.is_empty() {
            return Some((404, "Not Found".to_owned()));
        }
        match &self.key {
            None => Some((403, "Method doesn't allow unregistered callers (callers without established identity).".to_owned())),
            Some(given) if given != key && wrong_key_is_http => Some((403, WRONG_KEY.to_owned())),
            Some(_) => None,
        }
    }
}

pub(super) const WRONG_KEY: &str = "API key not valid. Please pass a valid API key.";
const KEY_HEADER: &str = "x-goog-api-key";

fn version_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/ws/google.ai.generativelanguage.")?;
    rest.strip_suffix(".GenerativeService.BidiGenerateContent").filter(|version| ["v1beta", "v1alpha"].contains(version))
}

/// The answer to the upgrade.
#[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
pub(super) fn answer(refusal: Option<(u16, String)>, accepted: Response) -> Result<Response, ErrorResponse> {
    let Some((status, body)) = refusal else {
        return Ok(accepted);
    };
    let mut refused = ErrorResponse::new(Some(body));
    *refused.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, header: Option<&str>, wanted: Option<u16>) {
        let mut request = Request::new(());
        *request.uri_mut() = uri.parse().expect("a path");
        if let Some(key) = header {
            request.headers_mut().insert(KEY_HEADER, key.parse().expect("a header"));
        }
        let door = Door::of(&request);
        assert_eq!(door.refusal("right", true).map(|(status, _)| status), wanted, "{uri} {header:?}");
        assert!(door.headers.is_empty());
    }

    #[test]
    fn path_and_key_are_looked_at() {
        let path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
        check(path, Some("right"), None);
        check(&format!("{path}?key=right"), None, None);
        check(path, Some("wrong"), Some(403));
        check(path, None, Some(403));
        check("/ws/google.ai.generativelanguage.v2.GenerativeService.BidiGenerateContent", Some("right"), Some(404));
        check("/", Some("right"), Some(404));
    }
}
