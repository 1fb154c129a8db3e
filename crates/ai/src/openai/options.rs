//! What the operator decides about OpenAI Realtime and its likes. Checked once, by [`super::OpenAiEngine::new`].

use super::dialect::Dialect;
use callie_domain::Secret;
use std::time::Duration;

/// Defaults are good for a phone; only the key is missing.
#[derive(Debug, Clone)]
pub struct OpenAiOptions {
    /// Empty where the service wants none.
    pub api_key: Secret,
    /// One of [`Dialect::names`].
    pub dialect: String,
    /// The model where the user names none; the dialect's when `None`.
    pub model: Option<String>,
    /// Up to `/v1`, with `wss`, `ws`, `https` or `http`; the dialect's when `None`.
    pub base_url: Option<String>,
    /// `server_vad`, or `semantic_vad` where the dialect knows it.
    pub turn_detection: String,
    /// Patience for name, TCP, TLS and upgrade together. With [`Self::setup_timeout`] it must stay below the 10 s that a
    /// call waits for its engine, or nobody can take over in time.
    pub connect_timeout: Duration,
    /// Patience from then until the service has taken the session.
    pub setup_timeout: Duration,
    /// Milliseconds of caller audio in one message up, 20–100: more saves CPU, less saves latency.
    pub uplink_ms: u32,
    /// Silence that ends the caller's turn, milliseconds: 400–800 suits a phone line.
    pub end_of_speech_ms: u32,
    /// For how long a lost session is tried to be replaced.
    pub reconnect_budget: Duration,
    /// How long a session may live before it is replaced, should the service not say; the dialect's when `None`.
    pub session_life: Option<Duration>,
    /// How freely the model chooses its words, 0 to 2, where the call does not say; most services know no such thing.
    pub temperature: Option<f64>,
}

impl OpenAiOptions {
    pub fn new(api_key: Secret) -> Self {
        Self {
            api_key,
            dialect: Dialect::DEFAULT.into(),
            model: None,
            base_url: None,
            turn_detection: "server_vad".into(),
            connect_timeout: Duration::from_secs(4),
            setup_timeout: Duration::from_secs(4),
            uplink_ms: 40,
            end_of_speech_ms: 500,
            reconnect_budget: Duration::from_secs(30),
            session_life: None,
            temperature: None,
        }
    }
}
