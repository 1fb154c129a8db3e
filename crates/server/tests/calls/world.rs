//! A whole server and a carrier on loopback, in one process: what the call tests stand on.

use async_trait::async_trait;
use callie_ai::{Brief, Capabilities, Engine, EngineCause, EngineError, EngineEvent, EngineSession, Prompt};
use callie_domain::record::{CallEvent, Cdr, EndReason};
use callie_domain::registration::RegistrationState;
use callie_domain::{CallId, DialTarget, User};
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use callie_lab::phone::{Phone, PhoneCall, PhoneOptions, Script};
use callie_server::app::{App, Footprint};
use callie_server::call::Engines;
use callie_server::config::{self, Config, sources::Sources};
use callie_server::exchange::{DialError, DialRequest, LiveEvent};
use callie_store::{ConfigStore, RecordStore};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::broadcast;

/// Everything that is waited for in these tests happens well within it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How the stub engine behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Speaks a tone for a second, then listens for ever.
    Talk,
    /// Never gets ready.
    NeverReady,
    /// Cannot be opened.
    Refuses,
    /// Speaks, then breaks once the caller is heard.
    Breaks,
    /// Speaks for a second and says goodbye.
    Goodbye,
}

#[derive(Debug)]
pub struct StubEngine(pub Manner);

struct StubSession {
    manner: Manner,
    events: VecDeque<EngineEvent>,
    waker: Option<Waker>,
}

#[async_trait]
impl Engine for StubEngine {
    fn name(&self) -> &'static str {
        "stub"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { listens: true, detects_interruption: false, input_rate: 16_000, output_rate: 24_000 }
    }

    async fn open(&self, _brief: Brief) -> Result<Box<dyn EngineSession>, EngineError> {
        match self.0 {
            Manner::NeverReady => std::future::pending().await,
            Manner::Refuses => Err(EngineError::new(EngineCause::Unreachable, "as scripted")),
            manner => Ok(Box::new(StubSession { manner, events: VecDeque::new(), waker: None })),
        }
    }
}

impl EngineSession for StubSession {
    fn start(&mut self) {
        let tone = (0..24_000).map(|i| ((i as f32 * 0.15).sin() * 9_000.0) as i16).collect();
        self.events.push_back(EngineEvent::Audio(tone));
        if self.manner == Manner::Goodbye {
            self.events.push_back(EngineEvent::Goodbye);
        }
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    fn hear(&mut self, samples: &[i16]) {
        if self.manner == Manner::Breaks && samples.iter().any(|s| s.unsigned_abs() > 1_000) {
            self.events.push_back(EngineEvent::Failed(EngineError::new(EngineCause::ServiceFailed, "as scripted")));
            self.waker.take().into_iter().for_each(Waker::wake);
        }
    }

    fn dtmf(&mut self, _digit: char) {}

    fn prompt(&mut self, _prompt: Prompt) {}

    fn playout_drained(&mut self) {}

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The world.
pub struct World {
    pub carrier: Carrier,
    pub app: App,
    pub feed: broadcast::Receiver<Arc<LiveEvent>>,
    pub folder: tempfile::TempDir,
}

impl World {
    pub async fn with(manner: Manner, tune: impl FnOnce(&mut Config)) -> Self {
        let subscribers = ["alice", "bob"].map(|name| Subscriber::new(name, "pw"));
        let options = CarrierOptions { subscribers: subscribers.to_vec(), ..CarrierOptions::default() };
        let carrier = Carrier::start(options).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let app = App::start(&config_in(&folder, tune), Engines::new(Arc::new(StubEngine(manner)))).await.expect("starts");
        let feed = app.live();
        Self { carrier, app, feed, folder }
    }

    /// One connected user, `alice`, whose document is changed by `settings`.
    pub async fn with_alice(manner: Manner, settings: Value) -> Self {
        let world = Self::with(manner, |config| config.media.rtp_timeout = Duration::from_secs(2)).await;
        world.add_alice(settings).await;
        world
    }

    /// Creates alice and waits until her line is registered.
    pub async fn add_alice(&self, settings: Value) {
        self.add_user("alice", settings).await;
        self.carrier.wait_registered("alice", PATIENCE).await.expect("registers");
        let registered = async || self.line_state() == Some(RegistrationState::Registered);
        until("the line knows that it is registered", registered).await;
    }

    pub async fn add_user(&self, name: &str, settings: Value) {
        let mut body = json!({
            "user_id": name, "display_name": name, "sip_username": name, "sip_password": "pw",
            "sip_server": self.carrier.address().to_string(), "use_fixed_rtp_port": false, "sip": {"connect": true},
        });
        for (key, value) in settings.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.app.store.create(&parse(&body)).await.expect("stored");
    }

    /// Changes alice's document as the API does.
    pub async fn change(&self, settings: Value) {
        let id = "alice".parse().expect("valid");
        let stored = ConfigStore::get(&*self.app.store, &id).await.expect("read").expect("there");
        let input = callie_domain::user::input::UserInput::from_json(&settings).expect("valid");
        let user = input.apply(&stored.user, jiff::Timestamp::now()).expect("valid");
        self.app.store.put(&user, stored.revision).await.expect("stored");
    }

    /// Of alice.
    pub fn line_state(&self) -> Option<RegistrationState> {
        self.app.line_state(&"alice".parse().expect("valid"))
    }

    pub async fn call_alice(&self, script: impl Into<Script>) -> PhoneCall {
        let options = PhoneOptions::new(self.carrier.address(), "maria");
        Phone::call(&options, "alice", script).await.expect("a telephone")
    }

    pub fn dial(&self, number: &str) -> Result<CallId, DialError> {
        let target: DialTarget = number.parse().expect("valid");
        self.app.dial(DialRequest { user: "alice".parse().expect("valid"), target, message: None })
    }

    /// The record of the next call to end.
    pub async fn next_record(&mut self) -> Cdr {
        let wait = async {
            loop {
                match self.feed.recv().await.expect("the feed goes on").as_ref() {
                    LiveEvent::CallRecorded { cdr } => return (**cdr).clone(),
                    _ => continue,
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("a call ends in time")
    }

    pub async fn events_of(&self, cdr: &Cdr) -> Vec<CallEvent> {
        RecordStore::events(&*self.app.store, cdr.id).await.expect("read")
    }

    /// Ends with an error unless everything that calls hold is given back.
    pub async fn nothing_is_held(&self) {
        let empty = Footprint::default();
        let given_back = async || self.app.footprint() == empty;
        // Transactions linger for 32 s (RFC 3261 timers B, H, J).
        assert!(holds_within(PATIENCE * 2, given_back).await, "not given back: {:?}", self.app.footprint());
    }
}

pub fn config_in(folder: &tempfile::TempDir, tune: impl FnOnce(&mut Config)) -> Config {
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.path().to_owned();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    tune(&mut config);
    config
}

fn parse(body: &Value) -> User {
    let input = callie_domain::user::input::UserInput::from_json(body).expect("valid");
    input.create(jiff::Timestamp::now(), callie_domain::MacAddress::generate(rand::random())).expect("valid")
}

/// Waits for a condition, and ends the test when it does not come true.
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(holds_within(PATIENCE, condition).await, "not in time: {what}");
}

async fn holds_within(deadline: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(deadline, waiting).await.is_ok()
}

/// `reason` of a record, for assertions.
pub fn reason(cdr: &Cdr) -> EndReason {
    cdr.termination.as_ref().expect("an ended call has an end").reason
}
