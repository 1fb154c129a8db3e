//! What the operator decides about Gemini. Checked once, by [`super::GeminiEngine::new`].

use super::access::{Access, Vertex};
use callie_domain::Secret;
use std::time::Duration;

/// Defaults are good for a phone; only the way in is missing.
#[derive(Debug, Clone)]
pub struct GeminiOptions {
    pub access: Access,
    /// The model where the user names none.
    pub model: String,
    /// Scheme (`ws` or `wss`), host and port; the path is the protocol's.
    pub base_url: String,
    /// Patience for name, TCP, TLS and upgrade together. With [`Self::setup_timeout`] it must stay below the 10 s that a
    /// call waits for its engine, or nobody can take over in time.
    pub connect_timeout: Duration,
    /// Patience from then until the service has taken the setup.
    pub setup_timeout: Duration,
    /// Milliseconds of caller audio in one message up, 20–100: more saves CPU, less saves latency.
    pub uplink_ms: u32,
    /// Silence that ends the caller's turn, milliseconds: 500–800 suits a phone line.
    pub end_of_speech_ms: u32,
    /// Send the user's language as `languageCode` too. Native-audio models go by the instruction and may refuse the code.
    pub send_language_code: bool,
    /// How freely the model chooses its words, 0 to 2, where the call does not say; the service's own when `None`.
    pub temperature: Option<f64>,
    /// For how long a lost session is tried to be replaced before the engine gives up.
    pub reconnect_budget: Duration,
}

impl GeminiOptions {
    pub const DEFAULT_MODEL: &'static str = "gemini-3.8-live";
    /// The one that is generally available there.
    pub const DEFAULT_VERTEX_MODEL: &'static str = "gemini-live-2.5-flash-native-audio";

    /// The developers' API.
    pub fn new(api_key: Secret) -> Self {
        Self::of(Access::Key(api_key), Self::DEFAULT_MODEL)
    }

    pub fn vertex(vertex: Vertex) -> Self {
        Self::of(Access::Vertex(vertex), Self::DEFAULT_VERTEX_MODEL)
    }

    fn of(access: Access, model: &str) -> Self {
        Self {
            model: model.into(),
            base_url: access.default_base_url(),
            access,
            connect_timeout: Duration::from_secs(4),
            setup_timeout: Duration::from_secs(4),
            uplink_ms: 40,
            end_of_speech_ms: 600,
            send_language_code: false,
            temperature: None,
            reconnect_budget: Duration::from_secs(30),
        }
    }
}
