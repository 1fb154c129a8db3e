//! `WWW-Authenticate` and `Proxy-Authenticate` values as data.

/// Hash of a digest, with or without the session variant (RFC 7616 §3.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
}

/// What the challenge lets us protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// No `qop` parameter: RFC 2069 style, without a client nonce.
    None,
    /// `auth`, perhaps among others.
    Auth,
}

/// One Digest challenge that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    pub qop: Qop,
    pub stale: bool,
}

/// The challenges in all values of one header, in the order of the message. Unknown schemes, algorithms and parameters
/// are skipped.
pub fn parse_challenges<'a>(_values: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
    Vec::new()
}
