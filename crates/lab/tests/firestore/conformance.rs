//! What the lab's Firestore and Google's emulator must both do. The emulator's run is skipped, and says so, where it is not
//! installed.

use super::client::*;
use super::listener::Ear;
use callie_lab::firestore::emulator::{Emulator, EmulatorError};
use callie_lab::firestore::{Firestore, FirestoreOptions, ListenStyle};
use firestore::{FirestoreDb, FirestoreQueryCursor, FirestoreWritePrecondition as Condition};
use futures::future::{join_all, try_join_all};
use futures::{StreamExt, TryStreamExt};
use std::io::Write;

async fn all(url: &str) {
    documents(&connect(url).await).await;
    preconditions(&connect(url).await).await;
    masks_and_transforms(&connect(url).await).await;
    queries(&connect(url).await).await;
    batches(&connect(url).await).await;
    transactions(&connect(url).await).await;
    contention(&connect(url).await).await;
    listening(&connect(url).await).await;
    many(&connect(url).await).await;
}

#[tokio::test]
async fn the_lab_does_what_firestore_does() {
    let firestore = Firestore::start(FirestoreOptions::default()).await.unwrap();
    Box::pin(all(&firestore.url())).await;
    firestore.stop().await;
}

#[tokio::test]
async fn the_lab_in_the_emulators_style_does_what_firestore_does() {
    let options = FirestoreOptions { listen_style: ListenStyle::Resets, ..FirestoreOptions::default() };
    let firestore = Firestore::start(options).await.unwrap();
    listening(&connect(&firestore.url()).await).await;
    firestore.stop().await;
}

#[tokio::test]
async fn googles_emulator_agrees() {
    match Emulator::start().await {
        Ok(emulator) => {
            Box::pin(all(&emulator.url())).await;
            emulator.stop().await.unwrap();
        }
        Err(missing @ EmulatorError::NotInstalled) => {
            writeln!(std::io::stderr(), "SKIPPED googles_emulator_agrees: {missing}").unwrap();
        }
        Err(error) => panic!("{error}"),
    }
}

async fn documents(db: &FirestoreDb) {
    let alice = User { sip: Sip { server: "sip.example.org".to_owned(), port: 5060 }, ..User::with_visits(1) };
    assert_eq!(get(db, "alice").await.unwrap(), None);
    let create = || db.fluent().insert().into(USERS).document_id("alice").object(&alice);
    assert_eq!(create().execute::<User>().await.unwrap(), alice);
    assert_eq!(code(create().execute::<User>().await), "AlreadyExists");
    assert_eq!(get(db, "alice").await.unwrap(), Some(alice));
    put(db, "alice", &User::with_visits(2)).await.unwrap();
    assert_eq!(get(db, "alice").await.unwrap(), Some(User::with_visits(2)));
    remove(db, "alice").await.unwrap();
    remove(db, "alice").await.unwrap();
    assert_eq!(get(db, "alice").await.unwrap(), None);
}

async fn preconditions(db: &FirestoreDb) {
    assert_eq!(code(set_visits(db, "alice", 1, Condition::Exists(true)).await), "NotFound");
    set_visits(db, "alice", 1, Condition::Exists(false)).await.unwrap();
    assert_eq!(code(set_visits(db, "alice", 2, Condition::Exists(false)).await), "AlreadyExists");
    let stored = db.fluent().select().by_id_in(USERS).one("alice").await.unwrap().unwrap();
    let seen = || Condition::UpdateTime(firestore::timestamp_utils::from_timestamp(stored.update_time.unwrap()).unwrap());
    set_visits(db, "alice", 3, seen()).await.unwrap();
    assert_eq!(code(set_visits(db, "alice", 4, seen()).await), "FailedPrecondition");
    assert_eq!(get(db, "alice").await.unwrap().unwrap().visits, 3);
}

