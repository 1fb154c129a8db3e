//! An operator edits a document with the `sqlite3` shell while the store runs.

use callie_domain::{Secret, UserId};
use callie_store::{ConfigStore, Entry, Keyring, SqliteStore, StoredUser, UserView};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const ALICE: &str = r#"{"sip": {"sip_username": "alice", "sip_password": "first"}}"#;

/// Runs SQL in the shell; `None` when there is no shell.
fn shell(database: &Path, sql: &str) -> Option<String> {
    let output = match Command::new("sqlite3").arg("-cmd").arg(".timeout 5000").arg(database).arg(sql).output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        output => output.expect("the shell starts"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn alice() -> UserId {
    "alice".parse().expect("valid")
}

fn usable(view: &UserView) -> Option<&StoredUser> {
    view.users.get(&alice()).and_then(Entry::usable)
}

#[tokio::test]
async fn edits_of_the_sqlite_shell_are_live() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("callie.db");
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), jiff::Timestamp::UNIX_EPOCH).expect("keys");
    let store = SqliteStore::open(&database, Arc::new(keyring)).expect("opened");
    let mut view = store.watch();

    let inserted = shell(&database, &format!("INSERT INTO user_configs (user_id, doc) VALUES ('alice', '{ALICE}')"));
    if inserted.is_none() {
        writeln!(std::io::stderr(), "SKIPPED edits_of_the_sqlite_shell_are_live: no sqlite3 here; apt-get install sqlite3")
            .expect("written");
        return;
    }
    type Shows = fn(&StoredUser) -> bool;
    let edits: [(&str, Shows); 4] = [
        ("doc", |u| u.user.sip.password == Secret::new("first")),
        ("json_set(doc, '$.calls.default_greeting', 'Good morning')", |u| u.user.calls.default_greeting == "Good morning"),
        ("json_set(doc, '$.sip.is_active', false)", |u| !u.user.sip.is_active),
        ("json_set(doc, '$.sip.sip_password', 'second')", |u| u.user.sip.password == Secret::new("second")),
    ];
    for (edit, shows) in edits {
        shell(&database, &format!("UPDATE user_configs SET doc = {edit} WHERE user_id = 'alice'"));
        let seen = view.wait_for(|v| usable(v).is_some_and(shows));
        let seen = tokio::time::timeout(Duration::from_secs(20), seen).await;
        assert!(seen.is_ok_and(|open| open.is_ok()), "{edit} was never seen");
    }
    let password = "SELECT json_extract(doc, '$.sip.sip_password') FROM user_configs";
    let sealed = async {
        while !shell(&database, password).is_some_and(|text| text.starts_with("callie-enc:v1:k1970a:")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sealed).await.expect("sealed");
    assert_eq!(usable(&view.borrow()).map(|u| u.user.sip.password.clone()), Some(Secret::new("second")));

    shell(&database, "DELETE FROM user_configs");
    let gone = tokio::time::timeout(Duration::from_secs(20), view.wait_for(|v| v.users.is_empty())).await;
    assert!(gone.is_ok(), "the deletion was never seen");
    store.close().await;
    assert_eq!(shell(&database, "PRAGMA integrity_check").as_deref().map(str::trim), Some("ok"));
}
