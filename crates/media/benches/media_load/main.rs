//! What the media of many calls cost: an in-process agent speaks and listens in all of them, callers live in another process
//! whose CPU is not counted. The conversation engine and SIP are not part of this; it is the media alone.
//!
//! `cargo bench -p callie-media --bench media_load [-- CALLS…] [--seconds S] [--no-realtime]`
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]
#![expect(clippy::disallowed_methods, reason = "no runtime is blocked: callers and the measuring thread are plain threads")]

mod agent;
mod generator;
mod process;

use callie_media::{
    codec::{Codec, OpusParams},
    engine::{EngineOptions, MediaEngine},
    playout::SpeechRate,
    ports::{RtpPorts, RtpSocket},
    rtp::rtcp::RtcpParams,
    session::SessionParams,
};
use generator::Generator;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PORTS: std::ops::RangeInclusive<u16> = 40_000..=49_999;
/// Jitter buffers settle, filters and caches warm up.
const WARM_UP: Duration = Duration::from_secs(3);

struct Plan {
    calls: Vec<usize>,
    measured: Duration,
    realtime: bool,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((_, generator)) = arguments.split_first().filter(|(first, _)| *first == "generate") {
        return generator::run(generator);
    }
    let plan = Plan::parse(&arguments);
    println!(
        "calls  cpu ms/call-s  spacing ms p50    p99  p99.9   |off| us p50   p99  p99.9  lost  KB/call  late ticks  caller late p99"
    );
    for &calls in &plan.calls {
        measure(calls, &plan);
    }
}

impl Plan {
    fn parse(arguments: &[String]) -> Self {
        let mut plan = Self { calls: Vec::new(), measured: Duration::from_secs(10), realtime: true };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--no-realtime" => plan.realtime = false,
                "--seconds" => {
                    let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
                    plan.measured = seconds.map_or(plan.measured, Duration::from_secs);
                }
                // Cargo's own flags are not ours to refuse.
                other => plan.calls.extend(other.parse::<usize>()),
            }
        }
        if plan.calls.is_empty() {
            plan.calls = vec![50, 100, 200];
        }
        plan
    }
}

fn measure(calls: usize, plan: &Plan) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    let engine = MediaEngine::start(EngineOptions { realtime: plan.realtime, ..EngineOptions::default() }).expect("threads");
    let generator = Generator::start(WARM_UP, plan.measured);
    let ports = RtpPorts::new();
    let memory_before = process::resident_bytes();
    let sockets: Vec<RtpSocket> = (0..calls).map(|_| ports.reserve(PORTS, LOOPBACK).expect("a free port")).collect();
    let addresses: Vec<u16> = sockets.iter().map(RtpSocket::port).collect();
    let controls: Vec<_> = sockets
        .into_iter()
        .zip(0..)
        .map(|(socket, ssrc)| {
            let media = engine.open(socket, params(ssrc, generator.address), None).expect("opened");
            let control = media.control.clone();
            runtime.spawn(agent::converse(media));
            control
        })
        .collect();
    let generator = generator.call(&addresses);
    std::thread::sleep(WARM_UP);
    let (cpu_before, late_before) = (process::cpu(), engine.stats().late_ticks);
    std::thread::sleep(plan.measured);
    let cpu = process::cpu().saturating_sub(cpu_before);
    let late_ticks = engine.stats().late_ticks - late_before;
    let memory = process::resident_bytes().saturating_sub(memory_before);
    let lost: u64 = controls.iter().map(|control| control.stats().lost + control.stats().unheard).sum();
    let heard = generator.finish();
    let cpu_ms = cpu.as_secs_f64() * 1e3 / (calls as f64 * plan.measured.as_secs_f64());
    let [spacing_50, spacing_99, spacing_999] = heard.spacing_us.map(|us| us as f64 / 1e3);
    let [off_50, off_99, off_999] = heard.off_us;
    println!(
        "{calls:5}  {cpu_ms:13.3}  {spacing_50:14.2} {spacing_99:6.2} {spacing_999:6.2}  {off_50:13} {off_99:5} {off_999:6}  {:4}  {:7}  {late_ticks:10}  {:>12} us",
        lost + heard.lost,
        memory / 1024 / calls as u64,
        heard.own_lateness_us,
    );
}

fn params(ssrc: u32, remote: SocketAddr) -> SessionParams {
    SessionParams {
        codec: Codec::Pcmu,
        payload_type: 0,
        ptime_ms: 20,
        opus: OpusParams::default(),
        dtmf_payload_type: Some(101),
        dtmf_clock_hz: 8_000,
        comfort_noise_payload_type: None,
        ear_rate: SpeechRate::Hz16000,
        voice_rate: SpeechRate::Hz24000,
        ssrc,
        first_sequence: 0,
        first_timestamp: 0,
        remote: Some(remote),
        rtp_timeout: Duration::from_secs(3_600),
        srtp: None,
        rtcp: RtcpParams::default(),
    }
}
