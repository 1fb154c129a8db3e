//! Who is let in, and how they prove who they are. What each may do is decided by `api::access`, from [`Role`].
//!
//! ```text
//!  Authorization: Bearer callie_…  ─▶ [`key`]      ┐
//!  Authorization: Bearer eyJ…      ─▶ [`token`]    ├─▶ Identity ─▶ api::authorize
//!  Cookie: callie_session=…        ─▶ [`session`]  │
//!  nothing, on this machine alone  ─▶ open door    ┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`door`] | the decision: which of these a request shows |
//! | [`key`] | API keys: how they look and how they are made |
//! | [`session`] | the cookies of browsers, and their protection against forged requests |
//! | [`token`] | JSON Web Tokens of an identity provider, checked against its published keys |
//! | [`provider`] | what an identity provider publishes of itself |
//! | [`login`] | signing in at an identity provider with a browser |
//! | [`stay`] | how long those may stay who were let in: feeds and WebSockets |
//! | [`rate`] | how often somebody may ask |
//! | [`first`] | the link that lets the first admin in |

pub mod door;
pub mod first;
pub mod key;
pub mod login;
pub mod provider;
pub mod rate;
pub mod session;
pub mod stay;
pub mod token;

#[cfg(test)]
mod tests;

pub use door::{Door, DoorSettings, Openness, Refusal};
pub use first::FirstRun;
pub use rate::Rates;
pub use stay::{Stay, Stays};

use callie_domain::Role;
use callie_store::access::Digest;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// As shown to people and written in the audit.
    pub name: String,
    pub role: Role,
    pub proof: Proof,
}

/// How an identity was proven.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Proof {
    /// A program on this machine, while nobody has made a key.
    ThisMachine,
    /// The key's id.
    Key(String),
    Session {
        digest: Digest,
        /// What the page must repeat in a header when it changes something.
        csrf: String,
    },
    Token {
        /// It opens nothing after that.
        until: Timestamp,
    },
}

impl Identity {
    /// What everybody on this machine is while the door is open.
    pub fn this_machine() -> Self {
        Self { name: "this machine".into(), role: Role::Admin, proof: Proof::ThisMachine }
    }

    /// For the audit.
    pub fn via(&self) -> String {
        match &self.proof {
            Proof::ThisMachine => "loopback".into(),
            Proof::Key(id) => format!("key {id}"),
            Proof::Session { .. } => "session".into(),
            Proof::Token { .. } => "token".into(),
        }
    }
}

/// SHA-256 of what somebody shows. What is shown is random and long: comparing digests tells an attacker nothing.
pub fn digest(text: &str) -> Digest {
    Sha256::digest(text.as_bytes()).into()
}

/// 256 random bits as 43 letters, digits, `-` and `_`.
pub fn random_text() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}
