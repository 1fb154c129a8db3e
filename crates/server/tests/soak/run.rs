//! Many short calls against one server, with a few endings and a few mishaps, and what the process holds before and after. The
//! test runs it small, the bench large.
//!
//! The carrier, the callers and the AI are in the same process: what they leak would be found too.

use callie_domain::{MacAddress, Secret, user::input::UserInput};
use callie_lab::{
    analysis,
    carrier::{Carrier, CarrierOptions, Subscriber},
    gemini::{Act, Converse, FakeGemini, FakeGeminiOptions, Fault, Moment, Script, Speech},
    phone::{Ending, Phone, PhoneCall, PhoneOptions, PhoneState, Step},
};
use callie_server::{
    app::{App, Footprint},
    config::{self, Config, DefaultEngine, Gemini, sources::Sources},
    engines::Talkers,
};
use callie_store::ConfigStore;
use jiff::Timestamp;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

const USERS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(30);
/// Everything is given back after it.
const GIVEN_BACK: Duration = Duration::from_secs(60);
/// Of the caller; then somebody hangs up.
const SPEECH: Duration = Duration::from_millis(300);
/// Resident memory may grow by so much and a tenth: caches fill, the allocator keeps what it once had.
const SPARE_KB: u64 = 32 * 1024;

pub struct Plan {
    pub calls: usize,
    pub at_once: usize,
    /// Calls before the base is taken, so that everything has been used once.
    pub warm_up: usize,
    /// Wait also for the transactions, which linger for 32 s (RFC 3261 timers H and J).
    pub to_the_last_transaction: bool,
}

/// What the process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    pub tasks: usize,
    pub descriptors: usize,
    pub footprint: Footprint,
    pub ai_sockets: usize,
    pub resident_kb: u64,
}

/// How calls of a run ended.
pub struct Outcome {
    pub base: Holdings,
    pub after: Holdings,
    pub to_the_last_transaction: bool,
    pub endings: BTreeMap<String, usize>,
    /// Of the calls that were answered, those in which the agent was heard.
    pub answered: usize,
    pub heard: usize,
    pub took: Duration,
}

impl Outcome {
    /// What is not as it was; empty if all is well.
    pub fn faults(&self) -> Vec<String> {
        let (base, after) = (&self.base, &self.after);
        let mut faults = Vec::new();
        if after.tasks > base.tasks || after.descriptors > base.descriptors || after.ai_sockets > 0 {
            faults.push(format!("tasks or sockets are left: {base:?} -> {after:?}"));
        }
        if counted(after.footprint, self.to_the_last_transaction) != Footprint::default() {
            faults.push(format!("calls hold {:?}", after.footprint));
        }
        if after.resident_kb > base.resident_kb + base.resident_kb / 10 + SPARE_KB {
            faults.push(format!("memory grew from {} to {} KB", base.resident_kb, after.resident_kb));
        }
        if self.heard < self.answered {
            faults.push(format!("{} of {} answered calls heard no agent", self.answered - self.heard, self.answered));
        }
        faults
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.endings.values().sum();
        let rate = calls as f64 / self.took.as_secs_f64();
        writeln!(out, "{calls} calls in {:.0} s ({rate:.1} per second): {:?}", self.took.as_secs_f64(), self.endings)?;
        writeln!(out, "{} answered, the agent heard in {}", self.answered, self.heard)?;
        for (name, held) in [("before", &self.base), ("after", &self.after)] {
            let Holdings { tasks, descriptors, footprint, ai_sockets, resident_kb } = held;
            let Footprint { calls, rtp_ports, dialogs, transactions } = footprint;
            writeln!(
                out,
                "{name:6} | tasks {tasks} | descriptors {descriptors} | calls {calls} | RTP ports {rtp_ports} | dialogs {dialogs} \
                 | transactions {transactions} | AI sockets {ai_sockets} | {resident_kb} KB"
            )?;
        }
        Ok(())
    }
}

