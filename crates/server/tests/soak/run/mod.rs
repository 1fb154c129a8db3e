//! Many short calls against one server, with a few endings and a few mishaps, and what the server holds before and after. The
//! test runs it small, the bench large.
//!
//! The server is a process of its own ([`server`], seen from here by [`process`]); this one is the carrier, the callers and the AI.

pub mod outcome;
pub mod process;
pub mod server;

pub use outcome::Limit;

use callie_lab::{
    analysis,
    carrier::{Carrier, CarrierOptions, Subscriber},
    gemini::{Act, Converse, FakeGemini, FakeGeminiOptions, Fault, Moment, Script, Speech},
    phone::{Ending, Phone, PhoneCall, PhoneOptions, Step},
};
use outcome::{Outcome, Over, Sample};
use process::{Holdings, Orders, Server};
use server::USERS;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

const PATIENCE: Duration = Duration::from_secs(30);
/// Everything is given back after it.
const GIVEN_BACK: Duration = Duration::from_secs(60);
/// Of the caller; then somebody hangs up.
const SPEECH: Duration = Duration::from_millis(300);

pub struct Plan {
    /// Arguments with which this program becomes the server.
    pub server: &'static [&'static str],
    pub calls: usize,
    pub at_once: usize,
    /// Calls before the base is taken, so that everything has been used once.
    pub warm_up: usize,
    /// Memory is looked at after each so many calls.
    pub sample_every: usize,
    /// Wait also for the transactions that linger.
    pub to_the_last_transaction: bool,
    pub limit: Limit,
}

/// Runs the calls in two halves and looks at what is held, before, between and after.
pub async fn run(plan: Plan) -> Outcome {
    let mut soak = Soak::start(&plan).await;
    soak.calls(plan.warm_up).await;
    let base = soak.at_rest(None).await;
    let warmed_up = std::mem::take(&mut soak.tally);
    assert_eq!(warmed_up.over.len(), plan.warm_up, "every call ends");
    soak.calls(plan.calls / 2).await;
    let middle = soak.at_rest(Some(&base)).await;
    soak.calls(plan.calls - plan.calls / 2).await;
    let after = soak.at_rest(Some(&base)).await;
    let ai_sockets = soak.world.fake.live_sockets();
    let Tally { over, curve, took } = soak.stop().await;
    let mut endings = BTreeMap::new();
    over.iter().for_each(|call| *endings.entry(call.ending.clone()).or_default() += 1);
    let answered = over.iter().filter(|call| call.stayed).count();
    let heard = over.iter().filter(|call| call.stayed && call.heard).count();
    Outcome {
        limit: plan.limit,
        to_the_last_transaction: plan.to_the_last_transaction,
        base,
        middle,
        after,
        curve,
        endings,
        calls: over.len(),
        answered,
        heard,
        ai_sockets,
        took,
    }
}

/// The driver.
struct Soak<'a> {
    plan: &'a Plan,
    world: Arc<World>,
    server: Server,
    /// Calls begun, the warm-up's too.
    begun: usize,
    tally: Tally,
}

#[derive(Default)]
struct Tally {
    over: Vec<Over>,
    curve: Vec<Sample>,
    /// With calls up.
    took: Duration,
}

impl<'a> Soak<'a> {
    async fn start(plan: &'a Plan) -> Self {
        let users: Vec<String> = (0..USERS).map(|n| format!("soak{n}")).collect();
        let subscribers = users.iter().map(|name| Subscriber::new(name, "pw")).collect();
        let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port");
        let greeting = Some(Speech::tone("Hello.", 440.0, Duration::from_millis(600)));
        let script = Script::Converse(Converse { greeting, ..Converse::default() });
        let options = FakeGeminiOptions { script, keep_sessions: 8, keep_audio: Duration::ZERO, ..FakeGeminiOptions::default() };
        let (api_key, model) = (options.api_key.clone(), options.models.first().expect("it knows one").clone());
        let fake = FakeGemini::start(options).await.expect("a free port");
        let far = format!("{} {api_key} {model}", fake.base_url());
        let server = Server::start(plan.server, &carrier.address().to_string(), &far).await;
        let all = |carrier: &Carrier| carrier.bindings().len() == USERS;
        carrier.wait_until("all are registered", PATIENCE, all).await.expect("in time");
        let world = Arc::new(World { carrier, fake, orders: server.orders() });
        Self { plan, world, server, begun: 0, tally: Tally::default() }
    }

