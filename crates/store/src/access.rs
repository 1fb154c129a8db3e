//! Who may come in: API keys and the sessions of browsers. They live in the embedded database with either store of users.
//!
//! What proves a key or a session is random and long, so that its SHA-256 is kept, and nothing slower: whoever reads the
//! database can neither use it nor guess it.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::{ApiKey, Session};
use jiff::Timestamp;

/// SHA-256 of what somebody shows.
pub type Digest = [u8; 32];

#[async_trait]
pub trait AccessStore: Send + Sync {
    async fn add_key(&self, key: &ApiKey, digest: Digest) -> Result<(), StoreError>;

    /// With the digest that whoever shows it must meet.
    async fn key(&self, id: &str) -> Result<Option<(ApiKey, Digest)>, StoreError>;

    /// All of them, the ended ones too, newest first.
    async fn keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    /// Whether there is a key that nobody has revoked, expired or not.
    async fn has_keys(&self) -> Result<bool, StoreError>;

    /// Ends a key and the sessions that were opened with it. `false` when there is no such key, or it was revoked before.
    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<bool, StoreError>;

    async fn key_used(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

    async fn add_session(&self, digest: Digest, session: &Session) -> Result<(), StoreError>;

    /// As it is kept: whether it is over is the reader's question.
    async fn session(&self, digest: Digest) -> Result<Option<Session>, StoreError>;

    async fn session_used(&self, digest: Digest, at: Timestamp) -> Result<(), StoreError>;

    async fn end_session(&self, digest: Digest) -> Result<(), StoreError>;

    /// Forgets the sessions that began before.
    async fn forget_sessions(&self, before: Timestamp) -> Result<(), StoreError>;
}
