//! What one account has been challenged with, and its answers.

use super::Challenge;
use callie_domain::Secret;

/// Who asks: the registrar or called party (401), or a proxy on the way (407).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthKind {
    Www,
    Proxy,
}

/// Who we say we are.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    pub username: &'a str,
    pub password: &'a Secret,
}

/// What to do after a 401 or 407.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request again with [`DigestCache::authorize`].
    Retry,
    /// The credentials were refused; asking again changes nothing.
    Rejected,
    /// No challenge that we can answer.
    Unsupported,
}

/// What one request has been asked and has answered, over its repetitions. A new one for each new registration attempt
/// and for each call; a dialog keeps that of its INVITE.
#[derive(Debug, Clone, Default)]
pub struct AuthAttempt {}

/// The challenges known to one account, by realm and kind, so that the next request answers before it is asked.
#[derive(Debug, Default)]
pub struct DigestCache {}

impl DigestCache {
    /// Takes in the challenges of a 401 or 407; both headers may be in one response (RFC 3261 §16.7 step 7).
    pub fn challenged(&mut self, _attempt: &mut AuthAttempt, _www: &[Challenge], _proxy: &[Challenge]) -> Verdict {
        Verdict::Unsupported
    }

    /// The header fields for a request about to be sent: `("Authorization" | "Proxy-Authorization", value)`, one per
    /// known realm. `cnonce` is fresh random hex.
    pub fn authorize(
        &mut self,
        _attempt: &mut AuthAttempt,
        _method: &str,
        _uri: &str,
        _credentials: Credentials<'_>,
        _cnonce: &str,
    ) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
