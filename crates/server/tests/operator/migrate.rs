//! `callie migrate store`, there and back.

use super::{Desk, with_users};
use callie_lab::firestore::{Firestore, FirestoreOptions};
use callie_store::{DocumentStore, StoredDocument};
use jiff::Timestamp;
use serde_json::Value;

/// Everything but the revisions, which each store counts in its own way, and what a time has below a microsecond, which
/// Firestore does not keep.
fn bodies(documents: Vec<StoredDocument>) -> Vec<(String, Option<Value>)> {
    let body = |mut body: Value| {
        if let Some(Value::String(time)) = body["sip"].get_mut("password_encrypted_at") {
            let kept: Timestamp = time.parse().expect("a time");
            *time = Timestamp::from_microsecond(kept.as_microsecond()).expect("a time").to_string();
        }
        body
    };
    documents.into_iter().map(|document| (document.name, document.body.map(body))).collect()
}

async fn documents(desk: &Desk) -> Vec<(String, Option<Value>)> {
    let store = desk.store();
    let documents = store.documents(None, 1_000).await.expect("read");
    store.close().await;
    bodies(documents)
}

fn raw(desk: &Desk, sql: &str) {
    let database = rusqlite::Connection::open(desk.path().join("callie.db")).expect("opened");
    database.execute_batch(sql).expect("written");
}

#[tokio::test]
async fn users_go_to_firestore_and_back_as_they_are() {
    let firestore = Firestore::start(FirestoreOptions::default()).await.expect("served");
    let address = firestore.address().to_string();
    let environment = [("FIRESTORE_EMULATOR_HOST", address.as_str()), ("FIREBASE_PROJECT_ID", firestore.project())];
    let desk = Desk::new(&environment);
    let store = desk.store();
    with_users(&store, (0..40).map(|n| format!("user{n:02}"))).await;
    store.close().await;
    raw(
        &desk,
        "UPDATE user_configs SET doc = json_set(doc, '$.notes', json('{\"ours\": false, \"list\": [1, 2.5, null]}')) WHERE user_id = 'user07'",
    );
    let before = documents(&desk).await;

    let there = "migrate store --from sqlite --to firestore";
    assert!(desk.does(&format!("{there} --dry-run")).await.contains("40 users would be carried over"));
    assert!(firestore.document("user_configs/user07").is_none(), "a dry run writes nothing");
    assert!(desk.does(there).await.starts_with("40 users carried over, 0 were there already"));
    assert!(desk.does(there).await.starts_with("0 users carried over, 40 were there already"));

    // Another folder with the same keys, as on another machine.
    let other = Desk::new(&environment);
    std::fs::copy(desk.keyring(), other.keyring()).expect("copied");
    assert!(other.does("migrate store --from firestore --to sqlite").await.starts_with("40 users carried over"));
    for (document, original) in documents(&other).await.iter().zip(&before) {
        assert_eq!(document, original);
    }
    assert_eq!(documents(&other).await.len(), before.len());
}

#[tokio::test]
async fn what_is_there_already_and_different_stays() {
    let firestore = Firestore::start(FirestoreOptions::default()).await.expect("served");
    let address = firestore.address().to_string();
    let desk = Desk::new(&[("FIRESTORE_EMULATOR_HOST", address.as_str()), ("FIREBASE_PROJECT_ID", firestore.project())]);
    let store = desk.store();
    with_users(&store, ["alice", "bob", "carol"].map(str::to_owned)).await;
    store.close().await;
    raw(&desk, "UPDATE user_configs SET doc = 'no JSON at all' WHERE user_id = 'bob'");
    let there = "migrate store --from sqlite --to firestore";
    let complained = desk.run(there).await;
    let said = String::from_utf8_lossy(&complained.stdout).into_owned();
    assert_eq!(complained.status.code(), Some(1), "{said}");
    assert!(said.starts_with("2 users carried over") && said.contains("bob: left behind"), "{said}");

    let mut fields = firestore.document("user_configs/alice").expect("there").fields;
    fields.remove("calls");
    firestore.put("user_configs/alice", fields.clone()).expect("edited");
    let said = String::from_utf8_lossy(&desk.run(there).await.stdout).into_owned();
    assert!(said.contains("1 were there already") && said.contains("alice: another document"), "{said}");
    assert_eq!(firestore.document("user_configs/alice").expect("there").fields, fields);
}

#[tokio::test]
async fn two_stores_are_needed_and_the_same_keys() {
    let firestore = Firestore::start(FirestoreOptions::default()).await.expect("served");
    let address = firestore.address().to_string();
    let environment = [("FIRESTORE_EMULATOR_HOST", address.as_str()), ("FIREBASE_PROJECT_ID", firestore.project())];
    let desk = Desk::new(&environment);
    with_users(&desk.store(), ["alice".to_owned()]).await;
    assert!(desk.refuses("migrate store --from sqlite --to sqlite").await.contains("name two stores"));
    desk.does("migrate store --from sqlite --to firestore").await;

    let stranger = Desk::new(&environment);
    let complained = stranger.refuses("migrate store --from firestore --to sqlite").await;
    assert!(complained.contains("keys"), "{complained}");
    let without = Desk::new(&[]);
    let complained = without.refuses("migrate store --from sqlite --to firestore").await;
    assert!(complained.contains("FIREBASE_SERVICE_ACCOUNT_PATH"), "{complained}");
}
