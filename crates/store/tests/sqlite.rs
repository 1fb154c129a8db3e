//! The SQLite backend against the conformance suite.

use async_trait::async_trait;
use callie_store::suite::Backend;
use callie_store::{Adopted, ConfigStore, DocumentStore, Keyring, RecordStore, SqliteStore};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

struct Sqlite {
    folder: TempDir,
    store: SqliteStore,
}

impl Sqlite {
    fn database(&self) -> PathBuf {
        self.folder.path().join("callie.db")
    }

    fn keys(folder: &TempDir) -> Arc<Keyring> {
        let path = folder.path().join("keyring.json");
        Arc::new(Keyring::load_or_create(&path, jiff::Timestamp::UNIX_EPOCH).expect("keys"))
    }

    fn open(folder: &TempDir) -> SqliteStore {
        SqliteStore::open(&folder.path().join("callie.db"), Self::keys(folder)).expect("opened")
    }

    /// A connection of another program.
    fn other(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.database()).expect("opened");
        conn.busy_timeout(std::time::Duration::from_secs(5)).expect("set");
        conn
    }
}

#[async_trait]
impl Backend for Sqlite {
    fn users(&self) -> Arc<dyn ConfigStore> {
        Arc::new(self.store.clone())
    }
    fn documents(&self) -> Arc<dyn DocumentStore> {
        Arc::new(self.store.clone())
    }
    fn calls(&self) -> Arc<dyn RecordStore> {
        Arc::new(self.store.clone())
    }
    fn keyring(&self) -> Arc<Keyring> {
        Self::keys(&self.folder)
    }
    async fn raw_put_all(&self, documents: Vec<(String, Value)>) {
        let mut other = self.other();
        let tx = other.transaction().expect("begun");
        for (name, doc) in documents {
            let sql = "INSERT INTO user_configs (user_id, doc) VALUES (?1, ?2)";
            tx.prepare_cached(sql).expect("a statement").execute((name, doc.to_string())).expect("written");
        }
        tx.commit().expect("committed");
    }
    async fn raw_put(&self, name: &str, doc: &Value) {
        let sql = "INSERT INTO user_configs (user_id, doc) VALUES (?1, ?2) ON CONFLICT (user_id) DO UPDATE SET doc = ?2";
        self.other().execute(sql, (name, doc.to_string())).expect("written");
    }
    async fn raw_get(&self, name: &str) -> Option<Value> {
        let sql = "SELECT doc FROM user_configs WHERE user_id = ?1";
        let text: Option<String> = self.other().query_row(sql, [name], |row| row.get(0)).ok();
        text.map(|text| serde_json::from_str(&text).expect("JSON"))
    }
    async fn raw_delete(&self, name: &str) {
        self.other().execute("DELETE FROM user_configs WHERE user_id = ?1", [name]).expect("deleted");
    }
    async fn restart(&mut self) {
        self.store.close().await;
        self.store = Self::open(&self.folder);
    }
    async fn at_rest(&self) -> Vec<u8> {
        let files = fs::read_dir(self.folder.path()).expect("listed");
        files.flat_map(|file| fs::read(file.expect("listed").path()).unwrap_or_default()).collect()
    }
}

async fn make_store() -> Sqlite {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Sqlite::open(&folder);
    Sqlite { folder, store }
}

callie_store::store_conformance!(make_store);

/// The view seals typed passwords of usable documents alone; a document that is carried here may be faulty.
#[tokio::test]
async fn a_faulty_document_that_is_carried_here_leaves_no_password_in_clear() {
    let backend = make_store().await;
    let alice = "alice".parse().expect("valid");
    let body = |password: &str| json!({"sip": {"sip_username": ["x"], "sip_password": password}, "kept": 1});
    let adopt = async |password: &str| backend.store.adopt(&alice, &body(password)).await.expect("adopted");
    assert_eq!(adopt("CANARY-carried").await, Adopted::Written);
    assert_eq!(adopt("CANARY-carried").await, Adopted::Same, "a migration that is run again goes on");
    assert_eq!(adopt("CANARY-other").await, Adopted::Different);
    let at_rest = backend.at_rest().await;
    assert!(!at_rest.windows(6).any(|part| part == b"CANARY"), "it lies there in clear");
    assert_eq!(backend.raw_get("alice").await.map(|there| there["kept"].clone()), Some(json!(1)));
}
