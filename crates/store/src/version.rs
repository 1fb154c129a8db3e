//! The versions of the users' documents, as they were seen, without secrets. Wherever the documents are, these are here.

use crate::{Revision, StoreError};
use async_trait::async_trait;
use callie_domain::UserId;
use jiff::Timestamp;
use serde_json::Value;

/// Of one user; the oldest go first.
pub const MOST_VERSIONS: u32 = 200;

/// A document as it was from a time on.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its revision, which records of calls name.
    pub version: Revision,
    pub seen_at: Timestamp,
    pub document: Value,
}

#[async_trait]
pub trait VersionStore: Send + Sync + 'static {
    /// Keeps versions that are not kept yet, and forgets the oldest of users who have too many.
    async fn keep_versions(&self, versions: Vec<(UserId, Version)>) -> Result<(), StoreError>;

    /// Forgets those of all users but these.
    async fn forget_versions_except(&self, users: &[UserId]) -> Result<usize, StoreError>;

    /// Newest first, those older than `before`.
    async fn versions(&self, user: &UserId, before: Option<Revision>, limit: u32) -> Result<Vec<Version>, StoreError>;

    async fn version(&self, user: &UserId, version: Revision) -> Result<Option<Version>, StoreError>;
}
