//! Why the service refused or ended a session, as a cause with its evidence, and what can be done about it.
//!
//! | close | cause | course |
//! |---|---|---|
//! | quota, rate or credit in the text, HTTP 429 | `quota_exceeded` | none |
//! | 1007, 1008, HTTP 400 that speak of the key, HTTP 401, 403 | `key_refused` | none |
//! | 1007, 1008 that speak of an unknown model, HTTP 404 | `model_unknown` | none |
//! | other 1007 | `setup_refused` | once without the handle, if there was one |
//! | other 1008 | `service_failed`, in the setup `setup_refused` | once in a fresh session |
//! | 1001, after goAway, "Deadline expired" | `session_expired` | resume |
//! | 1000, 1005, 1006, torn off | `connection_lost` | resume |
//! | 1009, 1010 | `internal` | none |
//! | 1011, all others | `service_failed` | resume |
//! | HTTP 5xx | `service_failed` | the same again |
//! | no connection, HTTP of something else | `unreachable` | the same again |

use crate::{
    EngineCause, EngineError,
    realtime::{
        dial::DialError,
        evidence::Evidence,
        socket::{Closed, cause_of},
    },
};
use callie_domain::Secret;
use tokio_tungstenite::tungstenite::Error as SocketError;

/// When it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the service had taken the setup.
    Setup,
    Talking,
    /// After the service had announced that it would end the session.
    GoingAway,
}

/// What can be done about the end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The service was not even reached: the same again.
    Again,
    /// Go on in a new session that takes up the old one's context.
    Resume,
    /// The context may be at fault: once in a session without it.
    Anew,
    /// What we sent is at fault, and the same would be refused again; the handle may have been it.
    WithoutHandle,
    /// Trying again changes nothing.
    GiveUp,
}

/// How a session, or the attempt to have one, ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub error: EngineError,
    pub course: Course,
}

impl From<EngineError> for Ending {
    /// By the cause alone.
    fn from(error: EngineError) -> Self {
        use EngineCause::*;
        let course = match error.cause {
            KeyRefused | ModelUnknown | QuotaExceeded | SetupRefused | Config | Internal => Course::GiveUp,
            Unreachable => Course::Again,
            ConnectionLost | SessionExpired | ServiceFailed | Stalled => Course::Resume,
        };
        Self { error, course }
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
            DialError::Broken(error) => self.of_socket(&SocketError::Io(error), Phase::Setup).into(),
            DialError::Refused { status, body } => self.of_status(status, &body),
        }
    }

    /// The upgrade was answered with something else than 101.
    pub fn of_status(&self, status: u16, body: &str) -> Ending {
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
        let ending = Ending::from(self.error(cause, format!("HTTP {status} {text}").trim_end()));
        match ending.course {
            Course::Resume => Ending { course: Course::Again, ..ending },
            _ => ending,
        }
    }

    /// The service closed the WebSocket.
    pub fn of_close(&self, code: u16, reason: &str, phase: Phase) -> Ending {
        let evidence = format!("closed with {code}: {reason}");
        let error = self.error(close_cause(code, &reason.to_lowercase(), phase), evidence.trim_end_matches([':', ' ']));
        let ending = Ending::from(error);
        match (code, ending.error.cause) {
            (1007, EngineCause::SetupRefused) => Ending { course: Course::WithoutHandle, ..ending },
            (1008, EngineCause::SetupRefused | EngineCause::ServiceFailed) => Ending { course: Course::Anew, ..ending },
            _ => ending,
        }
    }

    /// No more frames come.
    pub fn of_closed(&self, closed: &Closed, phase: Phase) -> Ending {
        match closed {
            Closed::ByService(Some(frame)) => self.of_close(frame.code.into(), &frame.reason, phase),
            // Closed without a word: 1006 is what RFC 6455 §7.1.5 calls it.
            Closed::ByService(None) => self.of_close(1006, "without a close frame", phase),
            Closed::Broken(error) => self.of_socket(error, phase).into(),
        }
    }

    /// The WebSocket broke.
    pub fn of_socket(&self, error: &SocketError, phase: Phase) -> EngineError {
        let cause = match phase {
            Phase::GoingAway => EngineCause::SessionExpired,
            Phase::Setup | Phase::Talking => cause_of(error),
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
mod tests;
