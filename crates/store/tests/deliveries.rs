//! The queue of what is told to users' receivers: its order, its bounds, and that it goes with the records.

use callie_domain::record::{CallEvent, CallFact, Cdr, Direction, EndReason, Termination};
use callie_domain::user::HookEvent;
use callie_domain::{CallId, DeliveryId, UserId};
use callie_store::delivery::{Announcer, Attempt, MOST_WAITING, Next, Written};
use callie_store::{Delivery, DeliveryFilter, DeliveryState, DeliveryStore, Keyring, NewDelivery, RecordStore, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tempfile::TempDir;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).expect("a time")
}

fn user(name: &str) -> UserId {
    name.parse().expect("valid")
}

struct Bench {
    folder: TempDir,
    store: SqliteStore,
    count: u128,
}

fn open(folder: &TempDir) -> SqliteStore {
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened")
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder);
        Self { folder, store, count: 0 }
    }

    async fn restart(&mut self) {
        self.store.close().await;
        self.store = open(&self.folder);
    }

    fn new_delivery(&mut self, url: &str, lane: &str, second: i64) -> NewDelivery {
        self.count += 1;
        NewDelivery {
            id: DeliveryId::new(at(second), self.count),
            user_id: user("alice"),
            url: url.to_owned(),
            event: HookEvent::CallEnded,
            lane: lane.to_owned(),
            body: format!("{lane}{}", self.count),
            created_at: at(second),
        }
    }

    /// One delivery for each lane named; the url is `u`.
    async fn add(&mut self, lanes: &str) {
        self.add_for("u", lanes).await;
    }

    async fn add_for(&mut self, url: &str, lanes: &str) {
        let new: Vec<_> = lanes.split(' ').map(|lane| self.new_delivery(url, lane, 0)).collect();
        assert_eq!(self.store.enqueue(&new).await.expect("taken"), new.len());
    }

    async fn due(&self, second: i64) -> Vec<Delivery> {
        self.store.due(at(second), 10, 100, &[]).await.expect("read")
    }

    /// The bodies of what is due, in order.
    async fn shown(&self, second: i64) -> String {
        self.due(second).await.iter().map(|delivery| delivery.body.clone()).collect::<Vec<_>>().join(" ")
    }

    /// Ends the attempt at the delivery with this body.
    async fn end(&self, body: &str, second: i64, next: Next) {
        let all = self.store.deliveries(&all()).await.expect("read");
        let delivery = all.iter().find(|delivery| delivery.body == body).expect("it is there");
        let attempt = Attempt { at: at(second), status: Some(500), error: Some("as tested".to_owned()), next };
        assert!(self.store.settle(delivery.id, &attempt).await.expect("settled"), "{body} waits");
    }
}

fn all() -> DeliveryFilter {
    DeliveryFilter { user_id: user("alice"), state: None, event: None, before: None, limit: 500 }
}

const DONE: Next = Next::Settle(DeliveryState::Delivered);

fn again(second: i64) -> Next {
    Next::Retry { at: at(second), pause: None }
}

