//! Why the service refused or ended a session, as a cause with its evidence. The evidence is a stranger's text: it is
//! shortened, stripped of control characters, and the key is taken out of it should it be in there.

use super::socket::Closed;
use crate::{EngineCause, EngineError};
use callie_domain::Secret;
use tokio_tungstenite::tungstenite::{Error as SocketError, error::ProtocolError};

/// Longest evidence kept, characters.
const DETAIL_CHARS: usize = 300;

/// When it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the service had taken the setup.
    Setup,
    Talking,
    /// After the service had announced that it would end the session.
    GoingAway,
}

/// Makes errors without the key in them.
#[derive(Debug)]
pub struct Refusals {
    key: Secret,
}

impl Refusals {
    pub fn new(key: Secret) -> Self {
        Self { key }
    }

    pub fn error(&self, cause: EngineCause, evidence: &str) -> EngineError {
        let without_key = if self.key.is_empty() { evidence.to_owned() } else { evidence.replace(self.key.expose(), "(key)") };
        let printable = without_key.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
        let line = printable.collect::<Vec<_>>().join(" ");
        EngineError::new(cause, line.chars().take(DETAIL_CHARS).collect::<String>())
    }

    /// The upgrade was answered with something else than 101.
    pub fn of_status(&self, status: u16, body: &str) -> EngineError {
        let text = message_of(body);
        let cause = match status {
            _ if speaks_of_quota(&text) => EngineCause::QuotaExceeded,
            429 => EngineCause::QuotaExceeded,
            401 | 403 => EngineCause::KeyRefused,
            400 if speaks_of_key(&text) => EngineCause::KeyRefused,
            400 => EngineCause::SetupRefused,
            404 => EngineCause::ModelUnknown,
            500..=599 => EngineCause::ServiceFailed,
            402..=499 => EngineCause::SetupRefused,
            // A redirect or another oddity: something else than the service lives there.
            _ => EngineCause::Unreachable,
        };
        self.error(cause, format!("HTTP {status} {text}").trim_end())
    }

    /// The service closed the WebSocket.
    pub fn of_close(&self, code: u16, reason: &str, phase: Phase) -> EngineError {
        let evidence = format!("closed with {code}: {reason}");
        self.error(close_cause(code, &reason.to_lowercase(), phase), evidence.trim_end_matches([':', ' ']))
    }

    /// No more frames come.
    pub fn of_closed(&self, closed: &Closed, phase: Phase) -> EngineError {
        match closed {
            Closed::ByService(Some(frame)) => self.of_close(frame.code.into(), &frame.reason, phase),
            // Closed without a word: 1006 is what RFC 6455 §7.1.5 calls it.
            Closed::ByService(None) => self.of_close(1006, "without a close frame", phase),
            Closed::Broken(error) => self.of_socket(error, phase),
        }
    }

    /// The WebSocket broke.
    pub fn of_socket(&self, error: &SocketError, phase: Phase) -> EngineError {
        let cause = match error {
            _ if phase == Phase::GoingAway => EngineCause::SessionExpired,
            SocketError::ConnectionClosed | SocketError::AlreadyClosed | SocketError::Io(_) | SocketError::Tls(_) => {
                EngineCause::ConnectionLost
            }
            SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => EngineCause::ConnectionLost,
            // Frames out of order, text that is none, messages beyond all bounds.
            _ => EngineCause::ServiceFailed,
        };
        self.error(cause, &error.to_string())
    }
}

/// `reason` in lowercase.
fn close_cause(code: u16, reason: &str, phase: Phase) -> EngineCause {
    if speaks_of_quota(reason) {
        return EngineCause::QuotaExceeded;
    }
    match code {
        1007 | 1008 if speaks_of_key(reason) => EngineCause::KeyRefused,
        1007 | 1008 if speaks_of_unknown_model(reason) => EngineCause::ModelUnknown,
        1007 => EngineCause::SetupRefused,
        1008 if phase == Phase::Setup => EngineCause::SetupRefused,
        1008 => EngineCause::ServiceFailed,
        1001 => EngineCause::SessionExpired,
        _ if phase == Phase::GoingAway || reason.contains("deadline") => EngineCause::SessionExpired,
        1000 | 1005 | 1006 => EngineCause::ConnectionLost,
        1009 | 1010 => EngineCause::Internal,
        _ => EngineCause::ServiceFailed,
    }
}

