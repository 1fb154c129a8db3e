//! What only SQLite has: the file and its schema, the key check, the change log, other programs' raw edits.

use super::SqliteStore;
use crate::{CallFilter, ConfigStore, DocFault, Entry, Keyring, RecordStore, StoreError, UserView};
use callie_domain::{CallId, User, UserId};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

struct Bench {
    folder: TempDir,
}

fn keys(kids: &[(&str, u8)]) -> Arc<Keyring> {
    let keys = kids.iter().map(|(kid, byte)| ((*kid).to_owned(), Zeroizing::new([*byte; 32])));
    Arc::new(Keyring::new(kids[0].0, keys, "the key file test.json").expect("valid"))
}

fn alice() -> UserId {
    "alice".parse().expect("valid")
}

fn user(name: &str) -> User {
    let doc = json!({"sip": {"sip_username": "a", "sip_password": "p"}});
    crate::doc::read(&name.parse().expect("valid"), &doc, &keys(&[("k2026a", 7)])).expect("usable")
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }
    fn path(&self) -> PathBuf {
        self.folder.path().join("callie.db")
    }
    fn open(&self) -> SqliteStore {
        self.open_with(&[("k2026a", 7)]).expect("opened")
    }
    fn open_with(&self, kids: &[(&str, u8)]) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&self.path(), keys(kids))
    }
    fn raw(&self) -> Connection {
        let conn = Connection::open(self.path()).expect("opened");
        conn.busy_timeout(Duration::from_secs(5)).expect("set");
        conn
    }
    fn refusal(&self, kids: &[(&str, u8)]) -> String {
        match self.open_with(kids) {
            Err(StoreError::Setup(text)) => text,
            Err(other) => panic!("must be a fault of the setup: {other}"),
            Ok(_) => panic!("must be refused"),
        }
    }
}

async fn until(view: &mut watch::Receiver<Arc<UserView>>, shows: impl FnMut(&Arc<UserView>) -> bool) -> Arc<UserView> {
    let shown = tokio::time::timeout(Duration::from_secs(20), view.wait_for(shows)).await;
    shown.expect("in time").expect("open").clone()
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let bench = Bench::new();
    let store = bench.open();
    store.create(&user("alice")).await.expect("created");
    let files: Vec<_> = fs::read_dir(bench.folder.path()).expect("listed").map(|f| f.expect("listed").path()).collect();
    assert!(files.len() >= 2, "the log lies beside the database: {files:?}");
    for file in files {
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn settings_are_as_documented() {
    let bench = Bench::new();
    let store = bench.open();
    let pragma = |name: &'static str| {
        let store = store.clone();
        async move { store.write(move |w| Ok(w.conn.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, i64>(0))?)).await }
    };
    for (name, want) in
        [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5_000), ("auto_vacuum", 2), ("secure_delete", 1)]
    {
        assert_eq!(pragma(name).await.expect("answered"), want, "{name}");
    }
    let mode: String = bench.raw().query_row("PRAGMA journal_mode", [], |r| r.get(0)).expect("answered");
    assert_eq!(mode, "wal");
}

#[test]
fn what_is_not_our_database_is_refused_and_left_alone() {
    let bench = Bench::new();
    fs::write(bench.path(), "not a database, but some file of somebody ".repeat(100)).expect("written");
    let before = fs::read(bench.path()).expect("read");
    let text = bench.refusal(&[("k2026a", 7)]);
    assert!(text.contains("callie.db") && text.contains("not a database"), "{text}");
    assert_eq!(fs::read(bench.path()).expect("read"), before);

    let bench = Bench::new();
    bench.raw().execute_batch("CREATE TABLE t (a)").expect("made");
    let text = bench.refusal(&[("k2026a", 7)]);
    assert!(text.contains("another program"), "{text}");

    let missing = SqliteStore::open(&bench.folder.path().join("missing/callie.db"), keys(&[("k2026a", 7)])).err();
    assert!(missing.expect("refused").to_string().contains("folder exists"));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let bench = Bench::new();
    bench.open().close().await;
    bench.raw().pragma_update(None, "user_version", 99).expect("set");
    let text = bench.refusal(&[("k2026a", 7)]);
    assert!(text.contains("callie.db") && text.contains("schema version 99") && text.contains("newer program"), "{text}");
}