async fn masks_and_transforms(db: &FirestoreDb) {
    let alice = User {
        sip: Sip { server: "old".to_owned(), port: 5060 },
        tags: vec!["a".to_owned(), "b".to_owned()],
        ..User::with_visits(40)
    };
    put(db, "alice", &alice).await.unwrap();
    let new = User { sip: Sip { server: "new".to_owned(), port: 1 }, ..User::default() };
    let mut transaction = db.begin_transaction().await.unwrap();
    let update = db.fluent().update().fields(["sip.server"]).in_col(USERS).document_id("alice").object(&new);
    let transform = update.transforms(|t| {
        t.fields([
            t.field("visits").increment(2),
            t.field("tags").append_missing_elements(["b", "c"]),
            t.field("seen.at").server_value(firestore::FirestoreTransformServerValue::RequestTime),
        ])
    });
    transform.add_to_transaction(&mut transaction).unwrap();
    transaction.commit().await.unwrap();
    let tags = ["a", "b", "c"].map(str::to_owned).to_vec();
    let wanted = User { visits: 42, sip: Sip { server: "new".to_owned(), port: 5060 }, tags, ..alice };
    assert_eq!(get(db, "alice").await.unwrap(), Some(wanted));
    let stored = db.fluent().select().by_id_in(USERS).one("alice").await.unwrap().unwrap();
    assert!(stored.fields.contains_key("seen"), "{stored:?}");
}

async fn queries(db: &FirestoreDb) {
    for number in 0..12 {
        let sip = Sip { server: format!("s{}", number % 3), port: 5060 };
        let tags = vec![format!("t{}", number % 4)];
        let user = User { visits: number, active: number % 2 == 0, sip, tags };
        put(db, &format!("u{number:02}"), &user).await.unwrap();
    }
    let users = || db.fluent().select().from(USERS);
    let numbers = |found: Vec<User>| found.iter().map(|user| user.visits).collect::<Vec<_>>();

    let found = users().filter(|q| q.for_all([q.field("visits").greater_than_or_equal(9)])).obj().query().await;
    assert_eq!(numbers(found.unwrap()), [9, 10, 11]);
    let both = |q: firestore::select_filter_builder::FirestoreQueryFilterBuilder| {
        q.for_all([q.field("sip.server").eq("s1"), q.field("active").eq(true)])
    };
    assert_eq!(numbers(users().filter(both).obj().query().await.unwrap()), [4, 10]);
    let found = users().filter(|q| q.for_any([q.field("visits").eq(1), q.field("tags").array_contains("t3")]));
    assert_eq!(numbers(found.obj().query().await.unwrap()), [1, 3, 7, 11]);
    let found = users().filter(|q| q.for_all([q.field("visits").is_in(vec![5, 2, 99])]));
    assert_eq!(numbers(found.obj().query().await.unwrap()), [2, 5]);

    let down = || users().order(|o| o.fields([o.field("visits").desc()]));
    assert_eq!(numbers(down().limit(3).obj().query().await.unwrap()), [11, 10, 9]);
    assert_eq!(numbers(down().offset(2).limit(1).obj().query().await.unwrap()), [9]);
    let after = FirestoreQueryCursor::AfterValue(vec![3.into()]);
    assert_eq!(numbers(down().start_at(after).obj().query().await.unwrap()), [2, 1, 0]);
    let through = FirestoreQueryCursor::AfterValue(vec![10.into()]);
    assert_eq!(numbers(down().end_at(through).obj().query().await.unwrap()), [11, 10]);

    let projected: Vec<User> = db.fluent().select().fields(["sip.port"]).from(USERS).limit(1).obj().query().await.unwrap();
    assert_eq!(projected, [User { sip: Sip { port: 5060, ..Sip::default() }, ..User::default() }]);
    let counted: Vec<User> = users().aggregate(|a| a.fields([a.field("visits").count()])).obj().query().await.unwrap();
    assert_eq!(counted, [User::with_visits(12)]);
    let summed: Vec<User> = users().aggregate(|a| a.fields([a.field("visits").sum("visits")])).obj().query().await.unwrap();
    assert_eq!(summed, [User::with_visits(66)]);
}

