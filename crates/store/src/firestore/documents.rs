//! Firestore's back door: documents as they lie there.

use super::config::path;
use super::fault::Fault;
use super::value::RawDocument;
use super::{FirestoreStore, USERS};
use crate::seal::SealError;
use crate::{Adopted, DocumentStore, Resealed, StoreError, StoredDocument, doc};
use async_trait::async_trait;
use callie_domain::UserId;
use jiff::Timestamp;
use serde_json::Value;

/// How often a document is sealed anew while others keep writing it.
const ATTEMPTS: usize = 20;

#[async_trait]
impl DocumentStore for FirestoreStore {
    async fn documents(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredDocument>, StoreError> {
        let page = self.documents().page(USERS, after, limit).await;
        let page = page.map_err(|fault| fault.unavailable(self.documents().place()))?;
        Ok(page
            .into_iter()
            .map(|RawDocument { name, revision, body }| StoredDocument { name, revision, body: Some(body) })
            .collect())
    }

    async fn adopt(&self, id: &UserId, body: &Value) -> Result<Adopted, StoreError> {
        let Some(map) = body.as_object() else {
            return Err(StoreError::Faulty { user: id.clone(), fault: "it must be a JSON object".to_owned() });
        };
        // Told apart from a refusal of Firestore's: it is this one document's fault.
        let wanted = super::value::as_stored(map)
            .map_err(|unwritable| StoreError::Faulty { user: id.clone(), fault: unwritable.to_string() })?;
        match self.documents().create(&path(id), map).await {
            Ok(written) => {
                self.shared.listener.wrote(written);
                Ok(Adopted::Written)
            }
            Err(Fault::Exists) => {
                let there = self.documents().get(&path(id)).await.map_err(|fault| self.refusal(id, fault))?;
                Ok(if there.is_some_and(|there| RawDocument::from(there).body == wanted) {
                    Adopted::Same
                } else {
                    Adopted::Different
                })
            }
            Err(fault) => Err(self.refusal(id, fault)),
        }
    }

    async fn reseal(&self, id: &UserId) -> Result<Resealed, StoreError> {
        self.check_keys().await?;
        for _ in 0..ATTEMPTS {
            let stored = self.documents().get(&path(id)).await.map_err(|fault| self.refusal(id, fault))?;
            let stored = stored.ok_or_else(|| StoreError::NotFound(id.clone()))?;
            let mut body = RawDocument::from(stored.clone()).body;
            match doc::reseal(id, &mut body, &self.shared.keyring, Timestamp::now()) {
                Ok(true) => {}
                Ok(false) => return Ok(Resealed::Current),
                Err(fault @ SealError::NoRandomness) => return Err(StoreError::Unavailable(fault.to_string())),
                Err(fault) => return Ok(Resealed::Undecryptable(fault.to_string())),
            }
            let Some(map) = body.as_object() else { return Ok(Resealed::Current) };
            match self.documents().update(&path(id), &stored, map).await {
                Ok(written) => {
                    self.shared.listener.wrote(written);
                    return Ok(Resealed::Done);
                }
                // Somebody else was quicker: what is there now counts.
                Err(Fault::Precondition | Fault::Contended) => {}
                Err(fault) => return Err(self.refusal(id, fault)),
            }
        }
        Err(StoreError::Conflict(id.clone()))
    }
}
