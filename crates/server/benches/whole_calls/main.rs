//! What whole calls cost: SIP, SDP, RTP, an engine in the server's process that speaks and listens without pause, recording and
//! records. The server is a process of its own, and only its CPU and memory are counted; this one is the carrier and the
//! callers.
//!
//! ```text
//! cargo bench -p callie-server --bench whole_calls [-- CALLS…] [--accounts N] [--seconds S] [--no-realtime]
//! ```

mod engine;
mod process;
mod server;

use callie_lab::{
    carrier::{Carrier, CarrierOptions, Subscriber},
    phone::{Phone, PhoneCall, PhoneOptions, PhoneReport, PhoneState, Step},
};
use process::Server;
use std::time::{Duration, Instant};

const SETTLE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(120);

struct Wanted {
    calls: Vec<usize>,
    accounts: usize,
    window: Duration,
    realtime: bool,
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
    let mut wanted = Wanted { calls: Vec::new(), accounts: 1_000, window: Duration::from_secs(10), realtime: true };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--accounts" => wanted.accounts = number(rest.next()),
            "--seconds" => wanted.window = Duration::from_secs(number(rest.next()) as u64),
            "--no-realtime" => wanted.realtime = false,
            calls => wanted.calls.push(number(Some(&calls.to_owned()))),
        }
    }
    if wanted.calls.is_empty() {
        wanted.calls = vec![50, 100, 200];
    }
    wanted
}

fn number(text: Option<&String>) -> usize {
    text.and_then(|t| t.parse().ok()).expect("a number of calls, or --accounts N, --seconds S, --no-realtime")
}

async fn measure(wanted: &Wanted) {
    println!("real-time priority {}; window {} s", if wanted.realtime { "asked for" } else { "off" }, wanted.window.as_secs());
    accounts(wanted).await;
    println!(
        "calls | CPU ms per call-second | spacing ms p50 / p99 / p99.9, median of calls (worst p99) | lost | INVITE→200 ms p50 / p95 | KB per call"
    );
    for calls in &wanted.calls {
        calls_row(*calls, wanted).await;
    }
}

async fn carrier(users: usize) -> Carrier {
    let subscribers = (0..users).map(|n| Subscriber::new(&format!("bench{n}"), "pw")).collect();
    Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port")
}

/// Registrations with digest from boot, and memory per registered account against a server without any.
async fn accounts(wanted: &Wanted) {
    let users = wanted.accounts;
    let carrier = carrier(users).await;
    let empty = Server::start(0, carrier.address(), wanted.realtime).await;
    let base_kb = empty.memory_kb();
    let idle_cpu = empty.cpu();
    empty.stop().await;
    let begun = Instant::now();
    let full = Server::start(users, carrier.address(), wanted.realtime).await;
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

async fn calls_row(calls: usize, wanted: &Wanted) {
    let carrier = carrier(calls).await;
    let server = Server::start(calls, carrier.address(), wanted.realtime).await;
    carrier.wait_until("all are registered", PATIENCE, |c| c.bindings().len() == calls).await.expect("in time");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before_kb = server.memory_kb();
    let mut up = Vec::with_capacity(calls);
    for n in 0..calls {
        up.push(dial(&carrier, n, wanted.window).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for call in &up {
        assert_eq!(call.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up), "every call is answered");
    }
    tokio::time::sleep(SETTLE).await;
    let (cpu, at) = (server.cpu(), Instant::now());
    tokio::time::sleep(wanted.window).await;
    let call_seconds = at.elapsed().as_secs_f64() * calls as f64;
    let cpu_ms = (server.cpu() - cpu).as_secs_f64() * 1_000.0 / call_seconds;
    let per_call_kb = server.memory_kb().saturating_sub(before_kb) / calls as u64;
    let mut reports = Vec::with_capacity(calls);
    for call in up {
        call.hang_up().await;
        reports.push(call.finished().await.expect("a report"));
    }
    print_row(calls, cpu_ms, per_call_kb, &reports);
    server.stop().await;
    carrier.stop().await;
}

async fn dial(carrier: &Carrier, n: usize, window: Duration) -> PhoneCall {
    let longest = window + Duration::from_secs(120);
    let options = PhoneOptions { longest, ..PhoneOptions::new(carrier.address(), &format!("caller{n}")) };
    // A caller who talks without pause.
    let speech = callie_lab::samples::Line::Long.samples();
    let mut steps = vec![Step::WaitAnswer];
    steps.extend(std::iter::repeat_n(Step::Play(speech), 12));
    steps.push(Step::WaitHangUp);
    Phone::call(&options, &format!("bench{n}"), callie_lab::phone::Script::new(steps)).await.expect("a telephone")
}

fn print_row(calls: usize, cpu_ms: f64, per_call_kb: u64, reports: &[PhoneReport]) {
    let ms = |pick: fn(&PhoneReport) -> Duration, share: f64| {
        let mut all: Vec<f64> = reports.iter().map(|r| pick(r).as_secs_f64() * 1_000.0).collect();
        all.sort_by(f64::total_cmp);
        all[((all.len() - 1) as f64 * share).round() as usize]
    };
    let answered = |r: &PhoneReport| r.answered_after.unwrap_or_default();
    let lost: u64 = reports.iter().map(|r| r.rtp.lost).sum();
    println!(
        "{calls:5} | {cpu_ms:.2} | {:.2} / {:.2} / {:.2} ({:.2}) | {lost} | {:.1} / {:.1} | {per_call_kb}",
        ms(|r| r.rtp.gap_p50, 0.5),
        ms(|r| r.rtp.gap_p99, 0.5),
        ms(|r| r.rtp.gap_p999, 0.5),
        ms(|r| r.rtp.gap_p99, 1.0),
        ms(answered, 0.5),
        ms(answered, 0.95),
    );
}
