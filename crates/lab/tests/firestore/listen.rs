//! Listen streams that break, resume and begin again.

use super::client::*;
use super::listener::Ear;
use callie_lab::firestore::{Firestore, ListenStyle, Rpc, Value, ValueType};
use firestore::FirestoreDb;
use std::collections::HashMap;

/// A listener that knows alice.
async fn opened() -> (Firestore, FirestoreDb, Ear) {
    let (firestore, db) = lab().await;
    put(&db, "alice", &User::with_visits(1)).await.unwrap();
    let ear = Ear::open(&db).await;
    ear.wait(&[("alice", 1)]).await;
    (firestore, db, ear)
}

async fn listening_again(firestore: &Firestore, streams: u64) {
    let back = |firestore: &Firestore| firestore.count(Rpc::Listen) >= streams && firestore.listening() == 1;
    firestore.wait_until("the listener comes back", SOON, back).await.unwrap();
}

#[tokio::test]
async fn a_dropped_stream_resumes_with_what_it_missed() {
    let (firestore, db, ear) = opened().await;
    for round in 1..=3 {
        firestore.faults().drop_listeners();
        put(&db, "bob", &User::with_visits(round)).await.unwrap();
        ear.wait(&[("alice", 1), ("bob", round)]).await;
        listening_again(&firestore, u64::try_from(round).unwrap() + 1).await;
    }
    // Alice was told once: nothing began anew.
    assert_eq!((ear.count("RESET"), ear.count("CHANGE")), (0, 4));
    assert!(ear.count("FILTER") >= 3);
    ear.close().await;
    firestore.wait_until("the stream ends", SOON, |firestore| firestore.listening() == 0).await.unwrap();
    firestore.stop().await;
}

#[tokio::test]
async fn a_deletion_during_the_gap_is_told() {
    let (firestore, db, ear) = opened().await;
    firestore.faults().drop_listeners();
    remove(&db, "alice").await.unwrap();
    ear.wait(&[]).await;
    assert_eq!((ear.count("RESET"), ear.count("DELETE")), (0, 1));
    ear.close().await;
}

#[tokio::test]
async fn an_unknown_token_begins_anew() {
    let (firestore, db, ear) = opened().await;
    firestore.faults().forget_resume_tokens();
    firestore.faults().drop_listeners();
    put(&db, "bob", &User::with_visits(2)).await.unwrap();
    ear.wait(&[("alice", 1), ("bob", 2)]).await;
    ear.wait_kind("RESET", 1).await;
    ear.close().await;
}

#[tokio::test]
async fn a_reset_on_cue_tells_everything_again() {
    let (firestore, _, ear) = opened().await;
    firestore.faults().reset_listeners();
    ear.wait_kind("RESET", 1).await;
    ear.wait_kind("CHANGE", 2).await;
    ear.wait(&[("alice", 1)]).await;
    ear.close().await;
}

#[tokio::test]
async fn in_the_emulators_style_what_went_is_absent_after_a_reset() {
    let (firestore, db, ear) = opened().await;
    firestore.faults().set_listen_style(ListenStyle::Resets);
    put(&db, "bob", &User::with_visits(2)).await.unwrap();
    ear.wait(&[("alice", 1), ("bob", 2)]).await;
    remove(&db, "alice").await.unwrap();
    ear.wait(&[("bob", 2)]).await;
    assert_eq!((ear.count("RESET"), ear.count("DELETE")), (2, 0));
    assert_eq!(ear.count("CURRENT"), 3);
    ear.close().await;
}

#[tokio::test]
async fn withheld_changes_show_in_the_filter_only() {
    let (firestore, db, ear) = opened().await;
    firestore.faults().withhold_changes();
    remove(&db, "alice").await.unwrap();
    put(&db, "bob", &User::with_visits(2)).await.unwrap();
    put(&db, "carol", &User::with_visits(3)).await.unwrap();
    firestore.faults().tell_changes();
    ear.wait_kind("FILTER", 1).await;
    ear.wait(&[("alice", 1)]).await;
    ear.resync();
    ear.wait_kind("CHANGE", 3).await;
    ear.close().await;
}

#[tokio::test]
async fn an_edit_at_the_console_is_heard_and_nothing_is_polled() {
    let (firestore, _db, ear) = opened().await;
    let reads = || Rpc::READS.map(|rpc| firestore.count(rpc));
    let before = reads();
    let visits = Value { value_type: Some(ValueType::IntegerValue(9)) };
    firestore.put("users/dave", HashMap::from([("visits".to_owned(), visits)])).unwrap();
    ear.wait(&[("alice", 1), ("dave", 9)]).await;
    firestore.remove("users/alice").unwrap();
    ear.wait(&[("dave", 9)]).await;
    assert_eq!(reads(), before);
    assert_eq!((firestore.count(Rpc::Listen), firestore.listening(), firestore.document_count()), (1, 1, 1));
    assert!(firestore.document("users/dave").is_some() && firestore.document("users/alice").is_none());
    ear.close().await;
}
