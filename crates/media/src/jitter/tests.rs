//! The jitter buffer on a simulated network in virtual time.

use super::*;
use crate::FRAME;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Xorshift: the same network each time.
struct Dice(u64);

impl Dice {
    /// Between 0 and 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, with a deviation of one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

/// A second of speech, then half a second of silence, and so on.
fn is_silent(frame: usize) -> bool {
    frame % 75 >= 50
}

/// A frame that tells its number in its first codes.
fn codes(frame: usize) -> [u8; FRAME_SAMPLES] {
    let mut codes = [if is_silent(frame) { 0xfe } else { 0x20 }; FRAME_SAMPLES];
    codes[..4].copy_from_slice(&(frame as u32).to_be_bytes());
    codes
}

fn number(codes: &[u8]) -> usize {
    u32::from_be_bytes(codes[..4].try_into().expect("a whole frame")) as usize
}

/// What is to be heard now, as a session finds it: the number of a frame, `Err` for one that is missing.
fn hear(buffer: &mut JitterBuffer, now: Duration) -> Option<Result<usize, ()>> {
    let mut pop = || match buffer.pop(now) {
        Pop::Frame { codes, .. } => Some(Ok(number(codes))),
        Pop::Conceal { .. } => Some(Err(())),
        Pop::Empty => None,
    };
    match pop() {
        Some(Ok(frame)) if buffer.skips(if is_silent(frame) { 8.0 } else { 3_000.0 }, now) => hear(buffer, now),
        heard => heard,
    }
}

#[derive(Debug, Default)]
struct Outcome {
    played: Vec<usize>,
    lost: BTreeSet<usize>,
    /// Milliseconds from sending to playing, for each frame played.
    delays: Vec<f64>,
    empty: usize,
    stats: JitterStats,
}

impl Outcome {
    fn concealed_share(&self) -> f64 {
        self.stats.concealed as f64 / (self.played.len() as f64 + self.stats.concealed as f64)
    }

    fn final_delay(&self) -> f64 {
        self.delays.last().copied().unwrap_or_default()
    }