#[tokio::test]
async fn what_belongs_together_is_told_in_order() {
    let mut bench = Bench::new();
    bench.add("a b a a").await;
    assert_eq!(bench.shown(0).await, "a1 b2", "the first of each lane");
    bench.end("a1", 1, again(60)).await;
    assert_eq!(bench.shown(59).await, "b2", "nothing overtakes what is tried again");
    bench.end("b2", 2, DONE).await;
    bench.restart().await;
    assert_eq!((bench.shown(59).await.as_str(), bench.shown(60).await.as_str()), ("", "a1"));
    bench.end("a1", 61, Next::Settle(DeliveryState::Failed)).await;
    assert_eq!(bench.shown(61).await, "a3", "what was given up holds up nobody");
    bench.add("a").await;
    bench.end("a3", 62, DONE).await;
    bench.end("a4", 62, DONE).await;
    assert_eq!(bench.shown(62).await, "a5", "what came meanwhile");
    let next = bench.store.next_due(&[]).await.expect("read");
    assert_eq!(next, Some(at(62)));
    bench.end("a5", 63, DONE).await;
    assert_eq!(bench.store.next_due(&[]).await.expect("read"), None);
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_gets_it_for_everything() {
    let mut bench = Bench::new();
    bench.add("a b").await;
    bench.add_for("other", "c").await;
    bench.end("a1", 1, Next::Retry { at: at(20), pause: Some(at(30)) }).await;
    bench.add("d").await;
    assert_eq!(bench.shown(29).await, "c3");
    bench.restart().await;
    assert_eq!(bench.shown(30).await, "c3 a1 b2 d4", "what came meanwhile, too");
    bench.end("a1", 31, DONE).await;
    bench.add("e").await;
    assert_eq!(bench.shown(31).await, "c3 e5 b2 d4", "it takes things again");
}

#[tokio::test]
async fn a_receiver_gets_so_many_at_once() {
    let mut bench = Bench::new();
    bench.add("a b c d").await;
    bench.add_for("other", "e").await;
    let first = bench.store.due(at(0), 2, 100, &[]).await.expect("read");
    assert_eq!(first.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), ["a1", "b2", "e5"]);
    let under_way: Vec<i64> = first.iter().skip(1).map(|delivery| delivery.seq).collect();
    let next = bench.store.due(at(0), 2, 100, &under_way).await.expect("read");
    assert_eq!(next.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), ["a1"], "one is under way there");
    let at_once = bench.store.due(at(0), 10, 1, &[]).await.expect("read");
    assert_eq!(at_once.len(), 1);
}

#[tokio::test]
async fn what_was_settled_can_be_sent_again() {
    let mut bench = Bench::new();
    bench.add("a a").await;
    bench.end("a1", 1, Next::Settle(DeliveryState::Failed)).await;
    let id = bench.store.deliveries(&all()).await.expect("read")[1].id;
    let resent = bench.store.resend(&user("alice"), id, at(100)).await.expect("asked").expect("it is there");
    assert_eq!((resent.state, resent.attempts, resent.since), (DeliveryState::Waiting, 0, at(100)));
    assert_eq!(bench.shown(100).await, "a2 a1", "it waits for nobody");
    bench.end("a2", 100, again(500)).await;
    assert!(bench.store.resend(&user("alice"), bench.due(500).await[1].id, at(101)).await.expect("asked").is_some());
    assert_eq!(bench.shown(101).await, "a1 a2", "what waits is due at once");
    assert_eq!(bench.store.resend(&user("bob"), id, at(100)).await.expect("asked"), None, "of another user");
}

#[tokio::test]
async fn what_waits_for_a_receiver_that_wants_no_more_is_dropped() {
    let mut bench = Bench::new();
    bench.add("a a b").await;
    bench.add_for("other", "a").await;
    assert_eq!(bench.store.drop_waiting(&user("alice"), "u", "gone", at(1)).await.expect("dropped"), 3);
    assert_eq!(bench.shown(1).await, "a4");
    let counts = bench.store.delivery_counts().await.expect("counted");
    assert_eq!((counts.waiting, counts.dropped), (1, 3));
    let filter = DeliveryFilter { state: Some(DeliveryState::Dropped), limit: 2, ..all() };
    let page = bench.store.deliveries(&filter).await.expect("read");
    assert_eq!(page.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), ["b3", "a2"], "newest first");
    let rest = DeliveryFilter { before: Some(page[1].seq), ..filter };
    assert_eq!(bench.store.deliveries(&rest).await.expect("read").len(), 1);
    assert_eq!(bench.store.prune_deliveries(at(1)).await.expect("pruned"), 0);
    assert_eq!(bench.store.prune_deliveries(at(2)).await.expect("pruned"), 3, "what waits stays");
    assert_eq!(bench.store.deliveries(&all()).await.expect("read").len(), 1);
}

