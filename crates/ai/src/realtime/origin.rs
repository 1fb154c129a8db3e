//! Where a service is, taken out of a base URL.

use crate::{EngineCause, EngineError};
use tokio_tungstenite::tungstenite::http::Uri;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub tls: bool,
    pub host: String,
    pub port: u16,
    /// `host` or `host:port`, as the HTTP header wants it.
    pub authority: String,
    /// Without a slash at the end; often empty.
    pub path: String,
}

impl Origin {
    /// `scheme://host[:port][/path]` with `ws` or `wss`, and nothing after it. `service` is its name in faults.
    pub fn parse(service: &str, base_url: &str) -> Result<Self, EngineError> {
        let faulty = |why: &str| EngineError::new(EngineCause::Config, format!("the base URL of {service} {why}"));
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
        if uri.query().is_some() {
            return Err(faulty("must not hold a query: it may hold a key, and goes into logs"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || (authority.port_u16().is_none() && authority.as_str() != authority.host()) {
            return Err(faulty("names no host, or a port that is none"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned(), path })
    }

    /// On this machine, where nobody listens in.
    pub fn is_here(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let good = [
            ("wss://generativelanguage.googleapis.com", true, "generativelanguage.googleapis.com", 443, ""),
            ("ws://127.0.0.1:9000/", false, "127.0.0.1", 9000, ""),
            (" ws://[::1]:80 ", false, "::1", 80, ""),
            ("wss://proxy.example:8443/openai/v1/", true, "proxy.example", 8443, "/openai/v1"),
        ];
        for (url, tls, host, port, path) in good {
            let origin = Origin::parse("X", url).expect(url);
            assert_eq!((origin.tls, origin.host.as_str(), origin.port, origin.path.as_str()), (tls, host, port, path), "{url}");
        }
        for url in [
            "",
            "generativelanguage.googleapis.com",
            "https://x.example",
            "wss://",
            "wss://x.example?key=abc",
            "wss://x.example/v1?key=abc",
            "wss://u:p@x.example",
            "wss://x.example:",
            "wss://x.example:99999",
            "wss://x y",
        ] {
            assert_eq!(Origin::parse("X", url).expect_err(url).cause, EngineCause::Config, "{url}");
        }
    }
}
