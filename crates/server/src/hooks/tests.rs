//! The queue and the loop against receivers of every manner, with a restart between.

use super::message::News;
use super::retry::Pace;
use super::{Dispatcher, Meters, signature};
use crate::config::PrivateTargets;
use crate::outside::GuardedClient;
use crate::telemetry::Tracer;
use callie_domain::user::HookEvent;
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, Secret, UserId};
use callie_lab::receiver::{Manner, Received, Receiver};
use callie_store::{ConfigStore, Delivery, DeliveryFilter, DeliveryState, DeliveryStore, Keyring, SqliteStore};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "whsec_0123456789";

/// Alice with her webhooks, a store, and a loop that is impatient.
struct Bench {
    folder: TempDir,
    store: Arc<SqliteStore>,
    meters: Arc<Meters>,
    end: CancellationToken,
    running: JoinHandle<()>,
    pace: Pace,
}

fn open(folder: &TempDir) -> Arc<SqliteStore> {
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    Arc::new(SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened"))
}

fn alice() -> UserId {
    "alice".parse().expect("valid")
}

#[expect(clippy::disallowed_methods, reason = "the test awaits it")]
fn run(store: &Arc<SqliteStore>, meters: &Arc<Meters>, pace: Pace, end: &CancellationToken) -> JoinHandle<()> {
    let allowed = PrivateTargets { nets: vec!["127.0.0.1/32".parse().expect("a net")], hosts: Vec::new() };
    let dispatcher = Dispatcher {
        queue: store.clone(),
        users: store.clone(),
        view: store.watch(),
        client: GuardedClient::new(allowed).expect("a client"),
        meters: meters.clone(),
        pace,
        tracer: Tracer::default(),
    };
    tokio::spawn(dispatcher.run(end.clone()))
}

impl Bench {
    async fn with(urls: &[String]) -> Self {
        let impatient = Pace {
            first: SignedDuration::from_millis(40),
            longest: SignedDuration::from_millis(300),
            patience: SignedDuration::from_secs(30),
            attempt: Duration::from_millis(400),
        };
        Self::paced(urls, impatient).await
    }

    async fn paced(urls: &[String], pace: Pace) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = open(&folder);
        let webhooks: Vec<_> = urls.iter().map(|url| json!({"url": url, "secret": SECRET})).collect();
        let body =
            json!({"user_id": "alice", "display_name": "A", "sip_username": "a", "sip_password": "p", "webhooks": webhooks});
        let user = UserInput::from_json(&body).expect("valid").create(Timestamp::now(), MacAddress::generate([1, 2, 3]));
        store.create(&user.expect("valid")).await.expect("created");
        let (meters, end) = (Arc::new(Meters::default()), CancellationToken::new());
        let running = run(&store, &meters, pace, &end);
        Self { folder, store, meters, end, running, pace }
    }

    /// As after SIGKILL: the loop is gone in the midst of its work, and another process begins with the file.
    async fn restart(&mut self) {
        self.running.abort();
        self.store.close().await;
        self.store = open(&self.folder);
        self.running = run(&self.store, &self.meters, self.pace, &self.end);
    }

    /// Tells it to all receivers of alice.
    async fn tell(&self, lane: &str, text: &str) {
        let news = News { event: HookEvent::CallEnded, data: json!({ "text": text }), lane: lane.to_owned() };
        let user = self.store.get(&alice()).await.expect("read").expect("there").user.clone();
        let deliveries = news.to_all(&user, Timestamp::now(), rand::random);
        self.store.enqueue(&deliveries).await.expect("queued");
    }

    async fn all(&self) -> Vec<Delivery> {
        let filter = DeliveryFilter { user_id: alice(), state: None, event: None, before: None, limit: 500 };
        self.store.deliveries(&filter).await.expect("read")
    }

    /// Waits until nothing waits any more.
    async fn settled(&self) -> Vec<Delivery> {
        self.until(|all| all.iter().all(|delivery| delivery.state != DeliveryState::Waiting)).await
    }

    async fn until(&self, wanted: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let mut changed = self.store.deliveries_changed();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                let all = self.all().await;
                if wanted(&all) {
                    return all;
                }
                let _ = tokio::time::timeout(Duration::from_millis(100), changed.changed()).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("in time")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(|request| request.json()["data"]["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn what_is_told_is_signed_and_names_itself() {
    let receiver = Receiver::start().await.expect("a receiver");
    let bench = Bench::with(&[receiver.url("/hook?tenant=7")]).await;
    bench.tell("a", "hello").await;
    let delivery = bench.settled().await.remove(0);
    let request = receiver.received().remove(0);
    assert_eq!(request.line, "POST /hook?tenant=7");
    let body = String::from_utf8(request.body.clone()).expect("a text");
    let header = request.header("callie-signature").expect("signed");
    let second: i64 = header.trim_start_matches("t=").split(',').next().expect("a time").parse().expect("seconds");
    let at = Timestamp::from_second(second).expect("a time");
    assert_eq!(header, signature::of(&Secret::new(SECRET), at, &body));
    assert!(Timestamp::now().as_second() - second < 60);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("callie-event"), Some("call.ended"));
    let json = request.json();
    assert_eq!((json["type"].as_str(), json["user_id"].as_str()), (Some("call.ended"), Some("alice")));
    assert_eq!(json["id"].as_str(), Some(delivery.id.to_string().as_str()));
    assert_eq!((delivery.state, delivery.status, delivery.attempts), (DeliveryState::Delivered, Some(200), 1));
}

#[tokio::test]
async fn a_receiver_of_bad_manners_gets_everything_in_order_in_the_end() {
    let receiver = Receiver::start().await.expect("a receiver");
    let mut bench = Bench::with(&[receiver.url("/")]).await;
    let drip = Manner::Drip(Duration::from_millis(60));
    receiver.behave_next([Manner::status(500), Manner::Die, Manner::Hang, drip, Manner::with_header(503, "Retry-After", "0")]);
    for text in ["1", "2", "3"] {
        bench.tell("call", text).await;
    }
    receiver.wait_for(3, PATIENCE).await;
    bench.restart().await;
    let deliveries = bench.settled().await;
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered), "{deliveries:?}");
    let mut told = texts(&receiver.received());
    assert!(told.len() >= 8, "each failure is followed by another attempt: {told:?}");
    told.dedup();
    assert_eq!(told, ["1", "2", "3"], "nothing overtakes");
    let ids: Vec<_> = receiver.received().iter().map(|request| request.json()["id"].clone()).collect();
    assert_eq!(ids[0], ids[1], "an attempt repeats the same thing");
    let counted = bench.meters.read();
    assert!(counted.delivered == 3 && counted.retried >= 4 && counted.attempts >= 8, "{counted:?}");
}

