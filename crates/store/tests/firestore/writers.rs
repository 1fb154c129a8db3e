//! Several writers at once, answers that are lost, and a server that is busy.

use crate::bench::{LabBench, Node};
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, User, UserId};
use callie_lab::firestore::{Data, Firestore, ListenStyle, Refusal, Rpc};
use callie_store::{ConfigStore as _, Entry, StoreError, StoredUser};
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

fn alice() -> UserId {
    "alice".parse().expect("valid")
}

fn user() -> User {
    let body = json!({"user_id": "alice", "display_name": "Alice", "sip_username": "a", "sip_password": "p", "greeting": "0"});
    let input = UserInput::from_json(&body).expect("valid");
    input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("valid")
}

fn count(stored: &StoredUser) -> u32 {
    stored.user.calls.default_greeting.parse().expect("a number")
}

fn with_count(stored: &StoredUser, count: u32) -> User {
    let mut user = (*stored.user).clone();
    user.calls.default_greeting = count.to_string();
    user
}

async fn read(node: &Node) -> StoredUser {
    node.store.get(&alice()).await.expect("answered").expect("there")
}

/// Two servers count in one document, several tasks at once: every step is there in the end.
pub async fn count_together(one: &Node, other: &Node, tasks: u32, steps: u32) {
    one.store.create(&user()).await.expect("created");
    let mut counting = JoinSet::new();
    for task in 0..tasks {
        let store = if task % 2 == 0 { one.store.clone() } else { other.store.clone() };
        counting.spawn(async move {
            for _ in 0..steps {
                loop {
                    let read = store.get(&alice()).await.expect("answered").expect("there");
                    match store.put(&with_count(&read, count(&read) + 1), read.revision).await {
                        Ok(_) => break,
                        Err(StoreError::Conflict(_)) => {}
                        Err(fault) => panic!("{fault}"),
                    }
                }
            }
        });
    }
    counting.join_all().await;
    assert_eq!(count(&read(one).await), tasks * steps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_never_lose_an_update() {
    let bench = LabBench::start(ListenStyle::Deltas).await;
    let other = LabBench::node_on(&bench.lab).await.expect("opened");
    count_together(&bench.node, &other, 8, 20).await;
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_no_failure() {
    let bench = LabBench::start(ListenStyle::Deltas).await;
    let store = &bench.node.store;
    bench.lab.faults().lose_answers(1);
    let created = store.create(&user()).await.expect("created");
    assert_eq!(read(&bench.node).await, created);
    bench.lab.faults().lose_answers(1);
    let written = store.put(&with_count(&created, 1), created.revision).await.expect("written");
    assert_eq!((count(&written), read(&bench.node).await), (1, written.clone()));
    assert!(matches!(store.watch().borrow().users.get(&alice()), Some(Entry::Good(shown)) if *shown == written));
    bench.lab.faults().lose_answers(1);
    assert!(store.delete(&alice()).await.expect("answered"), "it was there, and it was us who deleted it");
    assert!(!store.delete(&alice()).await.expect("answered"));
}

/// The first attempts have no answer and did nothing; the document that is found then is somebody else's.
#[tokio::test]
async fn a_lost_answer_does_not_hide_that_another_was_quicker() {
    let bench = LabBench::start(ListenStyle::Deltas).await;
    let store = &bench.node.store;
    let first = store.create(&user()).await.expect("created");
    let theirs = store.put(&with_count(&first, 7), first.revision).await.expect("written");
    bench.lab.faults().refuse(Refusal::Unavailable);
    let before = bench.lab.count(Rpc::Commit);
    let recover = async {
        let tried = |lab: &Firestore| lab.count(Rpc::Commit) > before;
        bench.lab.wait_until("an attempt", Duration::from_secs(5), tried).await.expect("in time");
        bench.lab.faults().accept();
    };
    let mine = user();
    let (outcome, ()) = tokio::join!(store.create(&mine), recover);
    assert!(matches!(outcome, Err(StoreError::AlreadyExists(_))), "{outcome:?}");
    assert_eq!(read(&bench.node).await, theirs);
}

#[tokio::test]
async fn an_aborted_write_is_sent_again_and_not_for_ever() {
    let bench = LabBench::start(ListenStyle::Deltas).await;
    let created = bench.node.store.create(&user()).await.expect("created");
    bench.lab.faults().abort_commits(3);
    let before = bench.lab.count(Rpc::Commit);
    let written = bench.node.store.put(&with_count(&created, 1), created.revision).await.expect("written");
    assert_eq!(bench.lab.count(Rpc::Commit), before + 4);
    bench.lab.faults().abort_commits(1_000);
    let outcome = bench.node.store.put(&with_count(&written, 2), written.revision).await;
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{outcome:?}");
    bench.lab.faults().abort_commits(0);
    assert_eq!(read(&bench.node).await, written);
}

#[tokio::test]
async fn a_server_that_is_down_is_told_as_such_and_found_again() {
    let bench = LabBench::start(ListenStyle::Deltas).await;
    let created = bench.node.store.create(&user()).await.expect("created");
    bench.lab.faults().down().await.expect("down");
    let outcome = bench.node.store.put(&with_count(&created, 1), created.revision).await;
    assert!(matches!(&outcome, Err(StoreError::Unavailable(why)) if why.contains("does not answer")), "{outcome:?}");
    assert!(matches!(bench.node.store.get(&alice()).await, Err(StoreError::Unavailable(_))));
    bench.lab.faults().up(Data::Kept).await.expect("up");
    let written = bench.node.store.put(&with_count(&created, 1), created.revision).await.expect("written");
    assert_eq!(read(&bench.node).await, written);
}