    /// Runs so many calls more, as many at a time as the plan says, until all are over.
    async fn calls(&mut self, number: usize) {
        let from = Instant::now();
        let places = Arc::new(Semaphore::new(self.plan.at_once));
        let mut running = JoinSet::new();
        for n in self.begun..self.begun + number {
            let place = places.clone().acquire_owned().await.expect("it is never closed");
            let world = self.world.clone();
            running.spawn(async move {
                let _place = place;
                world.call(n).await
            });
            while let Some(done) = running.try_join_next() {
                self.count(done.expect("a call does not panic")).await;
            }
        }
        while let Some(done) = running.join_next().await {
            self.count(done.expect("a call does not panic")).await;
        }
        self.begun += number;
        self.tally.took += from.elapsed();
    }

    async fn count(&mut self, call: Over) {
        let Tally { over, curve, .. } = &mut self.tally;
        over.push(call);
        if over.len().is_multiple_of(self.plan.sample_every) {
            let Holdings { resident_kb, lingering, .. } = self.server.holdings().await;
            curve.push(Sample { calls: over.len(), resident_kb, lingering });
        }
    }

    /// Waits until calls hold nothing and, with a base, until there are no more tasks and sockets than then. Who looks at the
    /// holdings sees whether it came true.
    async fn at_rest(&mut self, base: Option<&Holdings>) -> Holdings {
        let deadline = Instant::now() + GIVEN_BACK;
        let mut before = usize::MAX;
        loop {
            let held = self.server.holdings().await;
            let lingers = self.plan.to_the_last_transaction && held.lingering > 0;
            let empty = held.no_call() && !lingers && self.world.fake.live_sockets() == 0;
            let as_before = base.map_or(before == held.tasks, |b| held.tasks <= b.tasks && held.descriptors <= b.descriptors);
            if (empty && as_before) || Instant::now() > deadline {
                return held;
            }
            before = held.tasks;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn stop(self) -> Tally {
        let world = Arc::into_inner(self.world).expect("every call is over");
        drop(world.orders);
        self.server.stop().await;
        world.carrier.stop().await;
        world.fake.stop().await;
        self.tally
    }
}

/// What a call needs.
struct World {
    carrier: Carrier,
    fake: FakeGemini,
    orders: Orders,
}

impl World {
    /// Of ten calls one is taken back, three are ended by the server and the others by the caller; in one of twenty the AI
    /// refuses, so that the offline engine talks.
    async fn call(&self, n: usize) -> Over {
        let (cancelled, ended_there) = (n % 10 == 9, matches!(n % 10, 2 | 5 | 8));
        if n % 20 == 7 {
            self.fake.fault_once(Fault::new(Moment::Upgrade, Act::refuse(503)));
        }
        let speech = analysis::tone(700.0, (SPEECH.as_secs_f64() * 8_000.0) as usize, 9_000.0).into();
        let steps = if cancelled {
            vec![Step::Cancel { after: Duration::from_millis(n as u64 % 7 * 10) }, Step::WaitHangUp]
        } else {
            let last = if ended_there { Step::WaitHangUp } else { Step::HangUp };
            // After the greeting: whoever speaks into it takes it away, and this AI has no second answer.
            vec![Step::WaitAnswer, Step::WaitSilence { after: Duration::from_millis(60) }, Step::Play(speech), last]
        };
        let name = format!("caller{n:06}");
        let options = PhoneOptions { longest: PATIENCE, ..PhoneOptions::new(self.carrier.address(), &name) };
        let script = callie_lab::phone::Script::new(steps);
        let call = Phone::call(&options, &format!("soak{}", n % USERS), script).await.expect("a telephone");
        if ended_there {
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

    /// The server's BYE, once the greeting has begun. A caller who has heard none of it in time is hung up on as well, and counted.
    async fn hang_up(&self, call: &PhoneCall, caller: &str) {
        let _ = call.wait_for_voice(PATIENCE / 2).await;
        self.orders.hang_up(caller).await;
    }
}
