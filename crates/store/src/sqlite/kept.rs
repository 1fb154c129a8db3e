//! The last good documents of users who live in another store: to start from when that one does not answer. Nobody edits
//! them here, and no password in them is in clear.

use super::SqliteStore;
use super::fault::Fault;
use crate::{Revision, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// A document as it was when it was last good.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeptDocument {
    pub revision: Revision,
    /// Sealed.
    pub body: Value,
}

/// What has changed in the other store.
#[derive(Debug, Default)]
pub(crate) struct KeptChanges {
    /// Comes first: every document but these is gone. It also says that the other store has been read completely.
    pub only: Option<HashSet<String>>,
    /// `None`: gone.
    pub documents: BTreeMap<String, Option<KeptDocument>>,
}

impl SqliteStore {
    /// All documents kept of `source`; `None` when it was never read completely.
    pub(crate) async fn kept(&self, source: &str) -> Result<Option<BTreeMap<String, KeptDocument>>, StoreError> {
        let source = source.to_owned();
        self.read(move |conn| Ok(load(conn, &source)?)).await
    }

    /// Carries the changes out, all or none.
    pub(crate) async fn keep(&self, source: &str, changes: KeptChanges) -> Result<(), StoreError> {
        let source = source.to_owned();
        self.write(move |writer| save(&mut writer.conn, &source, &changes)).await
    }
}

fn load(conn: &Connection, source: &str) -> rusqlite::Result<Option<BTreeMap<String, KeptDocument>>> {
    let known = "SELECT 1 FROM kept_sources WHERE source = ?1";
    if conn.query_row(known, [source], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let mut query = conn.prepare_cached("SELECT name, revision, doc FROM kept_documents WHERE source = ?1")?;
    let rows = query.query_map([source], |row| {
        let doc: String = row.get(2)?;
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.unsigned_abs(), serde_json::from_str(&doc)))
    })?;
    let mut kept = BTreeMap::new();
    for row in rows {
        match row? {
            (name, revision, Ok(body)) => drop(kept.insert(name, KeptDocument { revision, body })),
            (name, _, Err(fault)) => tracing::warn!(name, %fault, "a kept document is passed over"),
        }
    }
    Ok(Some(kept))
}

fn save(conn: &mut Connection, source: &str, changes: &KeptChanges) -> Result<(), Fault> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if let Some(names) = &changes.only {
        tx.execute("INSERT INTO kept_sources (source) VALUES (?1) ON CONFLICT DO NOTHING", [source])?;
        drop_all_but(&tx, source, names)?;
    }
    for (name, document) in &changes.documents {
        match document {
            Some(document) => put(&tx, source, name, document)?,
            None => remove(&tx, source, name)?,
        }
    }
    tx.commit()?;
    Ok(())
}

fn drop_all_but(tx: &Transaction<'_>, source: &str, names: &HashSet<String>) -> rusqlite::Result<()> {
    let mut query = tx.prepare("SELECT name FROM kept_documents WHERE source = ?1")?;
    let kept: Vec<String> = query.query_map([source], |row| row.get(0))?.collect::<Result<_, _>>()?;
    kept.iter().filter(|name| !names.contains(*name)).try_for_each(|name| remove(tx, source, name))
}

/// A document that is kept at this revision already costs no write.
fn put(tx: &Transaction<'_>, source: &str, name: &str, document: &KeptDocument) -> rusqlite::Result<()> {
    let sql = "INSERT INTO kept_documents (source, name, revision, doc) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (source, name) DO UPDATE SET revision = excluded.revision, doc = excluded.doc
               WHERE revision <> excluded.revision";
    let revision = i64::try_from(document.revision).unwrap_or(i64::MAX);
    tx.prepare_cached(sql)?.execute((source, name, revision, document.body.to_string())).map(drop)
}

fn remove(tx: &Transaction<'_>, source: &str, name: &str) -> rusqlite::Result<()> {
    tx.prepare_cached("DELETE FROM kept_documents WHERE source = ?1 AND name = ?2")?.execute((source, name)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Keyring;
    use serde_json::json;
    use std::sync::Arc;
    use zeroize::Zeroizing;

    fn put(name: &str, revision: Revision) -> (String, Option<KeptDocument>) {
        (name.to_owned(), Some(KeptDocument { revision, body: json!({"at": revision}) }))
    }

    #[tokio::test]
    async fn what_is_kept_comes_back_for_its_source_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keyring::new("k", [("k".to_owned(), Zeroizing::new([7; 32]))], "the test").expect("valid");
        let store = SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keys)).expect("opened");
        let kept = async |source: &str| {
            let kept = store.kept(source).await.expect("read");
            kept.map(|kept| kept.into_iter().map(|(name, document)| (name, document.revision)).collect::<Vec<_>>())
        };
        let keep = async |source: &str, only: Option<&[&str]>, documents: Vec<(String, Option<KeptDocument>)>| {
            let only = only.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            store.keep(source, KeptChanges { only, documents: documents.into_iter().collect() }).await.expect("kept");
        };
        keep("a", None, vec![put("alice", 1)]).await;
        assert_eq!(kept("a").await, None, "never read completely");
        keep("a", Some(&["alice", "bob"]), vec![put("bob", 2), put("carol", 3)]).await;
        keep("b", Some(&[]), vec![put("alice", 9)]).await;
        keep("a", None, vec![put("bob", 4), ("carol".to_owned(), None)]).await;
        assert_eq!(kept("a").await, Some(vec![("alice".to_owned(), 1), ("bob".to_owned(), 4)]));
        keep("a", Some(&["bob"]), Vec::new()).await;
        assert_eq!(kept("a").await, Some(vec![("bob".to_owned(), 4)]));
        assert_eq!(kept("b").await, Some(vec![("alice".to_owned(), 9)]));
        store.close().await;
    }
}
