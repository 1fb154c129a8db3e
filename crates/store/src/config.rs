//! The users' documents: read, written under a revision, and watched.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::{Faults, User, UserId};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// Grows with each write of a document; the precondition of the next write.
pub type Revision = u64;

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser {
    pub user: Arc<User>,
    pub revision: Revision,
}

/// Why a document cannot be used. The user's last good configuration goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocFault {
    /// Not JSON, or not an object.
    #[error("the document is not valid JSON: {0}")]
    Malformed(String),
    #[error("the document has faulty fields: {0}")]
    Fields(Faults),
    /// The sealed password does not open: another key, or moved from another user. Never used, never overwritten.
    #[error("secret_undecryptable: the sealed password does not open with the keys at hand: {0}")]
    SecretUndecryptable(String),
}

/// One user in the live view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Good(StoredUser),
    Faulty { fault: DocFault, last_good: Option<StoredUser> },
}

impl Entry {
    /// The configuration to run with.
    pub fn usable(&self) -> Option<&StoredUser> {
        match self {
            Self::Good(stored) => Some(stored),
            Self::Faulty { last_good, .. } => last_good.as_ref(),
        }
    }
}

/// All users at one moment. Cheap to clone: documents are shared.
#[derive(Debug, Clone, Default)]
pub struct UserView {
    pub users: HashMap<UserId, Entry>,
}

/// The users' documents, with passwords in clear on this side of the trait and sealed on the other.
#[async_trait]
pub trait ConfigStore: Send + Sync + 'static {
    /// Writes a new document. [`StoreError::AlreadyExists`] when there is one.
    async fn create(&self, user: &User) -> Result<StoredUser, StoreError>;

    /// Reads the document as it is stored now, not as the view last saw it.
    async fn get(&self, id: &UserId) -> Result<Option<StoredUser>, StoreError>;

    /// Replaces the fields we know and keeps those we do not, if the stored revision is still `expected`.
    async fn put(&self, user: &User, expected: Revision) -> Result<StoredUser, StoreError>;

    /// `false` when there was none.
    async fn delete(&self, id: &UserId) -> Result<bool, StoreError>;

    /// Deletes the document if its stored revision is still `expected`; [`StoreError::Conflict`] or [`StoreError::NotFound`]
    /// when it is not. The document need not be readable.
    async fn delete_at(&self, id: &UserId, expected: Revision) -> Result<(), StoreError>;

    /// The live view. It is complete from the first value on, and follows every change, whoever made it: this process at
    /// once, another process within a second.
    fn watch(&self) -> watch::Receiver<Arc<UserView>>;

    /// Whether the backend answers now; the text says why not.
    async fn health(&self) -> Result<(), StoreError>;
}
