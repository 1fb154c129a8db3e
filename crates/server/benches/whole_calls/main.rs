//! What whole calls cost: SIP, SDP, RTP, an engine that speaks and listens without pause, recording and records. The server is a
//! process of its own, and only its CPU and memory are counted; this one is the carrier and the callers.
//!
//! The engine is in the server's process, or, with `--engine gemini`, a Gemini Live over a WebSocket that is played by this
//! process; then latencies are measured as well.
//!
//! With `--rate N` it is the setting up and tearing down that is measured, N calls a second ([`rate`]).
//!
//! ```text
//! cargo bench -p callie-server --bench whole_calls [-- CALLS…] [--engine gemini] [--accounts N] [--seconds S] [--no-realtime]
//! ```
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

mod conversation;
mod engine;
mod process;
mod rate;
mod server;

use callie_lab::{
    carrier::{Carrier, CarrierOptions, Subscriber},
    phone::{Phone, PhoneCall, PhoneOptions, PhoneReport, PhoneState, Step},
};
use conversation::{Latencies, Pattern};
use process::Server;
use rate::Load;
use std::time::{Duration, Instant};

const COLUMNS: &str = "calls | CPU ms per call-second | spacing ms p50 / p99 / p99.9, median of calls (worst p99) | lost | INVITE→200 ms p50 / p95 | KB per call";
/// From one call to the next.
const RAMP: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(120);

struct Wanted {
    calls: Vec<usize>,
    accounts: usize,
    window: Duration,
    realtime: bool,
    gemini: bool,
    /// Calls a second, and how many of them, over how many accounts.
    rate: Option<usize>,
    total: usize,
    users: usize,
    out: bool,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match arguments.split_first() {
        Some((first, rest)) if first == "server" => runtime.block_on(server::run(rest)),
        _ => runtime.block_on(measure(&wanted(&arguments))),
    }
}

fn wanted(arguments: &[String]) -> Wanted {
    let mut wanted = Wanted {
        calls: Vec::new(),
        accounts: 1_000,
        window: Duration::from_secs(10),
        realtime: true,
        gemini: false,
        rate: None,
        total: 10_000,
        users: 200,
        out: false,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--accounts" => wanted.accounts = number(rest.next()),
            "--seconds" => wanted.window = Duration::from_secs(number(rest.next()) as u64),
            "--rate" => wanted.rate = Some(number(rest.next())),
            "--total" => wanted.total = number(rest.next()),
            "--users" => wanted.users = number(rest.next()),
            "--out" => wanted.out = true,
            "--no-realtime" => wanted.realtime = false,
            "--engine" => wanted.gemini = rest.next().is_some_and(|engine| engine == "gemini"),
            calls => wanted.calls.push(number(Some(&calls.to_owned()))),
        }
    }
    if wanted.calls.is_empty() {
        wanted.calls = if wanted.gemini { vec![1, 50, 100, 200] } else { vec![50, 100, 200] };
    }
    wanted
}

fn number(text: Option<&String>) -> usize {
    text.and_then(|t| t.parse().ok()).expect("a number of calls, or --engine gemini, --accounts N, --seconds S, --no-realtime")
}

async fn measure(wanted: &Wanted) {
    println!("real-time priority {}; window {} s", if wanted.realtime { "asked for" } else { "off" }, wanted.window.as_secs());
    if let Some(per_second) = wanted.rate {
        let Wanted { total, users, out, realtime, .. } = *wanted;
        println!("{}\n{}", rate::COLUMNS, rate::row(Load { per_second, total, users, out, realtime }).await);
        return;
    }
    if wanted.gemini {
        return conversations(wanted).await;
    }
    accounts(wanted).await;
    println!("{COLUMNS}");
    for calls in &wanted.calls {
        let row = calls_row(*calls, wanted, None).await;
        println!("{calls:5} | {}", row.costs());
    }
}

/// With the AI at the other end of a WebSocket: costs while it speaks without end, then latencies of turns and marks.
async fn conversations(wanted: &Wanted) {
    println!("{COLUMNS} | of the AI's audio delivered %");
    for calls in &wanted.calls {
        let row = calls_row(*calls, wanted, Some(Pattern::Continuous)).await;
        println!("{calls:5} | {} | {:.2}", row.costs(), row.delivered_percent());
    }
    println!("\ncalls | CPU ms per call-second | caller → AI ms p50 / p95 (marks) | AI → caller ms p50 / p95 (turns)");
    for calls in &wanted.calls {
        // With few calls for longer, so that there are enough marks.
        let window = wanted.window.max(Duration::from_secs(60 / *calls as u64));
        let wanted = Wanted { calls: Vec::new(), window, ..*wanted };
        let row = calls_row(*calls, &wanted, Some(Pattern::Turns)).await;
        println!("{calls:5} | {:.2} | {}", row.cpu_ms, row.latencies());
    }
}

async fn carrier(users: usize) -> Carrier {
    let subscribers = (0..users).map(|n| Subscriber::new(&user(n), "pw")).collect();
    Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port")
}

