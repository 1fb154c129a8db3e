//! Keys, sessions and the audit in the embedded database.

use callie_domain::{ApiKey, Role, Session};
use callie_store::access::{AccessStore, Digest};
use callie_store::audit::{AuditFilter, AuditStore, Deed, Verdict};
use callie_store::{Keyring, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    store: SqliteStore,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::from_master_key(&format!("{}=", "A".repeat(43))).expect("a key");
        let store = SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened");
        Self { folder, store }
    }

    fn raw(&self, sql: &str) {
        let conn = rusqlite::Connection::open(self.folder.path().join("callie.db")).expect("opened");
        conn.busy_timeout(std::time::Duration::from_secs(5)).expect("set");
        assert!(conn.execute(sql, []).expect("executed") > 0, "{sql} touches something");
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn key(id: &str, role: Role) -> ApiKey {
    ApiKey {
        id: id.into(),
        name: format!("key {id}"),
        role,
        created_at: at(0),
        created_by: "test".into(),
        expires_at: Some(at(1_000)),
        last_used_at: None,
        revoked_at: None,
    }
}

fn session(key: Option<&str>) -> Session {
    let role = Role::User("alice".parse().expect("an id"));
    Session { name: "Alice".into(), role, key: key.map(str::to_owned), created_at: at(5), last_used_at: at(5) }
}

const ONE: Digest = [1; 32];
const TWO: Digest = [2; 32];

#[tokio::test]
async fn keys_come_back_as_they_were_given_and_end_with_their_sessions() {
    let World { store, .. } = &World::new();
    assert!(!store.has_keys().await.expect("read"));
    let (admin, user) = (key("aaaa1111", Role::Admin), key("bbbb2222", Role::User("alice".parse().expect("an id"))));
    store.add_key(&admin, ONE).await.expect("added");
    store.add_key(&user, TWO).await.expect("added");
    store.add_key(&admin, TWO).await.expect_err("the id is taken");
    assert_eq!(store.key("aaaa1111").await.expect("read"), Some((admin.clone(), ONE)));
    assert_eq!(store.key("bbbb2222").await.expect("read"), Some((user.clone(), TWO)));
    assert_eq!(store.key("' OR 1=1").await.expect("read"), None);

    store.key_used("bbbb2222", at(7)).await.expect("noted");
    for digest in [ONE, TWO] {
        store.add_session(digest, &session((digest == ONE).then_some("bbbb2222"))).await.expect("added");
    }
    assert!(store.revoke_key("bbbb2222", at(9)).await.expect("revoked"));
    assert!(!store.revoke_key("bbbb2222", at(10)).await.expect("read"), "it was before");
    let (kept, _) = store.key("bbbb2222").await.expect("read").expect("it is still shown");
    assert_eq!((kept.last_used_at, kept.revoked_at), (Some(at(7)), Some(at(9))));
    assert_eq!(store.session(ONE).await.expect("read"), None, "it ended with its key");
    assert_eq!(store.session(TWO).await.expect("read"), Some(session(None)));
    assert!(store.has_keys().await.expect("read"));
    assert!(store.revoke_key("aaaa1111", at(9)).await.expect("revoked"));
    assert!(!store.has_keys().await.expect("read"));
    assert_eq!(store.keys().await.expect("read").len(), 2);
}

#[tokio::test]
async fn sessions_are_used_and_forgotten() {
    let World { store, .. } = &World::new();
    store.add_session(ONE, &session(None)).await.expect("added");
    store.session_used(ONE, at(60)).await.expect("noted");
    assert_eq!(store.session(ONE).await.expect("read").expect("there").last_used_at, at(60));
    store.forget_sessions(at(5)).await.expect("none is older");
    assert!(store.session(ONE).await.expect("read").is_some());
    store.forget_sessions(at(6)).await.expect("forgotten");
    assert_eq!(store.session(ONE).await.expect("read"), None);
}

fn deed(target: &str) -> Deed {
    Deed {
        at: at(1),
        actor: "eve".into(),
        role: "admin".into(),
        via: "key aaaa1111".into(),
        address: "127.0.0.1".into(),
        action: "PUT /users/{user_id}".into(),
        target: target.into(),
        status: 200,
        detail: r#"{"fields":["greeting"]}"#.into(),
    }
}

#[tokio::test]
async fn the_audit_is_read_and_tells_when_somebody_was_at_it() {
    let world = World::new();
    let store = &world.store;
    assert!(matches!(store.verify_audit(None).await, Ok(Verdict::Whole { entries: 0, .. })));
    let mut links = Vec::new();
    for target in ["/users/alice", "/users/alice2", "/users/alice/contacts", "/users/bob"] {
        links.push(store.note(deed(target)).await.expect("noted").link);
    }
    assert_eq!(store.verify_audit(None).await.expect("read"), Verdict::Whole { entries: 4, head: links[3] });
    assert_eq!(store.verify_audit(Some(links[1])).await.expect("read"), Verdict::Whole { entries: 4, head: links[3] });

    let of_alice = AuditFilter { target: Some("/users/alice".into()), limit: 9, ..AuditFilter::default() };
    let seqs = |entries: Vec<callie_store::audit::AuditEntry>| entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();
    assert_eq!(seqs(store.audit(&of_alice).await.expect("read")), [3, 1]);
    let older = AuditFilter { before: Some(3), limit: 1, ..AuditFilter::default() };
    assert_eq!(seqs(store.audit(&older).await.expect("read")), [2]);

    world.raw("UPDATE audit SET actor = 'mallory' WHERE seq = 2");
    assert!(matches!(store.verify_audit(None).await, Ok(Verdict::Broken { seq: 2, .. })));
    world.raw("UPDATE audit SET actor = 'eve' WHERE seq = 2");
    assert!(matches!(store.verify_audit(None).await, Ok(Verdict::Whole { .. })));
    world.raw("DELETE FROM audit WHERE seq = 4");
    assert!(matches!(store.verify_audit(None).await, Ok(Verdict::Whole { entries: 3, .. })), "nobody kept a head");
    assert!(matches!(store.verify_audit(Some(links[3])).await, Ok(Verdict::Broken { .. })), "somebody did");
}
