//! The users' documents in Firestore.

use super::FirestoreStore;
use super::fault::Fault;
use super::value::RawDocument;
use crate::{ConfigStore, DocFault, Revision, StoreError, StoredUser, UserView, doc};
use async_trait::async_trait;
use callie_domain::{User, UserId};
use gcloud_sdk::google::firestore::v1::Document;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::watch;

#[async_trait]
impl ConfigStore for FirestoreStore {
    async fn create(&self, user: &User) -> Result<StoredUser, StoreError> {
        let id = &user.id;
        self.check_keys().await?;
        let body =
            doc::write(user, None, &self.shared.keyring, Timestamp::now()).map_err(|fault| StoreError::not_sealed(id, &fault))?;
        let body = self.readable(id, body)?;
        let written = self.documents().create(&path(id), &body).await.map_err(|fault| self.refusal(id, fault))?;
        self.written(id, written).await
    }

    async fn get(&self, id: &UserId) -> Result<Option<StoredUser>, StoreError> {
        let stored = self.documents().get(&path(id)).await.map_err(|fault| self.refusal(id, fault))?;
        stored.map(|document| self.read(id, &document.into())).transpose()
    }

    async fn put(&self, user: &User, expected: Revision) -> Result<StoredUser, StoreError> {
        let id = &user.id;
        self.check_keys().await?;
        let old = self.documents().get(&path(id)).await.map_err(|fault| self.refusal(id, fault))?;
        let old = old.ok_or_else(|| StoreError::NotFound(id.clone()))?;
        let raw = RawDocument::from(old.clone());
        if raw.revision != expected {
            return Err(StoreError::Conflict(id.clone()));
        }
        let body = doc::write(user, Some(&raw.body), &self.shared.keyring, Timestamp::now())
            .map_err(|fault| StoreError::not_sealed(id, &fault))?;
        self.replace(id, &old, body).await
    }

    async fn delete(&self, id: &UserId) -> Result<bool, StoreError> {
        let deleted = self.documents().delete(&path(id)).await.map_err(|fault| self.refusal(id, fault))?;
        if let Some(at) = deleted {
            self.shared.listener.deleted(id.as_str(), at);
        }
        Ok(deleted.is_some())
    }

    async fn delete_at(&self, id: &UserId, expected: Revision) -> Result<(), StoreError> {
        let stored = self.documents().get(&path(id)).await.map_err(|fault| self.refusal(id, fault))?;
        let stored = stored.ok_or_else(|| StoreError::NotFound(id.clone()))?;
        if RawDocument::from(stored.clone()).revision != expected {
            return Err(StoreError::Conflict(id.clone()));
        }
        let deleted = self.documents().delete_at(&path(id), &stored).await.map_err(|fault| self.refusal(id, fault))?;
        self.shared.listener.deleted(id.as_str(), deleted);
        Ok(())
    }

    fn watch(&self) -> watch::Receiver<Arc<UserView>> {
        let mut view = self.shared.listener.watch();
        view.mark_unchanged();
        view
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.shared.listener.health()
    }
}

impl FirestoreStore {
    /// Writes what is new in `body`, under the revision of `old`.
    pub(super) async fn replace(&self, id: &UserId, old: &Document, body: Value) -> Result<StoredUser, StoreError> {
        let body = self.readable(id, body)?;
        let written = self.documents().update(&path(id), old, &body).await.map_err(|fault| self.refusal(id, fault))?;
        self.written(id, written).await
    }

    /// Nothing is written that would not read back as a user.
    fn readable(&self, id: &UserId, body: Value) -> Result<Map<String, Value>, StoreError> {
        doc::read(id, &body, &self.shared.keyring).map_err(|fault| StoreError::faulty(id, fault))?;
        match body {
            Value::Object(map) => Ok(map),
            _ => Err(StoreError::faulty(id, DocFault::Malformed("it must be a JSON object".to_owned()))),
        }
    }

    /// Shows our own write in the live view at once.
    async fn written(&self, id: &UserId, document: RawDocument) -> Result<StoredUser, StoreError> {
        let stored = self.read(id, &document)?;
        self.shared.listener.wrote(document);
        Ok(stored)
    }

    fn read(&self, id: &UserId, document: &RawDocument) -> Result<StoredUser, StoreError> {
        let user = doc::read(id, &document.body, &self.shared.keyring).map_err(|fault| StoreError::faulty(id, fault))?;
        Ok(StoredUser { user: Arc::new(user), revision: document.revision })
    }

    pub(super) fn refusal(&self, id: &UserId, fault: Fault) -> StoreError {
        match fault {
            Fault::Exists => StoreError::AlreadyExists(id.clone()),
            Fault::Missing => StoreError::NotFound(id.clone()),
            Fault::Precondition | Fault::Contended => StoreError::Conflict(id.clone()),
            fault => fault.unavailable(self.documents().place()),
        }
    }
}

/// Where the user's document lies.
pub(super) fn path(id: &UserId) -> String {
    format!("{}/{id}", super::USERS)
}