/// Registrations with digest from boot, and memory per registered account against a server without any.
async fn accounts(wanted: &Wanted) {
    let users = wanted.accounts;
    let carrier = carrier(users).await;
    let empty = Server::start(0, carrier.address(), wanted.realtime, None).await;
    let base_kb = empty.memory_kb();
    let idle_cpu = empty.cpu();
    empty.stop().await;
    let begun = Instant::now();
    let full = Server::start(users, carrier.address(), wanted.realtime, None).await;
    let all = |carrier: &Carrier| carrier.bindings().len() == users;
    carrier.wait_until("all are registered", PATIENCE, all).await.expect("in time");
    let took = begun.elapsed().saturating_sub(full.prepared);
    let cpu = full.cpu().saturating_sub(idle_cpu).saturating_sub(full.preparing_cpu);
    println!(
        "{users} accounts: registered in {:.2} s ({:.0} per second), {:.0} µs CPU each, {:.1} KB each (whole process {base_kb} → {} KB)\n",
        took.as_secs_f32(),
        users as f32 / took.as_secs_f32(),
        cpu.as_micros() as f32 / users as f32,
        (full.memory_kb().saturating_sub(base_kb)) as f32 / users as f32,
        full.memory_kb(),
    );
    full.stop().await;
    carrier.stop().await;
}

async fn calls_row(calls: usize, wanted: &Wanted, pattern: Option<Pattern>) -> Row {
    let longest = wanted.window + SETTLE + RAMP * calls as u32 + Duration::from_secs(5);
    let carrier = carrier(calls).await;
    let fake = match pattern {
        Some(pattern) => Some(conversation::fake(pattern, longest).await),
        None => None,
    };
    let far = fake.as_ref().map(conversation::far);
    let server = Server::start(calls, carrier.address(), wanted.realtime, far.as_ref()).await;
    carrier.wait_until("all are registered", PATIENCE, |c| c.bindings().len() == calls).await.expect("in time");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before_kb = server.memory_kb();
    let mut up = Vec::with_capacity(calls);
    for n in 0..calls {
        let steps = if pattern == Some(Pattern::Turns) { conversation::marks(longest) } else { talk() };
        up.push((dial(&carrier, n, wanted.window, steps).await, Instant::now()));
        tokio::time::sleep(RAMP).await;
    }
    for (call, _) in &up {
        assert_eq!(call.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up), "every call is answered");
    }
    tokio::time::sleep(SETTLE).await;
    let (cpu, at) = (server.cpu(), Instant::now());
    tokio::time::sleep(wanted.window).await;
    let call_seconds = at.elapsed().as_secs_f64() * calls as f64;
    let cpu_ms = (server.cpu() - cpu).as_secs_f64() * 1_000.0 / call_seconds;
    let per_call_kb = server.memory_kb().saturating_sub(before_kb) / calls as u64;
    let mut row = Row { cpu_ms, per_call_kb, reports: Vec::with_capacity(calls), latencies: Latencies::default() };
    for (call, _) in &up {
        call.hang_up().await;
    }
    for (n, (call, dialled)) in up.into_iter().enumerate() {
        let report = call.finished().await.expect("a report");
        if let Some(fake) = fake.as_ref().filter(|_| pattern == Some(Pattern::Turns)) {
            let of_call = conversation::latencies(fake, &user(n), dialled, &report);
            row.latencies.up.extend(of_call.up);
            row.latencies.down.extend(of_call.down);
        }
        row.reports.push(report);
    }
    server.stop().await;
    carrier.stop().await;
    row
}

/// A caller who talks without pause.
fn talk() -> Vec<Step> {
    let speech = callie_lab::samples::Line::Long.samples();
    let mut steps = vec![Step::WaitAnswer];
    steps.extend(std::iter::repeat_n(Step::Play(speech), 12));
    steps.push(Step::WaitHangUp);
    steps
}

async fn dial(carrier: &Carrier, n: usize, window: Duration, steps: Vec<Step>) -> PhoneCall {
    let longest = window + Duration::from_secs(120);
    let options = PhoneOptions { longest, ..PhoneOptions::new(carrier.address(), &format!("caller{n}")) };
    Phone::call(&options, &user(n), callie_lab::phone::Script::new(steps)).await.expect("a telephone")
}

fn user(n: usize) -> String {
    format!("bench{n}")
}

/// What was measured with so many calls.
struct Row {
    cpu_ms: f64,
    per_call_kb: u64,
    reports: Vec<PhoneReport>,
    latencies: Latencies,
}

impl Row {
    /// Under [`COLUMNS`].
    fn costs(&self) -> String {
        let of = |pick: fn(&PhoneReport) -> Duration, share| ms(self.reports.iter().map(pick), share);
        let answered = |r: &PhoneReport| r.answered_after.unwrap_or_default();
        format!(
            "{:.2} | {:.2} / {:.2} / {:.2} ({:.2}) | {} | {:.1} / {:.1} | {}",
            self.cpu_ms,
            of(|r| r.rtp.gap_p50, 0.5),
            of(|r| r.rtp.gap_p99, 0.5),
            of(|r| r.rtp.gap_p999, 0.5),
            of(|r| r.rtp.gap_p99, 1.0),
            self.reports.iter().map(|r| r.rtp.lost).sum::<u64>(),
            of(answered, 0.5),
            of(answered, 0.95),
            self.per_call_kb,
        )
    }

    fn delivered_percent(&self) -> f64 {
        self.reports.iter().map(conversation::delivered).sum::<f64>() * 100.0 / self.reports.len() as f64
    }

    fn latencies(&self) -> String {
        let of = |all: &[Duration]| {
            let at = |share| ms(all.iter().copied(), share);
            format!("{:.1} / {:.1} ({})", at(0.5), at(0.95), all.len())
        };
        format!("{} | {}", of(&self.latencies.up), of(&self.latencies.down))
    }
}

/// The time below which this share of them is, in ms; 0 when there are none.
fn ms(all: impl Iterator<Item = Duration>, share: f64) -> f64 {
    let mut all: Vec<f64> = all.map(|time| time.as_secs_f64() * 1_000.0).collect();
    all.sort_by(f64::total_cmp);
    let at = (all.len().saturating_sub(1) as f64 * share).round() as usize;
    all.get(at).copied().unwrap_or_default()
}
