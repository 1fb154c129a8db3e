//! The world of the conversations: Gemini Live is the lab's, and the offline engine takes over when it fails.

pub use crate::support::{PATIENCE, World, reason};
use callie_domain::Secret;
use callie_domain::record::{CallFact, Cdr, Speaker, Turn};
use callie_lab::gemini::{Converse, Exchange, FakeGemini, FakeGeminiOptions, Script, Speech};
use callie_lab::line::LineFaults;
use callie_lab::phone::{self, Phone, PhoneCall, PhoneOptions, PhoneReport, Step};
use callie_server::app::Footprint;
use callie_server::config::Config;
use callie_server::config::engines::{DefaultEngine, Gemini};
use callie_server::engines::Talkers;
use callie_store::RecordStore;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A server that asks the lab's Gemini.
pub struct Scene {
    pub world: World,
    pub fake: FakeGemini,
}

/// A call that is over.
pub struct Ended {
    /// When the telephone dialled. The times of the record count from about then.
    pub dialled: Instant,
    pub report: PhoneReport,
    pub cdr: Cdr,
    pub turns: Vec<Turn>,
    pub facts: Vec<CallFact>,
}

impl Scene {
    /// `alice` is connected, and her calls are talked by this script.
    pub async fn of(script: Converse) -> Self {
        let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
        Self::with(options, |_| ()).await
    }

    /// The same, with settings of `alice`.
    pub async fn of_alice(script: Converse, settings: Value) -> Self {
        let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
        Self::start(options, settings, |_| ()).await
    }

    pub async fn with(options: FakeGeminiOptions, tune: impl FnOnce(&mut Config)) -> Self {
        Self::start(options, json!({}), tune).await
    }

    /// The same, with settings of `alice`.
    pub async fn start(options: FakeGeminiOptions, settings: Value, tune: impl FnOnce(&mut Config)) -> Self {
        let key = Secret::new(FakeGeminiOptions::default().api_key);
        let model = options.models.first().cloned().unwrap_or_default();
        let fake = FakeGemini::start(options).await.expect("a free port");
        let gemini = Gemini::with_key(key, model, fake.base_url());
        let tune = |config: &mut Config| {
            config.engines.default = DefaultEngine::Gemini;
            config.engines.gemini = Some(gemini);
            config.engines.models_dir = None;
            tune(config);
        };
        let world = World::start(tune, |config| Talkers::start(&config.engines).expect("engines")).await;
        world.add_alice(settings).await;
        Self { world, fake }
    }

    /// One call of these steps, from the first ring to its record.
    pub async fn call(&mut self, steps: impl IntoIterator<Item = Step>) -> Ended {
        call(&mut self.world, steps).await
    }

    /// The same over a bad line.
    pub async fn call_over(&mut self, line: LineFaults, steps: impl IntoIterator<Item = Step>) -> Ended {
        let options = PhoneOptions::new(self.world.carrier.address(), "maria").with_line(line);
        self.call_by(&options, steps).await
    }

    /// The same by this telephone.
    pub async fn call_by(&mut self, options: &PhoneOptions, steps: impl IntoIterator<Item = Step>) -> Ended {
        let dialled = Instant::now();
        let call = Phone::call(options, "alice", phone::Script::new(steps)).await.expect("a telephone");
        ended(&mut self.world, dialled, call).await
    }

    /// What the server's API answers.
    pub async fn get(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.world.app.http_address);
        let answer = reqwest::get(url).await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.expect("a text")
    }

    /// How it answers to a body.
    pub async fn post(&self, path: &str, body: &Value) -> (reqwest::StatusCode, String) {
        let url = format!("http://{}{path}", self.world.app.http_address);
        let answer = reqwest::Client::new().post(url).body(body.to_string()).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("a text"))
    }

    /// The sockets are closed within a second, and what calls hold is given back.
    pub async fn everything_is_freed_at_once(&self) {
        let empty = Footprint::default();
        let freed = |fake: &FakeGemini| fake.live_sockets() == 0 && self.world.app.footprint() == empty;
        let within = self.fake.wait_until("everything is freed", Duration::from_secs(1), freed).await;
        within.unwrap_or_else(|late| panic!("{late}: {:?}, {} sockets", self.world.app.footprint(), self.fake.live_sockets()));
    }
}

pub async fn call(world: &mut World, steps: impl IntoIterator<Item = Step>) -> Ended {
    let dialled = Instant::now();
    let call = world.call_alice(phone::Script::new(steps)).await;
    ended(world, dialled, call).await
}

async fn ended(world: &mut World, dialled: Instant, call: PhoneCall) -> Ended {
    let report = call.finished().await.expect("a report");
    let cdr = world.next_record().await;
    // The feed tells of the end before the record's last events are stored.
    let stored = async || {
        RecordStore::get(&*world.app.stores.records, cdr.id).await.expect("read").is_some_and(|c| c.termination.is_some())
    };
    crate::support::until("the record is stored", stored).await;
    let turns = RecordStore::turns(&*world.app.stores.records, cdr.id).await.expect("read");
    let facts = world.events_of(&cdr).await.into_iter().map(|event| event.fact).collect();
    Ended { dialled, report, cdr, turns, facts }
}

/// Who said what, in order.
pub fn lines(turns: &[Turn]) -> Vec<(Speaker, &str)> {
    turns.iter().map(|turn| (turn.speaker, turn.text.trim())).collect()
}

/// The caller takes her turn after so much silence.
pub fn listen() -> Step {
    Step::WaitSilence { after: Duration::from_millis(1_000) }
}

/// A greeting, then these exchanges.
pub fn converse(greeting: Speech, exchanges: Vec<Exchange>) -> Converse {
    Converse { greeting: Some(greeting), exchanges, ..Converse::default() }
}