async fn batches(db: &FirestoreDb) {
    let writer = db.create_simple_batch_writer().await.unwrap();
    let mut batch = writer.new_batch();
    for number in 0..500 {
        // Every hundredth must exist and does not: it alone fails.
        let condition = (number % 100 == 99).then_some(Condition::Exists(true));
        batch.update_object(USERS, format!("u{number}"), &User::with_visits(number), None, condition, vec![]).unwrap();
    }
    let answer = batch.write().await.unwrap();
    assert_eq!(answer.write_results.len(), 500);
    assert_eq!(answer.statuses.iter().filter(|status| status.code != 0).count(), 5);
    assert_eq!(get(db, "u98").await.unwrap(), Some(User::with_visits(98)));
    assert_eq!(get(db, "u99").await.unwrap(), None);
}

async fn transactions(db: &FirestoreDb) {
    put(db, "alice", &User::with_visits(1)).await.unwrap();
    let mut transaction = db.begin_transaction().await.unwrap();
    let bob = db.fluent().update().in_col(USERS).document_id("bob");
    bob.object(&User::with_visits(2)).add_to_transaction(&mut transaction).unwrap();
    let alice = db.fluent().update().in_col(USERS).precondition(Condition::Exists(false)).document_id("alice");
    alice.object(&User::with_visits(3)).add_to_transaction(&mut transaction).unwrap();
    // All or nothing.
    assert_eq!(code(transaction.commit().await), "AlreadyExists");
    assert_eq!(get(db, "bob").await.unwrap(), None);
    let transaction = db.begin_transaction().await.unwrap();
    transaction.rollback().await.unwrap();
}

async fn contention(db: &FirestoreDb) {
    put(db, "alice", &User::default()).await.unwrap();
    let callers = (0..4).map(|_| async {
        for _ in 0..3 {
            count_visit(db, "alice").await?;
        }
        Ok::<_, firestore::errors::FirestoreError>(())
    });
    try_join_all(callers).await.unwrap();
    assert_eq!(get(db, "alice").await.unwrap(), Some(User::with_visits(12)));
}

async fn listening(db: &FirestoreDb) {
    put(db, "alice", &User::with_visits(1)).await.unwrap();
    let ear = Ear::open(db).await;
    ear.wait(&[("alice", 1)]).await;
    put(db, "bob", &User::with_visits(2)).await.unwrap();
    ear.wait(&[("alice", 1), ("bob", 2)]).await;
    put(db, "bob", &User::with_visits(3)).await.unwrap();
    ear.wait(&[("alice", 1), ("bob", 3)]).await;
    remove(db, "alice").await.unwrap();
    ear.wait(&[("bob", 3)]).await;
    ear.resync();
    put(db, "carol", &User::with_visits(4)).await.unwrap();
    ear.wait(&[("bob", 3), ("carol", 4)]).await;
    ear.close().await;
}

async fn many(db: &FirestoreDb) {
    let writer = db.create_simple_batch_writer().await.unwrap();
    let batches = (0..20).map(|part| {
        let mut batch = writer.new_batch();
        for number in part * 500..(part + 1) * 500 {
            batch.update_object(USERS, format!("u{number:05}"), &User::with_visits(number), None, None, vec![]).unwrap();
        }
        async move { batch.write().await.unwrap().statuses.iter().all(|status| status.code == 0) }
    });
    let written: Vec<bool> = futures::stream::iter(batches).buffered(2).collect().await;
    assert_eq!(written, [true; 20]);
    let found = db.fluent().select().from(USERS).obj::<User>().stream_query_with_errors().await.unwrap();
    let found: Vec<User> = found.try_collect().await.unwrap();
    assert_eq!(found.iter().map(|user| user.visits).collect::<Vec<_>>(), (0..10_000).collect::<Vec<_>>());
    let some = join_all(["u00000", "u09999"].map(|id| get(db, id))).await;
    assert!(some.into_iter().all(|user| user.unwrap().is_some()));
}
