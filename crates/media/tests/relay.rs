//! Two calls joined in the engine, each with a peer on a real socket.

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::{
    engine::{Media, MediaControl, Relay},
    playout::SpeechRate,
    ports::RtpPorts,
    session::SessionParams,
    wav::Wav,
};
use peer::{Peer, engine, open, params};
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

const LOUD: f32 = 6_000.0;
/// Beats from one burst to the next, and of each burst.
const PERIOD: usize = 25;
const BURST: usize = 5;

/// What a peer did in its beats.
#[derive(Default)]
struct Diary {
    /// When it began each of its bursts.
    spoke: Vec<Instant>,
    /// When it began to hear something loud.
    heard: Vec<Instant>,
    loud_frames: usize,
    loudest: f32,
}

/// So many beats of bursts, or of silence when `level` is 0.
fn live(mut peer: Peer, beats: usize, level: f32, line: SocketAddr) -> (Peer, Diary) {
    let mut diary = Diary::default();
    let mut was_loud = false;
    for beat in 0..beats {
        let frame = peer.hear();
        let is_loud = frame.loudest() > LOUD / 2.0;
        if is_loud && !was_loud {
            diary.heard.push(Instant::now());
        }
        was_loud = is_loud;
        diary.loud_frames += usize::from(is_loud);
        diary.loudest = diary.loudest.max(frame.loudest());
        let phase = beat % PERIOD;
        if phase == PERIOD / 2 && level > 0.0 {
            diary.spoke.push(Instant::now());
        }
        peer.speak(if (PERIOD / 2..PERIOD / 2 + BURST).contains(&phase) { level } else { 0.0 }, line);
    }
    (peer, diary)
}

