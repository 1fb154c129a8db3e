//! Why the service refused or ended a session, as a cause with its evidence, and whether trying again may help.
//!
//! | what it says | cause | again |
//! |---|---|---|
//! | a key is refused, HTTP 401, 403 | `key_refused` | no |
//! | an unknown model, HTTP 404 | `model_unknown` | no |
//! | no credit, HTTP 402 | `quota_exceeded` | no |
//! | a rate limit, HTTP 429 | `quota_exceeded` | yes |
//! | a request that is invalid, HTTP 400 | `setup_refused` | no |
//! | `session_expired`, its time is over, close 1001 | `session_expired` | yes |
//! | torn off, close 1000, 1005, 1006 | `connection_lost` | yes |
//! | close 1009, 1010 | `internal` | no |
//! | `server_error`, HTTP 5xx, all other closes | `service_failed` | yes |

use super::wire::server::ErrorBody;
use crate::{
    EngineCause, EngineError,
    realtime::{
        dial::DialError,
        evidence::Evidence,
        socket::{Closed, cause_of},
    },
};
use callie_domain::Secret;

/// How a session, or the attempt to have one, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub error: EngineError,
    /// The same may go well another time.
    pub retry: bool,
}

impl From<EngineError> for Ending {
    /// By the cause alone.
    fn from(error: EngineError) -> Self {
        use EngineCause::*;
        let retry = matches!(error.cause, Unreachable | ConnectionLost | SessionExpired | ServiceFailed | Stalled);
        Self { error, retry }
    }
}

/// Makes errors without the key in them.
#[derive(Debug)]
pub struct Refusals {
    evidence: Evidence,
}

impl Refusals {
    pub fn new(key: Secret) -> Self {
        Self { evidence: Evidence::new(key) }
    }

    pub fn error(&self, cause: EngineCause, evidence: &str) -> EngineError {
        self.evidence.error(cause, evidence)
    }

    /// There is no WebSocket.
    pub fn of_dial(&self, error: DialError) -> Ending {
        match error {
            DialError::Unreachable(why) => self.error(EngineCause::Unreachable, &why).into(),
            DialError::Broken(error) => self.error(EngineCause::ConnectionLost, &error.to_string()).into(),
            DialError::Refused { status, body } => self.of_status(status, &body),
        }
    }

    /// The upgrade was answered with something else than 101.
    pub fn of_status(&self, status: u16, body: &str) -> Ending {
        let said = said(body);
        let evidence = format!("HTTP {status} {said}");
        let (cause, retry) = match status {
            _ if speaks_of_credit(&said) => (EngineCause::QuotaExceeded, false),
            402 => (EngineCause::QuotaExceeded, false),
            429 => (EngineCause::QuotaExceeded, true),
            401 | 403 => (EngineCause::KeyRefused, false),
            400 if speaks_of_key(&said) => (EngineCause::KeyRefused, false),
            404 => (EngineCause::ModelUnknown, false),
            400 if speaks_of_unknown_model(&said) => (EngineCause::ModelUnknown, false),
            400..=499 => (EngineCause::SetupRefused, false),
            500..=599 => (EngineCause::ServiceFailed, true),
            // A redirect or another oddity: something else than the service lives there.
            _ => (EngineCause::Unreachable, true),
        };
        Ending { error: self.error(cause, evidence.trim_end()), retry }
    }

    /// An `error` event, or the error of a response.
    pub fn of_error(&self, error: &ErrorBody) -> Ending {
        let code = if error.code.is_empty() { &error.kind } else { &error.code };
        let evidence = [code.as_str(), &error.message, &error.param].join(" ");
        let (cause, retry) = match code.as_str() {
            "session_expired" => (EngineCause::SessionExpired, true),
            "insufficient_quota" => (EngineCause::QuotaExceeded, false),
            "rate_limit_exceeded" | "rate_limit_error" => (EngineCause::QuotaExceeded, true),
            "invalid_api_key" | "authentication_error" | "permission_denied" => (EngineCause::KeyRefused, false),
            "model_not_found" => (EngineCause::ModelUnknown, false),
            _ if error.kind == "server_error" => (EngineCause::ServiceFailed, true),
            _ => cause_in(&evidence).unwrap_or(match error.kind.as_str() {
                "invalid_request_error" => (EngineCause::SetupRefused, false),
                _ => (EngineCause::ServiceFailed, true),
            }),
        };
        Ending { error: self.error(cause, &evidence), retry }
    }

    /// The service closed the WebSocket.
    pub fn of_close(&self, code: u16, reason: &str) -> Ending {
        let evidence = format!("closed with {code}: {reason}");
        let (cause, retry) = cause_in(reason).unwrap_or(match code {
            _ if reason.contains("invalid_request_error") => (EngineCause::SetupRefused, false),
            1001 => (EngineCause::SessionExpired, true),
            1000 | 1005 | 1006 => (EngineCause::ConnectionLost, true),
            1009 | 1010 => (EngineCause::Internal, false),
            _ => (EngineCause::ServiceFailed, true),
        });
        Ending { error: self.error(cause, evidence.trim_end_matches([':', ' '])), retry }
    }

    /// No more frames come.
    pub fn of_closed(&self, closed: &Closed) -> Ending {
        match closed {
            Closed::ByService(Some(frame)) => self.of_close(frame.code.into(), &frame.reason),
            // Closed without a word: 1006 is what RFC 6455 §7.1.5 calls it.
            Closed::ByService(None) => self.of_close(1006, "without a close frame"),
            Closed::Broken(error) => self.error(cause_of(error), &error.to_string()).into(),
        }
    }
}

/// What a text says, whatever the code beside it.
fn cause_in(text: &str) -> Option<(EngineCause, bool)> {
    match text.to_lowercase().as_str() {
        text if speaks_of_credit(text) => Some((EngineCause::QuotaExceeded, false)),
        text if text.contains("rate limit") || text.contains("rate_limit") => Some((EngineCause::QuotaExceeded, true)),
        text if speaks_of_key(text) => Some((EngineCause::KeyRefused, false)),
        text if speaks_of_unknown_model(text) => Some((EngineCause::ModelUnknown, false)),
        text if text.contains("session_expired") || text.contains("maximum duration") => {
            Some((EngineCause::SessionExpired, true))
        }
        _ => None,
    }
}

fn speaks_of_credit(text: &str) -> bool {
    let text = text.to_lowercase();
    ["insufficient_quota", "exceeded your current quota", "billing", "out of credit", "arrearage"]
        .iter()
        .any(|words| text.contains(words))
}

fn speaks_of_key(text: &str) -> bool {
    let text = text.to_lowercase();
    ["api key", "api_key", "apikey", "unauthorized", "authentication"].iter().any(|words| text.contains(words))
}

fn speaks_of_unknown_model(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("model_not_found") || text.contains("model") && text.contains("does not exist")
}

/// The code and message of an error document, or the text as it is.
fn said(body: &str) -> String {
    let document: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let error = document.as_ref().map(|document| document.get("error").unwrap_or(document));
    let part = |name: &str| error.and_then(|error| error[name].as_str());
    match (part("code"), part("message")) {
        (None, None) => error.and_then(|error| error.as_str()).unwrap_or(body).to_owned(),
        (code, message) => [code, message].into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
#[path = "refusal/tests.rs"]
mod tests;
