//! SQLite's back door: documents as they lie there.

use super::fault::Fault;
use super::view::{prune_changes, read_doc};
use super::{SqliteStore, Writer};
use crate::seal::SealError;
use crate::{Adopted, DocumentStore, Resealed, StoreError, StoredDocument, doc};
use async_trait::async_trait;
use callie_domain::UserId;
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::Value;

#[async_trait]
impl DocumentStore for SqliteStore {
    async fn documents(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredDocument>, StoreError> {
        let after = after.map(str::to_owned);
        self.read(move |conn| Ok(page(conn, after.as_deref(), limit)?)).await
    }

    async fn adopt(&self, id: &UserId, body: &Value) -> Result<Adopted, StoreError> {
        let (id, body) = (id.clone(), body.clone());
        self.write(move |writer| writer.adopt(&id, &body)).await
    }

    async fn reseal(&self, id: &UserId) -> Result<Resealed, StoreError> {
        let id = id.clone();
        self.write(move |writer| writer.reseal(&id, Timestamp::now())).await
    }
}

/// Names are compared byte by byte, as SQLite does with texts unless told otherwise.
fn page(conn: &Connection, after: Option<&str>, limit: usize) -> rusqlite::Result<Vec<StoredDocument>> {
    let sql = "SELECT user_id, revision, doc FROM user_configs WHERE ?1 IS NULL OR user_id > ?1 ORDER BY user_id LIMIT ?2";
    let mut query = conn.prepare_cached(sql)?;
    let rows = query.query_map((after, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        Ok(StoredDocument {
            name: String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default()).into_owned(),
            revision: row.get::<_, i64>(1)?.unsigned_abs(),
            body: serde_json::from_slice(row.get_ref(2)?.as_bytes().unwrap_or_default()).ok(),
        })
    })?;
    rows.collect()
}

impl Writer {
    fn adopt(&mut self, id: &UserId, body: &Value) -> Result<Adopted, Fault> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(there) = read_doc(&tx, id)? {
            let same = there.value.is_ok_and(|there| there == *body || doc::is_sealed_from(id, &there, body, &self.keyring));
            return Ok(if same { Adopted::Same } else { Adopted::Different });
        }
        // Also where the document is faulty, which nobody would seal afterwards: no secret in clear reaches the disk.
        let mut body = body.clone();
        doc::seal_typed(id, &mut body, &self.keyring, Timestamp::now()).map_err(|fault| StoreError::not_sealed(id, &fault))?;
        tx.prepare_cached("INSERT INTO user_configs (user_id, doc) VALUES (?1, ?2)")?.execute((id.as_str(), body.to_string()))?;
        prune_changes(&tx)?;
        tx.commit()?;
        self.follow();
        Ok(Adopted::Written)
    }

    fn reseal(&mut self, id: &UserId, now: Timestamp) -> Result<Resealed, Fault> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stored = read_doc(&tx, id)?.ok_or_else(|| StoreError::NotFound(id.clone()))?;
        let Ok(mut value) = stored.value else {
            return Ok(Resealed::Undecryptable("the document is not valid JSON".to_owned()));
        };
        match doc::reseal(id, &mut value, &self.keyring, now) {
            Ok(true) => {}
            Ok(false) => return Ok(Resealed::Current),
            Err(fault @ SealError::NoRandomness) => return Err(StoreError::Unavailable(fault.to_string()).into()),
            Err(fault) => return Ok(Resealed::Undecryptable(fault.to_string())),
        }
        tx.prepare_cached("UPDATE user_configs SET doc = ?2 WHERE user_id = ?1")?.execute((id.as_str(), value.to_string()))?;
        prune_changes(&tx)?;
        tx.commit()?;
        // It may have stood there in clear.
        self.view.expect_traces();
        self.follow();
        Ok(Resealed::Done)
    }
}