fn both(a: Peer, b: Peer, beats: usize, levels: [f32; 2], lines: [SocketAddr; 2]) -> [(Peer, Diary); 2] {
    let other = thread::spawn(move || live(b, beats, levels[1], lines[1]));
    let first = live(a, beats, levels[0], lines[0]);
    [first, other.join().expect("no panic")]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// From each beginning to the next hearing of it.
fn delays(spoke: &[Instant], heard: &[Instant]) -> Vec<Duration> {
    let after = |spoke: &Instant| heard.iter().find(|heard| *heard > spoke).map(|heard| heard.duration_since(*spoke));
    spoke.iter().filter_map(after).collect()
}

/// How long a burst takes to the ear of a call that is not joined.
fn ear_delay(media: &mut Media, peer: Peer, line: SocketAddr) -> (Peer, Duration) {
    let speaker = thread::spawn(move || live(peer, 6 * PERIOD, LOUD, line));
    let (mut heard, mut was_loud) = (Vec::new(), false);
    while !speaker.is_finished() {
        while let Some(frame) = media.ear.pop() {
            let is_loud = frame.iter().any(|sample| sample.unsigned_abs() > 3_000);
            if is_loud && !was_loud {
                heard.push(Instant::now());
            }
            was_loud = is_loud;
        }
        thread::yield_now();
    }
    let (peer, diary) = speaker.join().expect("no panic");
    (peer, median(delays(&diary.spoke, &heard)))
}

fn rates(remote: SocketAddr, ear: SpeechRate, voice: SpeechRate) -> SessionParams {
    SessionParams { ear_rate: ear, voice_rate: voice, ..params(remote) }
}

async fn closed(control: MediaControl) {
    control.close().await;
}

#[test]
fn joined_calls_hear_each_other_and_little_later() {
    let (engine, ports) = (engine(), RtpPorts::new());
    let (a, mut b) = (Peer::new(), Peer::new());
    // The two agents have different rates: each line is resampled at most once.
    let (mut media_a, line_a) = open(&engine, &ports, rates(a.address(), SpeechRate::Hz16000, SpeechRate::Hz24000), None);
    let (media_b, line_b) = open(&engine, &ports, rates(b.address(), SpeechRate::Hz8000, SpeechRate::Hz8000), None);
    let (a, alone) = ear_delay(&mut media_a, a, line_a);
    // What has come for it meanwhile is of the past.
    b.listen_for(Duration::from_millis(50));
    let relay = Relay::join(&media_a.control, &media_b.control);
    let [(_, first), (_, second)] = both(a, b, 14 * PERIOD, [LOUD, LOUD / 1.5], [line_a, line_b]);
    for (name, from, to, level) in [("a to b", &first, &second, LOUD), ("b to a", &second, &first, LOUD / 1.5)] {
        let late = delays(&from.spoke, &to.heard);
        assert!(late.len() >= 10, "{name}: {} of {} bursts were heard", late.len(), from.spoke.len());
        let added = median(late).saturating_sub(alone);
        assert!(added <= Duration::from_millis(40), "{name}: {added:?} more than the {alone:?} to an ear");
        // A square wave rings in the filters.
        assert!((0.8 * level..1.5 * level).contains(&to.loudest), "{name}: {} of {level}", to.loudest);
    }
    let expected = second.heard.len() * BURST;
    assert!((expected - 3..=expected + second.heard.len() * 2).contains(&second.loud_frames), "{} frames", second.loud_frames);
    drop(relay);
}

#[test]
fn calls_that_part_have_their_agents_again() {
    let (engine, ports, folder) = (engine(), RtpPorts::new(), tempfile::tempdir().expect("a folder"));
    let (a, b) = (Peer::new(), Peer::new());
    let path = folder.path().join("a.wav");
    let (mut media_a, line_a) = open(&engine, &ports, params(a.address()), Some(path.clone()));
    let (media_b, line_b) = open(&engine, &ports, params(b.address()), None);
    let relay = Relay::join(&media_a.control, &media_b.control);
    media_a.voice.say(vec![12_000; 2_400]).expect("room");
    let [(a, heard), (b, _)] = both(a, b, 4 * PERIOD, [LOUD, LOUD], [line_a, line_b]);
    assert!(heard.loudest < 10_000.0, "the agent is not heard while its caller is joined");
    assert_eq!(media_a.ear.frames(), 0, "nor does it hear");
    drop(relay);
    media_a.voice.flush();
    media_a.voice.say(vec![12_000; 24_000]).expect("room");
    let [(_, heard), (_, other)] = both(a, b, 2 * PERIOD, [LOUD, 0.0], [line_a, line_b]);
    assert!(heard.loudest > 8_000.0, "the agent is heard: {}", heard.loudest);
    assert_eq!(other.loud_frames, 0, "and the other call is another's");
    assert!(media_a.ear.frames() > 20, "it hears again");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        closed(media_a.control).await;
        closed(media_b.control).await;
    });
    let bytes = std::fs::read(&path).expect("recorded");
    let wav = Wav::parse(&bytes).expect("a WAV file");
    let loud = |samples: &[i16]| samples.iter().filter(|sample| sample.unsigned_abs() > 3_000).count() / 160;
    let (left, right): (Vec<i16>, Vec<i16>) = (wav.channel(0).collect(), wav.channel(1).collect());
    assert!(loud(&left) >= 4 * BURST, "the caller is on the left");
    assert!(loud(&right) >= 3 * BURST, "the other party, then the agent, on the right");
}

#[test]
fn a_joined_call_that_closes_leaves_the_other_in_silence() {
    let (engine, ports) = (engine(), RtpPorts::new());
    let (a, b) = (Peer::new(), Peer::new());
    let (media_a, line_a) = open(&engine, &ports, params(a.address()), None);
    let (media_b, line_b) = open(&engine, &ports, params(b.address()), None);
    let relay = Relay::join(&media_a.control, &media_b.control);
    let [(a, _), (b, heard)] = both(a, b, 2 * PERIOD, [LOUD, 0.0], [line_a, line_b]);
    assert!(heard.loud_frames > 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(closed(media_a.control));
    drop(a);
    let (_, heard) = live(b, PERIOD, LOUD, line_b);
    assert_eq!(heard.loud_frames, 0);
    drop(relay);
    assert_eq!(engine.stats().calls, 1);
}
