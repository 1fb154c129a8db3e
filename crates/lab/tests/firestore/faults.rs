//! Each fault does what it says, and ends.

use super::client::*;
use super::listener::Ear;
use callie_lab::firestore::{Data, Firestore, FirestoreOptions, Refusal, Rpc};
use firestore::FirestoreWritePrecondition as Condition;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

#[tokio::test]
async fn commits_are_aborted_as_often_as_asked() {
    let (firestore, db) = lab().await;
    firestore.faults().abort_commits(2);
    count_visit(&db, "alice").await.unwrap();
    assert_eq!(firestore.count(Rpc::Commit), 3);
    assert_eq!(get(&db, "alice").await.unwrap(), Some(User::with_visits(1)));
    firestore.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_a_write_that_was_done() {
    let (firestore, db) = lab().await;
    firestore.faults().lose_answers(1);
    assert_eq!(code(count_visit(&db, "alice").await), "Unavailable");
    assert_eq!(get(&db, "alice").await.unwrap(), Some(User::with_visits(1)));
    count_visit(&db, "alice").await.unwrap();
    assert_eq!(get(&db, "alice").await.unwrap(), Some(User::with_visits(2)));
    firestore.stop().await;
}

#[tokio::test]
async fn latency_is_added_to_each_call() {
    let (firestore, db) = lab().await;
    put(&db, "alice", &User::default()).await.unwrap();
    let latency = Duration::from_millis(600);
    firestore.faults().set_latency(latency);
    let begin = Instant::now();
    get(&db, "alice").await.unwrap();
    assert!(begin.elapsed() >= latency, "{:?}", begin.elapsed());
    firestore.faults().set_latency(Duration::ZERO);
    let begin = Instant::now();
    get(&db, "alice").await.unwrap();
    assert!(begin.elapsed() < latency, "{:?}", begin.elapsed());
    firestore.stop().await;
}

#[tokio::test]
async fn refusals_are_worded_as_googles() {
    let (firestore, db) = lab().await;
    put(&db, "alice", &User::default()).await.unwrap();
    let write = || set_visits(&db, "alice", 5, Condition::Exists(true));
    let cases = [(Refusal::PermissionDenied, "PermissionDenied"), (Refusal::Unauthenticated, "Unauthenticated")];
    for (refusal, wanted) in cases {
        firestore.faults().refuse(refusal);
        assert_eq!(code(get(&db, "alice").await), wanted);
        assert_eq!(code(write().await), wanted);
    }
    firestore.faults().refuse(Refusal::NoDatabase);
    let error = write().await.unwrap_err().to_string();
    assert!(error.contains("The database (default) does not exist for project callie-lab "), "{error}");
    firestore.faults().accept();
    assert_eq!(get(&db, "alice").await.unwrap(), Some(User::default()));
    firestore.stop().await;
}

#[tokio::test]
async fn a_refusal_ends_listeners_until_it_is_over() {
    let (firestore, db) = lab().await;
    let ear = Ear::open(&db).await;
    ear.wait(&[]).await;
    firestore.faults().refuse(Refusal::Unavailable);
    firestore.wait_until("the stream ends", SOON, |firestore| firestore.listening() == 0).await.unwrap();
    firestore.faults().accept();
    put(&db, "alice", &User::with_visits(1)).await.unwrap();
    ear.wait(&[("alice", 1)]).await;
    ear.close().await;
    firestore.stop().await;
}

#[tokio::test]
async fn a_server_that_is_down_refuses_and_comes_back_on_its_port() {
    let (firestore, db) = lab().await;
    put(&db, "alice", &User::with_visits(1)).await.unwrap();
    let ear = Ear::open(&db).await;
    ear.wait(&[("alice", 1)]).await;
    for (data, users) in [(Data::Kept, &[("alice", 1)][..]), (Data::Lost, &[])] {
        firestore.faults().down().await.unwrap();
        let refused = TcpStream::connect(firestore.address()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(firestore.listening(), 0);
        firestore.faults().up(data).await.unwrap();
        assert_eq!(firestore.document_count(), users.len());
        firestore.wait_until("the listener comes back", SOON, |firestore| firestore.listening() == 1).await.unwrap();
        ear.wait(users).await;
    }
    assert_eq!(ear.count("RESET"), 1);
    ear.close().await;
    firestore.stop().await;
}

#[tokio::test]
async fn nothing_is_left_when_it_stops_or_is_dropped() {
    let (stopped, db) = lab().await;
    let ear = Ear::open(&db).await;
    ear.wait(&[]).await;
    let (address, faults) = (stopped.address(), stopped.faults());
    tokio::time::timeout(SOON, stopped.stop()).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert!(faults.down().await.is_err());
    drop(ear);

    let dropped = Firestore::start(FirestoreOptions::default()).await.unwrap();
    let address = dropped.address();
    drop(dropped);
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(SOON, gone).await.unwrap();
}
