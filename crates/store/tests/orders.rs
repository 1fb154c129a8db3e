//! Ordered calls: what a key stands for, that attempts are put down before they are made, and that a restart loses nothing.

use callie_domain::retry::{RetryOn, RetryRules};
use callie_domain::{CallId, OrderId, UserId};
use callie_store::order::{Accepted, MOST_PENDING, Step, Then};
use callie_store::{Keyring, NewOrder, Order, OrderState, OrderStore, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::TempDir;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).expect("a time")
}

fn user(name: &str) -> UserId {
    name.parse().expect("valid")
}

fn call(number: u128) -> CallId {
    CallId::new(at(0), number)
}

fn rules() -> RetryRules {
    RetryRules { attempts: 3, pause_s: 60, on: vec![RetryOn::Busy, RetryOn::NoAnswer] }
}

struct Bench {
    folder: TempDir,
    store: SqliteStore,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder);
        Self { folder, store }
    }

    async fn restart(&mut self) {
        self.store.close().await;
        self.store = open(&self.folder);
    }

    async fn accept(&self, order: NewOrder) -> Accepted {
        self.store.accept(&order).await.expect("taken")
    }

    async fn pending(&self) -> Vec<Order> {
        self.store.pending_orders(&user("alice")).await.expect("read")
    }

    async fn settle(&self, order: OrderId, of: CallId, then: Then) -> bool {
        let step = Step { reason: Some("callee_busy".into()), note: None, then };
        self.store.settle_attempt(order, of, &step).await.expect("written")
    }
}

fn open(folder: &TempDir) -> SqliteStore {
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened")
}

fn order(number: u128, key: Option<&str>, rules: Option<RetryRules>) -> NewOrder {
    NewOrder {
        id: OrderId::new(at(0), number),
        user_id: user("alice"),
        key: key.map(str::to_owned),
        request: r#"{"number":"+431"}"#.to_owned(),
        number: "+431".to_owned(),
        rules,
        call: call(number),
        created_at: at(number as i64),
    }
}

#[tokio::test]
async fn a_key_is_good_for_one_order_across_restarts() {
    let mut bench = Bench::new();
    assert_eq!(bench.accept(order(1, Some("k"), Some(rules()))).await, Accepted::New);
    bench.restart().await;
    let Accepted::Known(known) = bench.accept(order(2, Some("k"), Some(rules()))).await else { panic!("it is known") };
    assert_eq!((known.id, known.first_call), (OrderId::new(at(0), 1), call(1)));
    assert_eq!(bench.accept(order(3, Some("k"), None)).await, Accepted::KeyTaken, "other rules");
    let other = NewOrder { request: "{}".into(), ..order(4, Some("k"), Some(rules())) };
    assert_eq!(bench.accept(other).await, Accepted::KeyTaken, "another call");
    let of_bob = NewOrder { user_id: user("bob"), ..order(5, Some("k"), Some(rules())) };
    assert_eq!(bench.accept(of_bob).await, Accepted::New, "another user's key");
    assert_eq!(bench.pending().await.len(), 1);
    // One that is good for its key alone is not pending.
    assert_eq!(bench.accept(order(6, Some("only"), None)).await, Accepted::New);
    assert_eq!(bench.pending().await.len(), 1);
}

#[tokio::test]
async fn an_order_whose_call_was_refused_leaves_its_key_free() {
    let bench = Bench::new();
    bench.accept(order(1, Some("k"), Some(rules()))).await;
    bench.store.withdraw(OrderId::new(at(0), 1)).await.expect("written");
    assert_eq!(bench.accept(order(2, Some("k"), Some(rules()))).await, Accepted::New);
}

#[tokio::test]
async fn attempts_follow_one_another() {
    let mut bench = Bench::new();
    let id = OrderId::new(at(0), 1);
    bench.accept(order(1, None, Some(rules()))).await;
    assert_eq!(bench.store.calling_orders().await.expect("read").len(), 1);
    let mut changed = bench.store.orders_changed();
    changed.mark_unchanged();
    assert!(bench.settle(id, call(1), Then::Wait { at: at(100), made: true }).await);
    assert!(changed.has_changed().expect("open"), "the loop is woken");
    assert!(!bench.settle(id, call(1), Then::Wait { at: at(100), made: true }).await, "once");
    bench.restart().await;
    assert_eq!(bench.store.next_order_due().await.expect("read"), Some(at(100)));
    assert!(bench.store.due_orders(at(99), 9).await.expect("read").is_empty());
    let due = bench.store.due_orders(at(100), 9).await.expect("read");
    assert_eq!((due.len(), due[0].attempts, due[0].last_reason.as_deref()), (1, 1, Some("callee_busy")));

    assert!(bench.store.begin_attempt(id, call(7)).await.expect("written"));
    assert!(!bench.store.begin_attempt(id, call(8)).await.expect("written"), "one at a time");
    // A process that dies here has made the attempt.
    bench.restart().await;
    assert!(bench.store.due_orders(at(1_000), 9).await.expect("read").is_empty());
    let calling = bench.store.calling_orders().await.expect("read");
    assert_eq!((calling[0].attempts, calling[0].last_call, calling[0].first_call), (2, call(7), call(1)));

    // The gate refused it: no attempt was made, and the last call is the one before.
    assert!(bench.settle(id, call(7), Then::Wait { at: at(200), made: false }).await);
    let pending = bench.pending().await;
    assert_eq!((pending[0].attempts, pending[0].last_call), (1, call(1)));
    assert!(bench.store.begin_attempt(id, call(9)).await.expect("written"));
    assert!(bench.settle(id, call(9), Then::Settle { state: OrderState::Done, made: true }).await);
    assert!(bench.pending().await.is_empty());
    assert_eq!(bench.store.next_order_due().await.expect("read"), None);
}

#[tokio::test]
async fn a_cancelled_order_stays_cancelled() {
    let bench = Bench::new();
    let (alice, id) = (user("alice"), OrderId::new(at(0), 1));
    bench.accept(order(1, None, Some(rules()))).await;
    assert!(!bench.store.cancel_order(&user("bob"), id).await.expect("written"), "of somebody else");
    assert!(bench.store.cancel_order(&alice, id).await.expect("written"));
    assert!(!bench.store.cancel_order(&alice, id).await.expect("written"));
    assert!(!bench.settle(id, call(1), Then::Wait { at: at(9), made: true }).await, "the call that was up ends later");
    assert!(bench.pending().await.is_empty() && bench.store.due_orders(at(99), 9).await.expect("read").is_empty());
}

#[tokio::test]
async fn pending_orders_are_bounded_and_settled_ones_forgotten() {
    let bench = Bench::new();
    for number in 1..=u128::from(MOST_PENDING) {
        assert_eq!(bench.accept(order(number, None, Some(rules()))).await, Accepted::New);
    }
    assert_eq!(bench.accept(order(9_999, None, Some(rules()))).await, Accepted::TooMany);
    bench.accept(order(10_000, Some("k"), None)).await;
    assert_eq!(bench.store.prune_orders(at(20_000)).await.expect("written"), 1, "only what is settled");
    assert_eq!(bench.accept(order(10_001, Some("k"), None)).await, Accepted::New);
}
