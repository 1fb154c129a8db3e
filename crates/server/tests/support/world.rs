//! A whole server and a carrier on loopback, in one process: what the tests of whole calls stand on.

use callie_domain::User;
use callie_domain::record::{CallEvent, Cdr, EndReason};
use callie_domain::registration::RegistrationState;
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use callie_lab::phone::{Phone, PhoneCall, PhoneOptions, Script};
use callie_server::app::{App, Footprint};
use callie_server::config::{self, Config, sources::Sources};
use callie_server::engines::Talkers;
use callie_server::exchange::LiveEvent;
use callie_store::RecordStore;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;

/// Everything that is waited for in these tests happens well within it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The world.
pub struct World {
    pub carrier: Carrier,
    pub app: App,
    pub feed: broadcast::Receiver<Arc<LiveEvent>>,
    pub folder: tempfile::TempDir,
}

impl World {
    /// `talkers`: the conversation engines, from the configuration as `tune` leaves it.
    pub async fn start<T: Into<Talkers>>(tune: impl FnOnce(&mut Config), talkers: impl FnOnce(&Config) -> T) -> Self {
        let subscribers = ["alice", "bob"].map(|name| Subscriber::new(name, "pw"));
        let options = CarrierOptions { subscribers: subscribers.to_vec(), ..CarrierOptions::default() };
        let carrier = Carrier::start(options).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config_in(&folder, tune);
        let app = App::start(&config, talkers(&config)).await.expect("starts");
        let feed = app.live();
        Self { carrier, app, feed, folder }
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
        self.app.stores.users.create(&parse(&body)).await.expect("stored");
    }

    /// Of alice.
    pub fn line_state(&self) -> Option<RegistrationState> {
        self.app.line_state(&"alice".parse().expect("valid"))
    }

    pub async fn call_alice(&self, script: impl Into<Script>) -> PhoneCall {
        let options = PhoneOptions::new(self.carrier.address(), "maria");
        Phone::call(&options, "alice", script).await.expect("a telephone")
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
        RecordStore::events(&*self.app.stores.records, cdr.id).await.expect("read")
    }

    /// The two sides of a call's recording: the other side and ours.
    pub async fn recording(&self, cdr: &Cdr) -> (Vec<i16>, Vec<i16>) {
        let bytes = self.app.recording(cdr).await.expect("recorded");
        let path = self.folder.path().join("recordings").join(cdr.recording.as_ref().expect("recorded"));
        assert!(std::fs::read(path).expect("readable").starts_with(b"callrec"), "it lies sealed");
        let wav = callie_media::wav::Wav::parse(&bytes).expect("a WAV file");
        (wav.channel(0).collect(), wav.channel(1).collect())
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