/// Runs the calls and looks at what is held, before and after.
pub async fn run(plan: Plan) -> Outcome {
    let world = Arc::new(World::start().await);
    world.calls(0..plan.warm_up, plan.at_once).await;
    world.all_is_given_back(None, plan.to_the_last_transaction).await;
    let base = world.holdings();
    let begun = Instant::now();
    let over = world.calls(plan.warm_up..plan.warm_up + plan.calls, plan.at_once).await;
    let took = begun.elapsed();
    world.all_is_given_back(Some(&base), plan.to_the_last_transaction).await;
    let Plan { to_the_last_transaction, .. } = plan;
    let after = world.holdings();
    let mut outcome = Outcome { base, after, to_the_last_transaction, endings: BTreeMap::new(), answered: 0, heard: 0, took };
    for call in over {
        *outcome.endings.entry(call.ending).or_default() += 1;
        outcome.answered += usize::from(call.stayed);
        outcome.heard += usize::from(call.stayed && call.heard);
    }
    if let Ok(world) = Arc::try_unwrap(world) {
        world.app.stop().await;
        world.carrier.stop().await;
        world.fake.stop().await;
    }
    outcome
}

struct World {
    carrier: Carrier,
    fake: FakeGemini,
    app: App,
    _folder: tempfile::TempDir,
}

struct Over {
    ending: String,
    /// It was answered and not hung up at once.
    stayed: bool,
    heard: bool,
}

impl World {
    async fn start() -> Self {
        let users: Vec<String> = (0..USERS).map(|n| format!("soak{n}")).collect();
        let subscribers = users.iter().map(|name| Subscriber::new(name, "pw")).collect();
        let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port");
        let greeting = Some(Speech::tone("Hello.", 440.0, Duration::from_millis(600)));
        let script = Script::Converse(Converse { greeting, ..Converse::default() });
        let options = FakeGeminiOptions { script, keep_sessions: 8, keep_audio: Duration::ZERO, ..FakeGeminiOptions::default() };
        let fake = FakeGemini::start(options).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = config_for(&folder, &fake);
        let app = App::start(&config, Talkers::start(&config.engines).expect("engines")).await.expect("starts");
        for (n, name) in users.iter().enumerate() {
            let body = json!({
                "user_id": name, "display_name": name, "sip_username": name, "sip_password": "pw",
                "sip_server": carrier.address().to_string(), "use_fixed_rtp_port": false, "sip": {"connect": true},
            });
            let mac = MacAddress::generate([0, 0, n as u8]);
            let user = UserInput::from_json(&body).and_then(|input| input.create(Timestamp::now(), mac)).expect("valid");
            app.store.create(&user).await.expect("stored");
        }
        let all = |carrier: &Carrier| carrier.bindings().len() == USERS;
        carrier.wait_until("all are registered", PATIENCE, all).await.expect("in time");
        Self { carrier, fake, app, _folder: folder }
    }

    /// Runs these calls, so many at a time.
    async fn calls(self: &Arc<Self>, numbers: std::ops::Range<usize>, at_once: usize) -> Vec<Over> {
        let places = Arc::new(Semaphore::new(at_once));
        let mut running = JoinSet::new();
        let mut over = Vec::with_capacity(numbers.len());
        for n in numbers {
            let place = places.clone().acquire_owned().await.expect("it is never closed");
            let world = self.clone();
            running.spawn(async move {
                let _place = place;
                world.call(n).await
            });
            while let Some(done) = running.try_join_next() {
                over.push(done.expect("a call does not panic"));
            }
        }
        while let Some(done) = running.join_next().await {
            over.push(done.expect("a call does not panic"));
        }
        over
    }