    /// Frames that arrived in time to be played, and were not.
    fn skipped(&self, frames: usize) -> Vec<usize> {
        let played: BTreeSet<_> = self.played.iter().copied().collect();
        (0..frames).filter(|i| !played.contains(i) && !self.lost.contains(i)).collect()
    }
}

/// Sends `frames` packets, one each `beat` seconds, of which `delay` tells the milliseconds of each under way (`None`:
/// lost), and pops every 20 ms.
fn simulate(frames: usize, beat: f64, mut delay: impl FnMut(usize, &mut Dice) -> Option<f64>) -> Outcome {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut out = Outcome::default();
    let mut arrivals = vec![];
    for frame in 0..frames {
        match delay(frame, &mut dice) {
            Some(ms) => arrivals.push((1.0 + beat * frame as f64 + ms / 1e3, frame)),
            None => drop(out.lost.insert(frame)),
        }
    }
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut arrivals = arrivals.into_iter().peekable();
    let mut buffer = JitterBuffer::of_codes();
    let pops = (beat * frames as f64 / 0.02) as usize + 100;
    for tick in 0..pops {
        let now = 1.0 + 0.013 + tick as f64 * 0.02;
        while let Some((at, frame)) = arrivals.next_if(|(at, _)| *at <= now) {
            let (sequence, timestamp) = ((frame + 65_000) as u16, (frame as u32).wrapping_mul(160).wrapping_sub(50_000));
            buffer.push(sequence, timestamp, &codes(frame), Duration::from_secs_f64(at));
        }
        match hear(&mut buffer, Duration::from_secs_f64(now)) {
            Some(Ok(frame)) => {
                out.played.push(frame);
                out.delays.push((now - 1.0 - beat * frame as f64) * 1e3);
            }
            Some(Err(())) => {}
            None => out.empty += 1,
        }
    }
    out.stats = buffer.stats();
    assert!(out.played.windows(2).all(|w| w[0] < w[1]), "frames are played in order");
    assert_eq!(out.stats.lost, out.lost.iter().filter(|l| **l < *out.played.last().unwrap_or(&0)).count() as u64);
    out
}

const MINUTE: usize = 3000;
const BEAT: f64 = 0.02;

#[test]
fn a_clean_line_is_played_whole_and_soon() {
    let out = simulate(MINUTE, BEAT, |_, _| Some(30.0));
    // The last frames are followed by nothing: five of concealment before it is known that the talk is over.
    assert_eq!((out.stats.concealed, out.stats.late), (5, 0));
    assert!(out.skipped(MINUTE).iter().all(|f| is_silent(*f)));
    assert!(out.skipped(MINUTE).len() as u64 == out.stats.dropped && out.stats.dropped <= 2);
    assert!(out.final_delay() - 30.0 <= 40.0, "{}", out.final_delay());
    assert_eq!(out.stats.jitter, Duration::ZERO);
}

#[test]
fn jitter_is_absorbed_by_as_much_delay_as_it_needs() {
    for (name, most_concealed, most_delay, sigma) in
        [("5 ms", 0.005, 65.0, 5.0), ("15 ms", 0.01, 120.0, 15.0), ("30 ms", 0.02, 200.0, 30.0)]
    {
        let out = simulate(MINUTE, BEAT, |_, dice| Some((100.0 + sigma * dice.normal()).max(0.0)));
        assert!(out.concealed_share() < most_concealed, "{name}: {:.4} concealed", out.concealed_share());
        assert!(out.final_delay() - 100.0 < most_delay, "{name}: {:.0} ms", out.final_delay() - 100.0);
        // For independent delays, the jitter tends to 2σ/√π.
        let jitter = out.stats.jitter.as_secs_f64() * 1e3;
        assert!((0.5..2.0).contains(&(jitter / (1.13 * sigma))), "{name}: jitter of {jitter:.1} ms");
    }
}

#[test]
fn losses_are_concealed_and_cost_no_delay() {
    let alone = simulate(MINUTE, BEAT, |_, dice| (dice.roll() > 0.05).then_some(20.0));
    let mut bad = false;
    let bursts = simulate(MINUTE, BEAT, |_, dice| {
        bad = if bad { dice.roll() < 0.75 } else { dice.roll() < 0.015 };
        (!bad).then_some(20.0)
    });
    for (name, out) in [("alone", alone), ("in bursts", bursts)] {
        let lost = out.lost.len() as u64;
        assert!(lost > 100, "{name}");
        // A loss inside a dropped silence needs no concealment; one at the end of all adds up to five; the sixth frame of
        // a long gap is silence already.
        let (concealed, silent) = (out.stats.concealed, out.empty as u64);
        assert!(concealed <= lost + 15, "{name}: {lost} lost, {concealed} concealed");
        assert!(concealed + silent + 15 >= lost, "{name}: {lost} lost, {concealed} concealed");
        assert!(out.final_delay() <= 60.0, "{name}: {}", out.final_delay());
        assert_eq!(out.stats.late, 0, "{name}");
        assert!(out.skipped(MINUTE).iter().all(|f| is_silent(*f)), "{name}");
    }
}

#[test]
fn overtaken_packets_are_put_back() {
    let out = simulate(MINUTE, BEAT, |frame, _| Some(if frame % 10 == 3 { 45.0 } else { 10.0 }));
    assert!(out.stats.late <= 2, "{} late", out.stats.late);
    assert!(out.stats.concealed <= 5 + 4, "{} concealed", out.stats.concealed);
    assert!(out.final_delay() <= 80.0, "{}", out.final_delay());
}

#[test]
fn a_spike_delays_for_a_while_only() {
    // The network holds everything back for a time, then delivers it in one go.
    for stall in [60.0, 150.0, 400.0] {
        let out = simulate(MINUTE, BEAT, |frame, _| {
            Some(20.0 + (stall - (frame as f64 - 1000.0) * 20.0).max(0.0) * f64::from(u8::from(frame >= 1000)))
        });
        let late_frames = (stall / 20.0) as u64;
        assert!(out.stats.concealed <= 5 + late_frames, "{stall}: {} concealed", out.stats.concealed);
        assert!(out.final_delay() <= 60.0, "{stall}: {} ms in the end", out.final_delay());
        let worst = out.delays.iter().copied().fold(0.0, f64::max);
        assert!(worst <= 300.0, "{stall}: {worst} ms at worst");
        let spoken = out.skipped(MINUTE).into_iter().filter(|f| !is_silent(*f)).count() as u64;
        assert!(spoken <= late_frames, "{stall}: {spoken} frames of speech were dropped");
    }
}

#[test]
fn clocks_that_drift_are_followed() {
    for ppm in [-300.0, 300.0] {
        let frames = 10 * MINUTE;
        let out = simulate(frames, BEAT * (1.0 + ppm * 1e-6), |_, dice| Some(20.0 + 3.0 * dice.roll()));
        // 180 ms in ten minutes: nine frames too many or too few.
        assert!(out.stats.concealed <= 5 + 12, "{ppm}: {} concealed", out.stats.concealed);
        assert!(out.stats.dropped <= 14, "{ppm}: {} dropped", out.stats.dropped);
        assert!(out.delays.iter().all(|ms| (20.0..100.0).contains(ms)), "{ppm}");
        assert!(out.skipped(frames).iter().all(|f| is_silent(*f)), "{ppm}");
    }
}

#[test]
fn a_silent_sender_is_waited_for_in_silence() {
    // Silence suppression: nothing is sent in the pauses.
    let mut sent = 0;
    let mut buffer = JitterBuffer::of_codes();
    let (mut frames, mut conceals, mut empties) = (0, 0, 0);
    for tick in 0..MINUTE {
        let now = FRAME * tick as u32;
        if !is_silent(tick) {
            assert_eq!(buffer.push(sent, 160 * tick as u32, &codes(tick), now), Pushed::Queued);
            sent += 1;
        }
        match buffer.pop(now) {
            Pop::Frame { .. } => frames += 1,
            Pop::Conceal { .. } => conceals += 1,
            Pop::Empty => empties += 1,
        }
    }
    assert_eq!(frames, usize::from(sent));
    assert_eq!(conceals, 5 * MINUTE / 75);
    assert_eq!(empties, MINUTE - frames - conceals);
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn packets_of_any_length_come_out_in_frames_of_twenty() {
    let speech: Vec<u8> = (0..8000u32).map(|i| (i % 100) as u8).collect();
    for samples in [40, 80, 120, 160, 240, 320, 480] {
        let mut buffer = JitterBuffer::of_codes();
        let mut packets = speech.chunks(samples).enumerate().peekable();
        let mut heard = vec![];
        for tick in 0..60 {
            let now = FRAME * tick;
            // A packet can be sent when its last sample has been spoken.
            while let Some((i, packet)) = packets.next_if(|(i, p)| (i * samples + p.len()) as u32 <= 160 * (tick + 1)) {
                assert_eq!(buffer.push(i as u16, (i * samples) as u32, packet, now), Pushed::Queued, "{samples}");
            }
            match buffer.pop(now) {
                Pop::Frame { codes, .. } => heard.extend_from_slice(codes),
                Pop::Conceal { .. } => assert_eq!(heard.len(), speech.len(), "{samples}: concealed at {}", heard.len()),
                Pop::Empty => {}
            }
        }
        assert!(heard == speech, "{samples}");
    }
}

/// A buffer in the middle of a stream: the next packet is number 50, at 1 s.
fn playing() -> JitterBuffer {
    let mut buffer = JitterBuffer::of_codes();
    for i in 0..50u16 {
        let now = FRAME * u32::from(i);
        buffer.push(i, 160 * u32::from(i), &codes(i.into()), now);
        buffer.pop(now);
    }
    buffer
}

#[test]
fn packets_are_judged() {
    let one_second = Duration::from_secs(1);
    let check = |sequence, timestamp, want| {
        let mut buffer = playing();
        assert_eq!(buffer.push(sequence, timestamp, &codes(0), one_second), want, "{sequence} {timestamp}");
        buffer
    };
    check(50, 8000, Pushed::Queued);
    assert_eq!(check(49, 7840, Pushed::Duplicate).stats().duplicates, 1);
    // Older than what has been played, yet not heard before: impossible here but for a forged timestamp.
    assert_eq!(check(50, 1600, Pushed::Late).stats().late, 1);
    check(40_000, 8000, Pushed::Late);
    check(50, 1_000_000, Pushed::Restarted);
    check(50, 0u32.wrapping_sub(1_000_000), Pushed::Restarted);
    let overflow = check(70, 8000 + 20 * 160, Pushed::Overflow);
    assert!(overflow.stats().dropped > 10);
}

#[test]
fn a_new_stream_is_played_after_a_restart() {
    let go_on = |mut buffer: JitterBuffer, sequence: u16, timestamp: u32| {
        let mut heard = vec![];
        for i in 0..10u16 {
            let now = Duration::from_secs(1) + FRAME * u32::from(i);
            buffer.push(sequence.wrapping_add(i), timestamp.wrapping_add(160 * u32::from(i)), &codes(1000 + usize::from(i)), now);
            if let Pop::Frame { codes, .. } = buffer.pop(now) {
                heard.push(number(codes));
            }
        }
        // The stream before may have had a frame left.
        heard.retain(|frame| *frame >= 1000);
        heard
    };
    let whole: Vec<usize> = (1000..1008).collect();
    let but_first: Vec<usize> = (1001..1008).collect();
    assert_eq!(go_on(playing(), 50, 3_000_000_000), whole, "new timestamps");
    assert_eq!(go_on(playing(), 40_000, 3_000_000_000), but_first, "new numbers: the first is not believed");
    let mut other = playing();
    other.restart();
    assert_eq!(go_on(other, 40_000, 3_000_000_000), whole, "another source");
}

#[test]
fn packets_without_speech_are_not_lost() {
    let mut buffer = playing();
    buffer.observe(50);
    buffer.observe(51);
    buffer.push(52, 8320, &codes(52), Duration::from_millis(1040));
    assert_eq!((buffer.stats().lost, buffer.stats().received), (0, 51));
}

#[test]
fn a_pause_that_was_told_is_not_concealed() {
    let mut buffer = playing();
    let now = |tick: u32| Duration::from_secs(1) + FRAME * tick;
    buffer.observe(50);
    buffer.pause();
    let heard = [0, 1, 2].map(|tick| hear(&mut buffer, now(tick)));
    assert_eq!(heard, [Some(Ok(48)), Some(Ok(49)), None]);
    let before = buffer.stats();
    buffer.push(51, 160 * 100, &codes(100), now(50));
    let heard: Vec<_> = (50..58).filter_map(|tick| hear(&mut buffer, now(tick))).collect();
    assert_eq!(heard.first(), Some(&Ok(100)));
    assert_eq!((buffer.stats().jitter, buffer.stats().lost), (before.jitter, 0));
    assert_eq!(heard.len(), 6, "five frames of concealment, for this time no pause was told");
}

#[test]
fn packets_that_are_whole_are_there_while_they_are_due() {
    let mut buffer = JitterBuffer::of_packets();
    let mut heard = vec![];
    for tick in 0..50_u32 {
        let now = FRAME * tick;
        // 60 ms each, the fifth lost.
        if tick % 3 == 2 && tick != 14 {
            let number = (tick / 3) as u16;
            assert_eq!(buffer.push_packet(number, 480 * u32::from(number), 480, &[number as u8; 9], now), Pushed::Queued);
        }
        let (at, next) = match buffer.pop(now) {
            Pop::Frame { at, codes, .. } => (Some(at), codes.first().copied()),
            Pop::Conceal { next } => (None, next.and_then(|packet| packet.payload.first().copied())),
            Pop::Empty => continue,
        };
        heard.push(match at {
            Some(at) => Ok((at / 160, buffer.packet(at).expect("due").payload[0])),
            None => Err(next),
        });
    }
    for (i, heard) in heard.iter().enumerate() {
        let number = (i / 3) as u8;
        let want = match i {
            12 | 13 => Err(None),
            14 => Err(Some(5)),
            _ => Ok((i as u32, number)),
        };
        assert_eq!(*heard, want, "{i}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push { sequence: u16, timestamp: u32, len: usize },
    Next { skip: u8, len: usize },
    Pop,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (any::<u16>(), any::<u32>(), 0usize..2000).prop_map(|(sequence, timestamp, len)| Step::Push { sequence, timestamp, len }),
        3 => (any::<u16>(), 0u32..20_000, 0usize..700).prop_map(|(s, timestamp, len)| Step::Push { sequence: s % 200, timestamp, len }),
        8 => (0u8..4, 1usize..500).prop_map(|(skip, len)| Step::Next { skip, len }),
        8 => Just(Step::Pop),
        2 => (0u16..400).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Strangers may send what they like: nothing panics, what is queued stays bounded, and silence follows soon.
    #[test]
    fn any_packets_are_survived(steps in proptest::collection::vec(step(), 0..400)) {
        let mut buffer = JitterBuffer::of_codes();
        let (mut now, mut sequence, mut timestamp) = (Duration::ZERO, 0u16, 0u32);
        for step in steps {
            match step {
                Step::Push { sequence, timestamp, len } => { buffer.push(sequence, timestamp, &vec![0x20; len], now); }
                Step::Next { skip, len } => {
                    sequence = sequence.wrapping_add(1 + u16::from(skip));
                    timestamp = timestamp.wrapping_add((1 + u32::from(skip)) * len as u32);
                    buffer.push(sequence, timestamp, &vec![0x20; len], now);
                }
                Step::Pop => {
                    if let Pop::Frame { codes, .. } = buffer.pop(now) {
                        prop_assert_eq!(codes.len(), FRAME_SAMPLES);
                    }
                    now += FRAME;
                }
                Step::Wait(ms) => now += Duration::from_millis(ms.into()),
            }
            prop_assert!(buffer.stats().depth <= duration(MAX_QUEUED + MAX_DRY));
        }
        let bound = (MAX_QUEUED + 2 * MAX_DRY + MAX_DELAY) / FRAME_LEN + 2;
        let last = (0..bound).find(|_| { now += FRAME; buffer.pop(now) == Pop::Empty && matches!(buffer.state, State::Idle) });
        prop_assert!(last.is_some());
    }
}
