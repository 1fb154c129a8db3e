//! Documents as they lie in the store, sealed secrets and unknown fields included: for those who carry them to another store
//! or seal them anew. Configuration is read and written through [`crate::ConfigStore`], not here.

use crate::{Revision, StoreError};
use async_trait::async_trait;
use callie_domain::UserId;
use serde_json::Value;

/// One document.
///
/// Times are RFC 3339 texts. A value that JSON does not have (Firestore's bytes, references, points, times in fields that are
/// not ours) is an object with one tagged member, such as `{"$timestamp": "2026-01-15T10:30:00Z"}`, and becomes that value again.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// As stored: not each is the id of a user.
    pub name: String,
    pub revision: Revision,
    /// `None` when it is not JSON.
    pub body: Option<Value>,
}

/// What became of a document that was carried here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    Written,
    /// It was here already, the same.
    Same,
    /// Another one of that name is here; it stays.
    Different,
}

/// What became of a document's secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resealed {
    /// They were in clear or under an older key, and are sealed with the primary key now.
    Done,
    /// They are sealed with the primary key already, or there are none.
    Current,
    /// They do not open, and stay as they are; the text says why.
    Undecryptable(String),
}

/// The back door of a store, for operators: migration and rotation of keys.
#[async_trait]
pub trait DocumentStore: Send + Sync + 'static {
    /// At most `limit` documents in the order of their names, from the first one behind `after`.
    async fn documents(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredDocument>, StoreError>;

    /// Puts the document down as it is, unless there is one of that name; the embedded database seals a password in clear. [`StoreError::Faulty`] when this store cannot hold it.
    async fn adopt(&self, id: &UserId, body: &Value) -> Result<Adopted, StoreError>;

    /// Seals the secrets of one document with the primary key, under the revision that was read; repeats when somebody else
    /// wrote in between. [`StoreError::NotFound`] when it is gone.
    async fn reseal(&self, id: &UserId) -> Result<Resealed, StoreError>;
}

/// Documents read at once.
const PAGE: usize = 300;

/// All documents, page by page.
#[derive(Default)]
pub(crate) struct Pages {
    after: Option<String>,
    ended: bool,
}

impl Pages {
    pub async fn next(&mut self, store: &dyn DocumentStore) -> Result<Option<Vec<StoredDocument>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let page = store.documents(self.after.as_deref(), PAGE).await?;
        self.after = page.last().map(|document| document.name.clone());
        self.ended = page.len() < PAGE;
        Ok((!page.is_empty()).then_some(page))
    }
}
