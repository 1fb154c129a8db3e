//! Why an engine cannot talk: a cause from a closed list, with the evidence and the remedy.

use std::fmt;

/// What went wrong, for a caller that wants to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineCause {
    /// The service refuses the key.
    KeyRefused,
    /// The service does not know the model, or not for this key.
    ModelUnknown,
    /// Rate limit, quota or credit is used up.
    QuotaExceeded,
    /// The service refuses what we asked for: a field, a voice, a combination.
    SetupRefused,
    /// A setting of ours is missing or wrong.
    Config,
    /// No connection could be made.
    Unreachable,
    /// The connection broke.
    ConnectionLost,
    /// The service ended the session because its time was over.
    SessionExpired,
    /// The service failed or is overloaded.
    ServiceFailed,
    /// The service stays silent though an answer is due.
    Stalled,
    /// A fault of our own engine.
    Internal,
}

impl EngineCause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyRefused => "key_refused",
            Self::ModelUnknown => "model_unknown",
            Self::QuotaExceeded => "quota_exceeded",
            Self::SetupRefused => "setup_refused",
            Self::Config => "config",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost => "connection_lost",
            Self::SessionExpired => "session_expired",
            Self::ServiceFailed => "service_failed",
            Self::Stalled => "stalled",
            Self::Internal => "internal",
        }
    }

    /// What an operator can do.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::KeyRefused => {
                "check the engine's API key (GEMINI_API_KEY, OPENAI_API_KEY): it is wrong, expired or not allowed to use this service"
            }
            Self::ModelUnknown => {
                "check the model's name (ai.model, else GEMINI_MODEL or OPENAI_MODEL) and that the key may use it"
            }
            Self::QuotaExceeded => "raise the quota or add credit at the provider, or lower the number of concurrent calls",
            Self::SetupRefused => "check voice, language and model of the user: the service refuses this combination",
            Self::Config => "mend the setting that the detail names",
            Self::Unreachable => "check the network, the proxy and the engine's base URL",
            Self::ConnectionLost => "check the network if this is frequent; the call was continued without the service",
            Self::SessionExpired => "nothing to do: the service limits how long a session may last",
            Self::ServiceFailed => "see the provider's status page; try again later",
            Self::Stalled => "see the provider's status page; try another model if this is frequent",
            Self::Internal => "please report it with the call's events",
        }
    }
}

impl fmt::Display for EngineCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cause with its evidence: a close code with its text, an HTTP status, an error of the network. Never a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {detail}")]
pub struct EngineError {
    pub cause: EngineCause,
    pub detail: String,
}

impl EngineError {
    pub fn new(cause: EngineCause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }
}