fn speaks_of_quota(text: &str) -> bool {
    let text = text.to_lowercase();
    ["resource_exhausted", "resource exhausted", "quota", "rate limit", "credits are depleted", "billing"]
        .iter()
        .any(|words| text.contains(words))
}

fn speaks_of_key(text: &str) -> bool {
    let text = text.to_lowercase();
    ["api key", "api_key", "unauthenticated", "permission_denied", "permission denied"].iter().any(|words| text.contains(words))
}

fn speaks_of_unknown_model(text: &str) -> bool {
    text.contains("model") && ["not found", "not supported for", "does not exist"].iter().any(|words| text.contains(words))
}

/// The message of Google's error document, or the text as it is.
fn message_of(body: &str) -> String {
    let document: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let error = document.as_ref().map(|document| &document["error"]);
    let part = |name: &str| error.and_then(|error| error[name].as_str());
    match (part("status"), part("message")) {
        (None, None) => body.to_owned(),
        (status, message) => [status, message].into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EngineCause::*;

    fn refusals() -> Refusals {
        Refusals::new(Secret::new("k3y-of-ours"))
    }

    #[test]
    fn close_codes() {
        let cases = [
            (1000, "", Phase::Talking, ConnectionLost),
            (1000, "", Phase::GoingAway, SessionExpired),
            (1006, "", Phase::Talking, ConnectionLost),
            (1001, "", Phase::Talking, SessionExpired),
            (1011, "Deadline expired before operation could complete.", Phase::Talking, SessionExpired),
            (1011, "Internal error encountered.", Phase::Talking, ServiceFailed),
            (1011, "Internal error encountered.", Phase::GoingAway, SessionExpired),
            (1011, "RESOURCE_EXHAUSTED", Phase::Talking, QuotaExceeded),
            (1011, "You exceeded your current quota, please check your plan", Phase::Setup, QuotaExceeded),
            (1008, "Your prepayment credits are depleted.", Phase::Talking, QuotaExceeded),
            (1007, "API key not valid. Please pass a valid API key.", Phase::Setup, KeyRefused),
            (1007, "Invalid JSON payload received. Unknown name \"proactivity\" at 'setup'", Phase::Setup, SetupRefused),
            (1007, "Request contains an invalid argument.", Phase::Talking, SetupRefused),
            (
                1008,
                "models/gemini-9 is not found for API version v1beta, or is not supported for bidiGenerateContent",
                Phase::Setup,
                ModelUnknown,
            ),
            (1008, "Operation is not implemented, or supported, or enabled.", Phase::Talking, ServiceFailed),
            (1008, "Operation is not implemented, or supported, or enabled.", Phase::Setup, SetupRefused),
            (1008, "session not found", Phase::Setup, SetupRefused),
            (1012, "", Phase::Talking, ServiceFailed),
            (4242, "", Phase::Talking, ServiceFailed),
        ];
        for (code, reason, phase, cause) in cases {
            let error = refusals().of_close(code, reason, phase);
            assert_eq!(error.cause, cause, "{code} {reason} {phase:?}");
            assert!(error.detail.starts_with(&format!("closed with {code}")) && error.detail.ends_with(reason), "{error}");
        }
    }

    #[test]
    fn statuses() {
        let key = r#"{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}"#;
        let cases = [
            (400, key, KeyRefused, "HTTP 400 INVALID_ARGUMENT API key not valid."),
            (400, "no", SetupRefused, "HTTP 400 no"),
            (401, "", KeyRefused, "HTTP 401"),
            (403, "", KeyRefused, "HTTP 403"),
            (404, "", ModelUnknown, "HTTP 404"),
            (429, "", QuotaExceeded, "HTTP 429"),
            (503, "<html>\n\u{1}busy</html>", ServiceFailed, "HTTP 503 <html> busy</html>"),
            (302, "", Unreachable, "HTTP 302"),
        ];
        for (status, body, cause, detail) in cases {
            assert_eq!(refusals().of_status(status, body), EngineError::new(cause, detail));
        }
    }

    #[test]
    fn the_key_is_never_part_of_the_evidence() {
        let error = refusals().of_close(1007, "bad key k3y-of-ours given", Phase::Setup);
        assert_eq!(error.detail, "closed with 1007: bad key (key) given");
        let long = refusals().of_status(500, &"x".repeat(10_000));
        assert_eq!(long.detail.len(), DETAIL_CHARS);
    }
}
