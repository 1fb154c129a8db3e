//! How soon the wire is silent after a flush or a pause: on a real socket, at moments that have nothing to do with the beat.
#![expect(clippy::print_stdout, reason = "what was measured is of interest also when it is good enough")]

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::{
    engine::{EngineOptions, Media, MediaEngine, Voice},
    ports::RtpPorts,
};
use peer::{Peer, open, params};
use std::time::{Duration, Instant};

const CALLS: usize = 8;
const STOPS: usize = 25;
/// Softer than this is not heard as speech: −50 dBFS.
const AUDIBLE: f32 = 100.0;
/// Packets in a row that prove the silence.
const SILENCE: usize = 3;
const BUDGET: Duration = Duration::from_millis(60);

fn tone() -> Vec<i16> {
    (0..2_400).map(|i| if i % 48 < 24 { 9_000 } else { -9_000 }).collect()
}

/// Interrupts a voice that never stops; how long after each `stop` the last audible packet came.
fn interrupt(peer: &mut Peer, media: &mut Media, seed: u64, stop: fn(&mut Voice)) -> Vec<Duration> {
    let mut dice = seed;
    let mut last_heard = Vec::new();
    for _ in 0..STOPS {
        media.voice.resume();
        while media.voice.say(tone()).is_ok() {}
        while peer.hear().loudest() < 8_000.0 {}
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        peer.listen_for(Duration::from_micros(1 + (dice >> 33) % 40_000));
        let stopped = Instant::now();
        stop(&mut media.voice);
        let (mut last, mut silent) = (Duration::ZERO, 0);
        while silent < SILENCE {
            silent = if peer.hear().loudest() > AUDIBLE { 0 } else { silent + 1 };
            if silent == 0 {
                last = stopped.elapsed();
            }
        }
        last_heard.push(last);
    }
    last_heard
}

#[test]
fn the_wire_is_silent_60_ms_after_a_flush_at_any_moment() {
    check(Voice::flush);
}

#[test]
fn the_wire_is_silent_60_ms_after_a_pause_at_any_moment() {
    check(Voice::pause);
}

fn check(stop: fn(&mut Voice)) {
    // With real-time priority where it is allowed: on a busy machine the test is of us, not of the scheduler.
    let engine = MediaEngine::start(EngineOptions::default()).expect("threads");
    let ports = RtpPorts::new();
    let mut last_heard: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS as u64)
            .map(|seed| {
                let (engine, ports) = (&engine, &ports);
                scope.spawn(move || {
                    let mut peer = Peer::new();
                    let (mut media, _) = open(engine, ports, params(peer.address()), None);
                    interrupt(&mut peer, &mut media, seed, stop)
                })
            })
            .collect();
        calls.into_iter().flat_map(|call| call.join().expect("no panic")).collect()
    });
    last_heard.sort();
    let (median, longest) = (last_heard[last_heard.len() / 2], *last_heard.last().expect("some"));
    // A thread that the machine did not let run is told apart from one that was slow.
    let stalled = engine.stats().worst_lateness;
    println!("last audible packet: median {median:?}, longest {longest:?}; worst tick {stalled:?} late");
    assert_eq!(last_heard.len(), CALLS * STOPS);
    assert!(longest <= BUDGET + stalled, "{longest:?}, though no tick was more than {stalled:?} late");
}