#[tokio::test]
async fn the_queue_of_a_user_is_bounded() {
    let mut bench = Bench::new();
    let many: Vec<_> = (0..MOST_WAITING + 5).map(|n| bench.new_delivery("u", &n.to_string(), 0)).collect();
    assert_eq!(bench.store.enqueue(&many).await.expect("taken"), MOST_WAITING as usize);
    assert_eq!(bench.store.delivery_counts().await.expect("counted").refused, 5);
    let other = NewDelivery { user_id: user("bob"), ..bench.new_delivery("u", "x", 0) };
    assert_eq!(bench.store.enqueue(&[other]).await.expect("taken"), 1, "others are not concerned");
}

#[derive(Debug)]
struct Everything;

impl Announcer for Everything {
    fn is_wanted(&self, user: &UserId) -> bool {
        user.as_str() == "alice"
    }

    fn announce(&self, written: Written<'_>) -> Vec<NewDelivery> {
        let (cdr, what, facts) = match written {
            Written::Begun(cdr) => (cdr, "begun", 0),
            Written::Happened(cdr, events) => (cdr, "happened", events.len()),
            Written::Ended(cdr, events) => (cdr, "ended", events.len()),
            Written::Summarised(cdr) => (cdr, "summarised", 0),
        };
        vec![NewDelivery {
            id: DeliveryId::new(at(0), rand(cdr, what, facts)),
            user_id: cdr.user_id.clone(),
            url: "u".to_owned(),
            event: HookEvent::CallStarted,
            lane: cdr.id.to_string(),
            body: format!("{what} {facts}"),
            created_at: at(0),
        }]
    }
}

fn rand(cdr: &Cdr, what: &str, facts: usize) -> u128 {
    format!("{}{what}{facts}", cdr.id).bytes().fold(7, |sum, byte| sum * 31 % (1 << 60) + u128::from(byte))
}

fn a_call(name: &str, second: i64) -> Cdr {
    Cdr {
        from: "a".to_owned(),
        to: "b".to_owned(),
        config_revision: 1,
        ..Cdr::begun(CallId::new(at(second), 1), user(name), Direction::Inbound, at(second))
    }
}

#[tokio::test]
async fn what_is_told_goes_with_the_record() {
    let mut bench = Bench::new();
    let mut changed = bench.store.deliveries_changed();
    bench.store.announce_with(Arc::new(Everything)).await.expect("set");
    let (cdr, others) = (a_call("alice", 0), a_call("bob", 1));
    for call in [&cdr, &cdr, &others] {
        bench.store.begin(call).await.expect("begun");
    }
    let event = CallEvent { at: at(1), offset_ms: 0, fact: CallFact::Answered };
    bench.store.append(cdr.id, std::slice::from_ref(&event)).await.expect("appended");
    let done = Cdr {
        ended_at: Some(cdr.started_at + SignedDuration::from_secs(3)),
        termination: Some(Termination::new(EndReason::RemoteHungUp)),
        ..cdr.clone()
    };
    bench.store.finish(&done, &[event.clone(), event]).await.expect("finished");
    assert!(changed.has_changed().expect("open"));
    bench.store.begin(&cdr).await.expect("a late repetition");
    let lost = a_call("alice", 2);
    bench.store.begin(&lost).await.expect("begun");
    bench.restart().await;
    bench.store.announce_with(Arc::new(Everything)).await.expect("set");
    assert_eq!(bench.store.close_orphans(at(50)).await.expect("closed").len(), 2);
    let mut told = bench.store.deliveries(&all()).await.expect("read");
    told.reverse();
    let told: Vec<_> = told.iter().map(|delivery| (delivery.lane.as_str(), delivery.body.as_str())).collect();
    let (first, second) = (cdr.id.to_string(), lost.id.to_string());
    let want = [(&first, "begun 0"), (&first, "happened 1"), (&first, "ended 2"), (&second, "begun 0"), (&second, "ended 0")];
    assert_eq!(told, want.map(|(lane, body)| (lane.as_str(), body)));
    changed.mark_unchanged();
}
