//! What the operator decides about Gemini. Checked once, by [`super::GeminiEngine::new`].

use super::access::{Access, Vertex};
use crate::{EngineCause, EngineError};
use callie_domain::Secret;
use std::time::Duration;
use tokio_tungstenite::tungstenite::http::Uri;

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

/// Where the service is, taken out of a base URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// `host` or `host:port`, as the HTTP header wants it.
    pub authority: String,
}

impl Origin {
    /// `scheme://host[:port]` with `ws` or `wss`, and nothing after it.
    pub fn parse(base_url: &str) -> Result<Self, EngineError> {
        let faulty = |why: &str| EngineError::new(EngineCause::Config, format!("the base URL of Gemini {why}"));
        let uri: Uri = base_url.trim().parse().map_err(|_| faulty("is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(faulty("must begin with wss:// or ws://")),
        };
        let authority = uri.authority().ok_or_else(|| faulty("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(faulty("must not hold a user or password"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(faulty("must end after host and port: the path is the protocol's"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || (authority.port_u16().is_none() && authority.as_str() != authority.host()) {
            return Err(faulty("names no host, or a port that is none"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let good = [
            ("wss://generativelanguage.googleapis.com", true, "generativelanguage.googleapis.com", 443),
            ("ws://127.0.0.1:9000/", false, "127.0.0.1", 9000),
            (" ws://[::1]:80 ", false, "::1", 80),
            ("wss://proxy.example:8443", true, "proxy.example", 8443),
        ];
        for (url, tls, host, port) in good {
            let origin = Origin::parse(url).expect(url);
            assert_eq!((origin.tls, origin.host.as_str(), origin.port), (tls, host, port), "{url}");
        }
        for url in [
            "",
            "generativelanguage.googleapis.com",
            "https://x.example",
            "wss://",
            "wss://x.example/path",
            "wss://x.example?key=abc",
            "wss://u:p@x.example",
            "wss://x.example:",
            "wss://x.example:99999",
            "wss://x y",
        ] {
            assert_eq!(Origin::parse(url).expect_err(url).cause, EngineCause::Config, "{url}");
        }
    }
}