    /// Of ten calls one is taken back, three are ended by this side and the others by the caller; in one of twenty the AI
    /// refuses, so that the offline engine talks.
    async fn call(&self, n: usize) -> Over {
        let (cancelled, ended_here) = (n % 10 == 9, matches!(n % 10, 2 | 5 | 8));
        if n % 20 == 7 {
            self.fake.fault_once(Fault::new(Moment::Upgrade, Act::refuse(503)));
        }
        let speech = analysis::tone(700.0, (SPEECH.as_secs_f64() * 8_000.0) as usize, 9_000.0).into();
        let steps = if cancelled {
            vec![Step::Cancel { after: Duration::from_millis(n as u64 % 7 * 10) }, Step::WaitHangUp]
        } else {
            let last = if ended_here { Step::WaitHangUp } else { Step::HangUp };
            vec![Step::WaitAnswer, Step::Play(speech), Step::WaitSilence { after: Duration::from_millis(60) }, last]
        };
        let name = format!("caller{n}");
        let options = PhoneOptions { longest: PATIENCE, ..PhoneOptions::new(self.carrier.address(), &name) };
        let script = callie_lab::phone::Script::new(steps);
        let call = Phone::call(&options, &format!("soak{}", n % USERS), script).await.expect("a telephone");
        if ended_here {
            self.hang_up(&call, &name).await;
        }
        let report = call.finished().await.expect("a report");
        let answered = report.final_status == Some(200) && report.ending != Ending::Cancelled;
        let stayed = answered && !cancelled;
        let heard = analysis::voiced_seconds(report.heard()) > 0.0;
        let ending =
            if stayed { format!("{:?}", report.ending) } else { format!("{:?} ({:?})", report.ending, report.final_status) };
        Over { ending, stayed, heard }
    }

    /// This side's BYE, a little after the greeting has begun.
    async fn hang_up(&self, call: &PhoneCall, caller: &str) {
        let _ = call.wait_for(PhoneState::Up, PATIENCE).await;
        tokio::time::sleep(SPEECH + Duration::from_millis(200)).await;
        if let Some(active) = self.app.active_calls().iter().find(|call| call.remote_party.contains(caller)) {
            self.app.hang_up(active.id);
        }
    }

    fn holdings(&self) -> Holdings {
        let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find(|line| line.starts_with("VmRSS")).and_then(|line| line.split_whitespace().nth(1));
        Holdings {
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            descriptors,
            footprint: self.app.footprint(),
            ai_sockets: self.fake.live_sockets(),
            resident_kb: resident.and_then(|kb| kb.parse().ok()).unwrap_or_default(),
        }
    }

    /// Waits until calls hold nothing and, with a base, until there are no more tasks and sockets than then. Who looks at the
    /// holdings afterwards sees whether it came true.
    async fn all_is_given_back(&self, base: Option<&Holdings>, transactions_too: bool) {
        let deadline = Instant::now() + GIVEN_BACK;
        let mut before = usize::MAX;
        while Instant::now() < deadline {
            let held = self.holdings();
            let empty = counted(held.footprint, transactions_too) == Footprint::default() && held.ai_sockets == 0;
            let as_before = base.map_or(before == held.tasks, |b| held.tasks <= b.tasks && held.descriptors <= b.descriptors);
            if empty && as_before {
                return;
            }
            before = held.tasks;
            // The telephones linger for 2 s after their calls.
            tokio::time::sleep(Duration::from_millis(2_500)).await;
        }
    }
}

fn counted(footprint: Footprint, transactions_too: bool) -> Footprint {
    if transactions_too { footprint } else { Footprint { transactions: 0, ..footprint } }
}

fn config_for(folder: &tempfile::TempDir, fake: &FakeGemini) -> Config {
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.path().to_owned();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    config.limits.calls_per_user = 1_000;
    let FakeGeminiOptions { api_key, models, .. } = FakeGeminiOptions::default();
    let model = models.into_iter().next().expect("it knows one");
    config.engines.gemini = Some(Gemini { api_key: Secret::new(api_key), model, base_url: fake.base_url() });
    config.engines.default = DefaultEngine::Gemini;
    config.engines.models_dir = None;
    config
}