/// A file as the first schema left it, with a call in which something was said and rows that cannot be read.
fn first_schema(bench: &Bench) -> CallId {
    let call = CallId::new(jiff::Timestamp::from_second(1_760_000_000).expect("valid"), 7);
    let turn = |text: &str| json!({"index": 1, "speaker": "caller", "started_ms": 5, "ended_ms": 9, "text": text});
    let event =
        |text: &str| json!({"at": "2025-10-09T08:53:20Z", "offset_ms": 5, "event": "turn", "turn": turn(text)}).to_string();
    let raw = bench.raw();
    raw.execute_batch(include_str!("migrations/0001_users_and_calls.sql")).expect("made");
    raw.pragma_update(None, "user_version", 1).expect("set");
    raw.pragma_update(None, "application_id", 0x4361_6c6c).expect("set");
    let cdr = json!({"id": call, "user_id": "alice", "direction": "inbound", "from": "sip:bob@example.com", "to": "alice",
        "started_at": "2025-10-09T08:53:20Z", "answered_at": null, "ended_at": null, "termination": null, "config_revision": 1,
        "sip_call_id": null, "engine": null, "recording": null, "media": null});
    let insert = "INSERT INTO calls (id, user_id, direction, started_ms, cdr) VALUES (?1, 'alice', 'inbound', 0, ?2)";
    for (id, cdr) in [(call.to_string(), cdr.to_string()), ("broken".to_owned(), "{oops".to_owned())] {
        raw.execute(insert, (id, cdr)).expect("written");
    }
    let insert = "INSERT INTO call_events (call_id, n, at_ms, event) VALUES (?1, ?2, 0, ?3)";
    let events = [event("wreck a nice beach"), event("recognise speech"), r#"{"event":"turn"}"#.to_owned()];
    for (event, n) in events.iter().zip(1..) {
        raw.execute(insert, (call.to_string(), n, event)).expect("written");
    }
    raw.execute(insert, ("broken", 1, "{oops")).expect("written");
    call
}

#[tokio::test]
async fn what_was_said_before_the_index_is_found_too() {
    let bench = Bench::new();
    let call = first_schema(&bench);
    let store = bench.open();
    let found = async |text: &str| {
        let filter = CallFilter { text: Some(text.to_owned()), ..CallFilter::default() };
        store.list(&filter).await.expect("listed").calls.len()
    };
    let turns = store.turns(call).await.expect("answered");
    assert_eq!(turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>(), ["recognise speech"]);
    assert_eq!((found("speech bob@example.com").await, found("beach").await), (1, 0));

    let raw = bench.raw();
    raw.pragma_update(None, "foreign_keys", true).expect("set");
    raw.execute("INSERT INTO call_words (call_words, rank) VALUES ('integrity-check', 1)", []).expect("in order");
    raw.execute("DELETE FROM calls", []).expect("deleted");
    raw.execute("INSERT INTO call_words (call_words, rank) VALUES ('integrity-check', 1)", []).expect("in order");
    assert_eq!((found("speech").await, store.turns(call).await.expect("answered").len()), (0, 0));
}

#[tokio::test]
async fn other_keys_are_refused() {
    let bench = Bench::new();
    let store = bench.open();
    store.create(&user("alice")).await.expect("created");
    store.close().await;
    for (kids, why) in [
        (vec![("k2026a", 8)], "another one"),
        (vec![("k2027a", 8)], "missing"),
        (vec![("k2027a", 8), ("k2026a", 8)], "another one"),
    ] {
        let text = bench.refusal(&kids);
        assert!(
            text.contains("k2026a") && text.contains(why) && text.contains("test.json") && text.contains("callie.db"),
            "{text}"
        );
    }
    // Rotation: the old key may go once nothing is sealed with it.
    let store = bench.open_with(&[("k2027a", 8), ("k2026a", 7)]).expect("both keys");
    let stored = store.get_user("alice").await;
    store.put(&stored.user, stored.revision).await.expect("sealed anew");
    store.close().await;
    bench.open_with(&[("k2027a", 8)]).expect("the old key is needed no more").close().await;
}

impl SqliteStore {
    async fn get_user(&self, name: &str) -> crate::StoredUser {
        ConfigStore::get(self, &name.parse().expect("valid")).await.expect("answered").expect("there")
    }
}

#[tokio::test]
async fn text_that_is_not_json_is_a_fault_of_its_user_alone() {
    let bench = Bench::new();
    let store = bench.open();
    let created = store.create(&user("alice")).await.expect("created");
    let mut view = store.watch();
    let raw = bench.raw();
    raw.execute("INSERT INTO user_configs (user_id, doc) VALUES ('no user/name', '{}')", []).expect("written");
    raw.execute("UPDATE user_configs SET doc = '{\"sip\": oops' WHERE user_id = 'alice'", []).expect("written");
    let bobs = r#"{"sip": {"sip_username": "bob", "sip_password": "p"}}"#;
    raw.execute("INSERT INTO user_configs (user_id, doc) VALUES ('bob', ?1)", [bobs]).expect("written");
    let seen = until(&mut view, |v| v.users.len() == 2 && !matches!(v.users.get(&alice()), Some(Entry::Good(_)))).await;
    match seen.users.get(&alice()) {
        Some(Entry::Faulty { fault: DocFault::Malformed(_), last_good }) => assert_eq!(last_good.as_ref(), Some(&created)),
        other => panic!("must be malformed: {other:?}"),
    }
    let (revision, doc): (i64, String) = raw
        .query_row("SELECT revision, doc FROM user_configs WHERE user_id = 'alice'", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .expect("there");
    let refused = store.put(&created.user, revision.unsigned_abs()).await;
    assert!(matches!(refused, Err(StoreError::Faulty { .. })), "what cannot be read could not be kept: {refused:?}");
    assert_eq!(doc, "{\"sip\": oops");
    store.close().await;
    let store = bench.open();
    assert_eq!(store.watch().borrow().users.len(), 2);
}

#[tokio::test]
async fn a_gap_in_the_change_log_is_made_good_by_reading_everything() {
    let bench = Bench::new();
    let store = bench.open();
    store.create(&user("alice")).await.expect("created");
    let mut view = store.watch();
    let mut raw = bench.raw();
    let tx = raw.transaction().expect("begun");
    for name in ["bob", "carol"] {
        let doc = json!({"sip": {"sip_username": name, "sip_password": "p"}}).to_string();
        tx.execute("INSERT INTO user_configs (user_id, doc) VALUES (?1, ?2)", (name, doc)).expect("written");
    }
    tx.execute("DELETE FROM user_configs WHERE user_id = 'alice'", []).expect("deleted");
    tx.execute("DELETE FROM change WHERE user_id <> 'carol'", []).expect("pruned");
    tx.commit().expect("committed");
    let seen = until(&mut view, |v| v.users.contains_key(&"bob".parse().expect("valid"))).await;
    assert_eq!(seen.users.len(), 2, "alice is gone: {:?}", seen.users.keys());
    raw.execute("DELETE FROM change", []).expect("pruned");
    store.create(&user("dad")).await.expect("created");
    assert_eq!(store.watch().borrow().users.len(), 3);
}

#[tokio::test]
async fn the_change_log_does_not_grow_for_ever() {
    let bench = Bench::new();
    let store = bench.open();
    let raw = bench.raw();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
        INSERT INTO change (user_id, op) SELECT 'nobody', 'put' FROM n";
    raw.execute(fill, []).expect("filled");
    store.create(&user("alice")).await.expect("created");
    let rows: i64 = raw.query_row("SELECT count(*) FROM change", [], |r| r.get(0)).expect("counted");
    assert_eq!(rows, 10_000);
    assert_eq!(store.watch().borrow().users.len(), 1);
}

#[tokio::test]
async fn a_lock_of_another_program_delays_a_write_and_no_read() {
    let bench = Bench::new();
    let store = bench.open();
    store.create(&user("alice")).await.expect("created");
    let raw = bench.raw();
    raw.execute_batch("BEGIN IMMEDIATE").expect("locked");
    let mut writing = JoinSet::new();
    let writer = store.clone();
    writing.spawn(async move { writer.create(&user("bob")).await });
    assert_eq!(store.get_user("alice").await.user.id, alice());
    assert!(writing.try_join_next().is_none(), "it waits");
    raw.execute_batch("COMMIT").expect("unlocked");
    assert!(writing.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_closed_store_says_so_and_has_lost_nothing() {
    let bench = Bench::new();
    let store = bench.open();
    let mut view = store.watch();
    let mut writes = JoinSet::new();
    for n in 0..50 {
        let store = store.clone();
        writes.spawn(async move { store.create(&user(&format!("user{n}"))).await.is_ok() });
    }
    tokio::task::yield_now().await;
    store.close().await;
    store.close().await;
    let written = writes.join_all().await.into_iter().filter(|written| *written).count();
    let refused = store.create(&user("late")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(store.health().await.is_err());
    while view.changed().await.is_ok() {}
    let rows: i64 = bench.raw().query_row("SELECT count(*) FROM user_configs", [], |r| r.get(0)).expect("counted");
    assert_eq!(usize::try_from(rows).expect("few"), written);
}

#[tokio::test]
async fn a_dropped_store_ends_its_threads_by_itself() {
    let bench = Bench::new();
    let store = bench.open();
    let mut view = store.watch();
    store.create(&user("alice")).await.expect("created");
    drop(store);
    let ended = async { while view.changed().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the writer has ended");
    bench.open().close().await;
}
