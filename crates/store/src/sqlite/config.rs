//! The users' documents in SQLite.

use super::fault::Fault;
use super::view::{prune_changes, read_doc};
use super::{SqliteStore, Writer};
use crate::{ConfigStore, DocFault, Keyring, Revision, StoreError, StoredUser, UserView, doc};
use async_trait::async_trait;
use callie_domain::{User, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long [`ConfigStore::health`] waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[async_trait]
impl ConfigStore for SqliteStore {
    async fn create(&self, user: &User) -> Result<StoredUser, StoreError> {
        let user = user.clone();
        self.write(move |writer| writer.create(&user, Timestamp::now())).await
    }

    async fn get(&self, id: &UserId) -> Result<Option<StoredUser>, StoreError> {
        let (id, keyring) = (id.clone(), self.shared.keyring.clone());
        self.read(move |conn| {
            let Some(stored) = read_doc(conn, &id)? else { return Ok(None) };
            let user = stored.user(&id, &keyring).map_err(|fault| StoreError::faulty(&id, fault))?;
            Ok(Some(StoredUser { user: Arc::new(user), revision: stored.revision }))
        })
        .await
    }

    async fn put(&self, user: &User, expected: Revision) -> Result<StoredUser, StoreError> {
        let user = user.clone();
        self.write(move |writer| writer.put(&user, expected, Timestamp::now())).await
    }

    async fn delete(&self, id: &UserId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |writer| writer.delete(&id)).await
    }

    async fn delete_at(&self, id: &UserId, expected: Revision) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |writer| writer.delete_at(&id, expected)).await
    }

    fn watch(&self) -> watch::Receiver<Arc<UserView>> {
        let mut view = self.shared.view.clone();
        view.mark_unchanged();
        view
    }

    async fn health(&self) -> Result<(), StoreError> {
        let ask = |conn: &Connection| Ok(conn.query_row("SELECT count(*) FROM key_check", [], |_| Ok(()))?);
        let both = async {
            self.write(move |writer| ask(&writer.conn)).await?;
            self.read(ask).await
        };
        tokio::time::timeout(PATIENCE, both)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {} s", PATIENCE.as_secs()))))
    }
}

impl Writer {
    fn create(&mut self, user: &User, now: Timestamp) -> Result<StoredUser, Fault> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if read_doc(&tx, &user.id)?.is_some() {
            return Err(StoreError::AlreadyExists(user.id.clone()).into());
        }
        let value = doc::write(user, None, &self.keyring, now).map_err(|fault| StoreError::not_sealed(&user.id, &fault))?;
        let stored = save(tx, "INSERT INTO user_configs (user_id, doc) VALUES (?1, ?2)", user, &value, &self.keyring)?;
        self.follow();
        Ok(stored)
    }

    fn put(&mut self, user: &User, expected: Revision, now: Timestamp) -> Result<StoredUser, Fault> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let old = read_doc(&tx, &user.id)?.ok_or_else(|| StoreError::NotFound(user.id.clone()))?;
        if old.revision != expected {
            return Err(StoreError::Conflict(user.id.clone()).into());
        }
        // What is not JSON has fields that we could not keep: its author must mend it.
        let old = old.value.map_err(|fault| StoreError::faulty(&user.id, DocFault::Malformed(fault)))?;
        let value = doc::write(user, Some(&old), &self.keyring, now).map_err(|fault| StoreError::not_sealed(&user.id, &fault))?;
        let stored = save(tx, "UPDATE user_configs SET doc = ?2 WHERE user_id = ?1", user, &value, &self.keyring)?;
        self.follow();
        Ok(stored)
    }

    fn delete(&mut self, id: &UserId) -> Result<bool, Fault> {
        let existed = self.conn.execute("DELETE FROM user_configs WHERE user_id = ?1", [id.as_str()])? > 0;
        self.follow();
        Ok(existed)
    }

    fn delete_at(&mut self, id: &UserId, expected: Revision) -> Result<(), Fault> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let old = read_doc(&tx, id)?.ok_or_else(|| StoreError::NotFound(id.clone()))?;
        if old.revision != expected {
            return Err(StoreError::Conflict(id.clone()).into());
        }
        tx.execute("DELETE FROM user_configs WHERE user_id = ?1", [id.as_str()])?;
        tx.commit()?;
        self.follow();
        Ok(())
    }

    /// Shows our own write in the live view. A failure is not the write's: it is committed, and the poller tries again.
    pub(super) fn follow(&mut self) {
        if let Err(fault) = self.absorb() {
            tracing::error!(%fault, "a write is stored but not yet in the live view");
        }
    }
}

/// Writes the document and commits, unless it would not read back as a user.
fn save(tx: Transaction<'_>, sql: &'static str, user: &User, value: &Value, keyring: &Keyring) -> Result<StoredUser, Fault> {
    let user = doc::read(&user.id, value, keyring).map_err(|fault| StoreError::faulty(&user.id, fault))?;
    tx.prepare_cached(sql)?.execute((user.id.as_str(), value.to_string()))?;
    prune_changes(&tx)?;
    let revision = read_doc(&tx, &user.id)?.map_or(0, |stored| stored.revision);
    tx.commit()?;
    Ok(StoredUser { user: Arc::new(user), revision })
}