#[tokio::test]
async fn a_receiver_that_was_away_gets_what_waited() {
    let address = Receiver::start().await.expect("a receiver").address();
    let mut bench = Bench::with(&[format!("http://{address}/")]).await;
    for lane in ["a", "b"] {
        bench.tell(lane, lane).await;
    }
    bench.until(|all| all.iter().all(|delivery| delivery.attempts > 1)).await;
    bench.restart().await;
    let receiver = Receiver::start_at(address).await.expect("the same place");
    bench.settled().await;
    let mut told = texts(&receiver.received());
    told.sort_unstable();
    assert_eq!(told, ["a", "b"]);
}

#[tokio::test]
async fn one_that_wants_no_more_is_switched_off_in_the_document() {
    let (gone, fine) = (Receiver::start().await.expect("one"), Receiver::start().await.expect("another"));
    gone.behave(Manner::status(410));
    let bench = Bench::with(&[gone.url("/"), fine.url("/")]).await;
    for text in ["1", "2"] {
        bench.tell("call", text).await;
    }
    let deliveries = bench.settled().await;
    let of =
        |url: String| deliveries.iter().filter(|delivery| delivery.url == url).map(|delivery| delivery.state).collect::<Vec<_>>();
    assert_eq!(of(gone.url("/")), [DeliveryState::Dropped; 2]);
    assert_eq!(of(fine.url("/")), [DeliveryState::Delivered; 2]);
    let mut view = bench.store.watch();
    let off = view.wait_for(|view| view.users[&alice()].usable().is_some_and(|stored| !stored.user.webhooks[0].active));
    assert!(tokio::time::timeout(PATIENCE, off).await.is_ok(), "the document says so");
    assert!(view.borrow().users[&alice()].usable().expect("usable").user.webhooks[1].active);
    bench.tell("call", "3").await;
    bench.settled().await;
    assert_eq!(gone.received().len(), 1);
    assert_eq!(texts(&fine.received()), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_holds_for_all_that_comes() {
    let receiver = Receiver::start().await.expect("a receiver");
    let bench = Bench::with(&[receiver.url("/")]).await;
    receiver.behave_next([Manner::with_header(429, "Retry-After", "1")]);
    bench.tell("a", "1").await;
    let began = std::time::Instant::now();
    bench.until(|all| all[0].attempts == 1).await;
    bench.tell("b", "2").await;
    bench.settled().await;
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn nobody_is_led_inside() {
    let inner = Receiver::start().await.expect("a receiver");
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.behave(Manner::with_header(302, "Location", &inner.url("/latest/meta-data/")));
    let patience = Pace {
        first: SignedDuration::from_millis(10),
        longest: SignedDuration::from_millis(10),
        patience: SignedDuration::from_millis(200),
        attempt: Duration::from_secs(1),
    };
    let metadata = "http://169.254.169.254/latest/meta-data/".to_owned();
    let bench = Bench::paced(&[receiver.url("/"), metadata, "http://[::1]:1/".to_owned()], patience).await;
    bench.tell("a", "1").await;
    let deliveries = bench.settled().await;
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Failed), "{deliveries:?}");
    let errors: Vec<_> = deliveries.iter().rev().map(|delivery| delivery.error.clone().unwrap_or_default()).collect();
    assert!(errors[0].contains("redirects, which is not followed: 302"), "{errors:?}");
    assert!(errors[1..].iter().all(|error| error.contains("is no public address")), "{errors:?}");
    assert_eq!(inner.received(), []);
    assert!(bench.meters.read().guarded >= 2);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_up_no_other() {
    let (slow, quick) = (Receiver::start().await.expect("one"), Receiver::start().await.expect("another"));
    slow.behave(Manner::Hang);
    let patient = Pace { attempt: Duration::from_secs(15), ..Pace::default() };
    let bench = Bench::paced(&[slow.url("/"), quick.url("/")], patient).await;
    for lane in 0..40 {
        bench.tell(&lane.to_string(), "x").await;
    }
    assert_eq!(quick.wait_for(40, Duration::from_secs(10)).await.len(), 40);
    assert_eq!(slow.received().len(), 4, "a few at once, and no more");
}

#[tokio::test]
async fn what_has_no_receiver_any_more_is_dropped() {
    let receiver = Receiver::start().await.expect("a receiver");
    receiver.behave(Manner::status(500));
    let bench = Bench::with(&[receiver.url("/")]).await;
    bench.tell("a", "1").await;
    bench.until(|all| all[0].attempts == 1).await;
    let stored = bench.store.get(&alice()).await.expect("read").expect("there");
    let mut without = (*stored.user).clone();
    without.webhooks.clear();
    bench.store.put(&without, stored.revision).await.expect("written");
    let delivery = bench.settled().await.remove(0);
    assert_eq!(delivery.state, DeliveryState::Dropped);
}
