//! The engine over real loopback sockets.

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::{
    FRAME_SAMPLES,
    dtmf::DtmfWay,
    engine::{EngineOptions, Media, MediaEngine, MediaEvent},
    ports::RtpPorts,
    record::repair,
    wav::Wav,
};
use peer::{DEADLINE, Peer, engine, open, params};
use std::{future::Future, net::UdpSocket, time::Duration};
use tokio::time::timeout;

/// Runs a test's tasks beside its blocking peer.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().expect("a runtime");
    runtime.block_on(async { timeout(DEADLINE * 3, test).await.expect("before the deadline") })
}

/// The next event that is no mark of speech.
async fn line_event(media: &mut Media) -> Option<MediaEvent> {
    loop {
        match media.events.recv().await {
            Some(MediaEvent::CallerSpeech { .. } | MediaEvent::AgentSpeech { .. }) => {}
            event => return event,
        }
    }
}

fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|i| if i % 48 < 24 { 9_000 } else { -9_000 }).collect()
}

#[test]
fn audio_goes_both_ways_and_the_stream_is_continuous() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, local) = open(&engine, &ports, params(peer.address()), None);
        let first = peer.hear().header;
        assert_eq!((first.ssrc, first.payload_type, first.marker), (0xca11, 0, true));
        media.voice.say(tone(24_000)).expect("room");
        let mut spoken = 0;
        for i in 1..=60 {
            let heard = peer.exchange(5_000.0, local);
            assert_eq!(heard.header.sequence, first.sequence.wrapping_add(i));
            assert_eq!(heard.header.timestamp, first.timestamp.wrapping_add(u32::from(i) * 160));
            spoken += usize::from(heard.loudest() > 8_000.0);
        }
        // One second of speech is 50 frames, of which the first and the last may be partly filter.
        assert!((49..=51).contains(&spoken), "{spoken} frames of speech");
        media.voice.drained().await;
        assert_eq!(media.voice.queued(), Duration::ZERO);
        assert!(media.voice.recycled().is_some_and(|spent| spent.is_empty() && spent.capacity() >= 24_000));
        let mut loud = 0;
        while loud < 20 {
            media.ear.ready().await;
            assert!(media.ear.frames() >= 2);
            while let Some(frame) = media.ear.pop() {
                assert_eq!(frame.len(), FRAME_SAMPLES);
                loud += usize::from(frame.iter().any(|sample| sample.unsigned_abs() > 4_000));
            }
        }
        assert_eq!(line_event(&mut media).await, Some(MediaEvent::FirstRtp { from: peer.address() }));
        let stats = media.control.close().await;
        assert_eq!((stats.latched, stats.local), (Some(peer.address()), local));
        assert!(stats.sent >= 60 && stats.received >= 50, "{stats:?}");
        assert_eq!((stats.junk, stats.lost, stats.late, stats.send_errors), (0, 0, 0, 0), "{stats:?}");
    });
}

#[test]
fn a_pause_keeps_what_was_said_and_what_was_heard_is_counted_once() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, _) = open(&engine, &ports, params(peer.address()), None);
        for _ in 0..10 {
            media.voice.say(tone(2_400)).expect("room");
        }
        media.voice.end_of_speech();
        let mut spoken = 0;
        while spoken < 20 {
            spoken += usize::from(peer.hear().loudest() > 8_000.0);
        }
        media.voice.pause();
        while peer.hear().loudest() > 100.0 {}
        let played = media.voice.played();
        for _ in 0..10 {
            assert!(peer.hear().loudest() < 100.0);
        }
        assert_eq!((media.voice.played(), media.voice.is_drained()), (played, false));
        assert!(played >= Duration::from_millis(400) && played < Duration::from_millis(500), "{played:?}");
        assert_eq!(media.voice.queued(), Duration::from_secs(1) - played);
        media.voice.resume();
        media.voice.drained().await;
        assert_eq!(media.voice.played(), Duration::from_secs(1));
    });
}

#[test]
fn speech_is_marked_by_its_time_at_the_socket() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, local) = open(&engine, &ports, params(peer.address()), None);
        let (mut sent, mut heard, mut frames) = (Vec::new(), Vec::new(), Vec::new());
        for beat in 0..90 {
            if beat == 5 {
                media.voice.say(tone(12_000)).expect("room");
                media.voice.end_of_speech();
            }
            let loudest = peer.hear().loudest();
            let now = MediaEngine::now();
            heard.push((loudest > 200.0, now));
            let loud = (20..50).contains(&beat);
            peer.speak(if loud { 5_000.0 } else { 10.0 }, local);
            sent.push((loud, now, MediaEngine::now()));
            while let Some((frame, at)) = media.ear.pop_timed() {
                frames.push((frame.iter().any(|sample| sample.unsigned_abs() > 4_000), at));
            }
        }
        let mut marks = Vec::new();
        while marks.len() < 5 {
            marks.push(media.events.recv().await.expect("open"));
        }
        let loud: Vec<_> = sent.iter().filter(|(loud, ..)| *loud).collect();
        let audible: Vec<_> = heard.iter().filter(|(loud, _)| *loud).collect();
        let marked = |wanted: fn(&MediaEvent) -> Option<Duration>| marks.iter().find_map(wanted).expect("marked");
        // The kernel's clock and ours are not read at the same instant; packets leave within a tick, and our thread may wake late.
        let clocks = Duration::from_millis(1);
        let caller = [
            marked(|event| if let MediaEvent::CallerSpeech { on: true, at } = event { Some(*at) } else { None }),
            marked(|event| if let MediaEvent::CallerSpeech { on: false, at } = event { Some(*at) } else { None }),
        ];
        for (at, (_, before, after)) in caller.iter().zip([loud[0], loud[loud.len() - 1]]) {
            assert!(*at + clocks >= *before && *at <= *after + clocks, "{at:?} is not within {before:?} and {after:?}");
        }
        let agent = [
            marked(|event| if let MediaEvent::AgentSpeech { on: true, at } = event { Some(*at) } else { None }),
            marked(|event| if let MediaEvent::AgentSpeech { on: false, at } = event { Some(*at) } else { None }),
        ];
        for (at, (_, came)) in agent.iter().zip([audible[0], audible[audible.len() - 1]]) {
            assert!(at <= came && *came - *at < Duration::from_millis(25), "marked {at:?}, came {came:?}");
        }
        let first_heard = frames.iter().find(|(loud, _)| *loud).expect("heard").1;
        assert_eq!(first_heard, caller[0], "the agent is told of the same moment");
    });
}

#[test]
fn a_far_end_that_wants_no_rtp_gets_none() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, local) = open(&engine, &ports, params(peer.address()), None);
        let before = peer.exchange(0.0, local).header;
        media.control.mute_send(true);
        media.voice.say(tone(2_400)).expect("room");
        media.voice.end_of_speech();
        media.voice.drained().await;
        let sent = media.control.stats().sent;
        peer.listen_for(Duration::from_millis(100));
        assert!(media.control.stats().sent <= sent + 1, "one may have been under way");
        media.control.mute_send(false);
        let after = peer.hear().header;
        assert!(after.marker && after.sequence.wrapping_sub(before.sequence) < 10, "{before:?}, then {after:?}");
        assert!(after.timestamp.wrapping_sub(before.timestamp) >= 160 * 8);
    });
}

#[test]
fn a_flush_silences_the_line_within_two_packets() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, _) = open(&engine, &ports, params(peer.address()), None);
        // More than the ring takes: the rest stays with us.
        let refused = (0..1_000).find_map(|_| media.voice.say(tone(2_400)).err());
        assert_eq!(refused.map(|samples| samples.len()), Some(2_400));
        assert!(media.voice.queued() > Duration::from_secs(6));
        while peer.hear().loudest() < 8_000.0 {}
        media.voice.flush();
        assert_eq!(media.voice.queued(), Duration::ZERO);
        // What was under way when the flush came, then the fade; a busy machine may have let some pile up in the socket.
        let mut fading = 0;
        while peer.hear().loudest() > 50.0 {
            fading += 1;
        }
        assert!(fading <= 4, "{fading} packets of speech after the flush");
        media.voice.drained().await;
        media.voice.room().await;
        media.voice.say(tone(2_400)).expect("room");
        while peer.hear().loudest() < 8_000.0 {}
        media.voice.drained().await;
    });
}

#[test]
fn what_was_played_is_counted_and_what_was_flushed_is_not() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, _) = open(&engine, &ports, params(peer.address()), None);
        let ms = Duration::from_millis;
        assert_eq!(media.voice.played(), Duration::ZERO);
        // Two flushes, with new speech before the first can have taken effect.
        let mut before = Duration::ZERO;
        for _ in 0..2 {
            media.voice.say(tone(24_000)).expect("room");
            while media.voice.played() < before + ms(200) {
                peer.hear();
            }
            media.voice.flush();
            let played = media.voice.played();
            assert!((before + ms(200)..before + ms(400)).contains(&played), "{played:?} after {before:?}");
            before = played;
        }
        media.voice.say(tone(2_400)).expect("room");
        assert_eq!(media.voice.played(), before, "what was flushed does not begin to count later");
        media.voice.drained().await;
        assert_eq!(media.voice.played(), before + ms(100));
    });
}

#[test]
fn the_recording_is_what_was_heard_and_sent_in_step() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/er/call.wav");
        let (mut media, local) = open(&engine, &ports, params(peer.address()), Some(path.clone()));
        let first = peer.hear();
        let (mut sent, mut heard) = (vec![first.samples], Vec::new());
        for i in 0..75 {
            if i == 10 {
                media.voice.say(tone(12_000)).expect("room");
            }
            sent.push(peer.exchange(if i < 40 { 0.0 } else { 5_000.0 }, local).samples);
            while let Some(frame) = media.ear.pop() {
                heard.push(frame.to_vec());
            }
        }
        let stats = media.control.close().await;
        assert_eq!(stats.unrecorded, 0);
        let bytes = std::fs::read(&path).expect("the recording");
        let wav = Wav::parse(&bytes).expect("a wav file");
        let (left, right): (Vec<_>, Vec<_>) = (wav.channel(0).collect(), wav.channel(1).collect());
        assert!(left.len() >= 76 * FRAME_SAMPLES);
        assert_eq!(&left[..heard.len() * FRAME_SAMPLES], heard.concat());
        assert!(heard.concat().iter().any(|sample| *sample > 4_000));
        for (i, (recorded, sent)) in right.chunks(FRAME_SAMPLES).zip(&sent).enumerate() {
            // As far as μ-law is exact.
            let off = recorded.iter().zip(sent).map(|(a, b)| (f32::from(*a) - b).abs() / (b.abs() + 100.0)).fold(0.0, f32::max);
            assert!(off < 0.1, "frame {i} is off by {off}");
        }
        assert!(!repair(&path).expect("ours").changed);
    });
}

#[test]
fn a_recording_that_cannot_be_written_is_told_and_the_call_goes_on() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("call.wav");
        std::fs::write(&taken, b"evidence").expect("written");
        let (mut media, local) = open(&engine, &ports, params(peer.address()), Some(taken.clone()));
        let told = media.events.recv().await;
        assert!(matches!(&told, Some(MediaEvent::RecordingFailed(text)) if text.contains("call.wav")), "{told:?}");
        peer.exchange(5_000.0, local);
        media.control.close().await;
        assert_eq!(std::fs::read(&taken).expect("still there"), b"evidence");
    });
}

#[test]
fn real_time_priority_is_asked_for_but_not_needed() {
    let engine = MediaEngine::start(EngineOptions::default()).expect("with or without the right to it");
    let (ports, mut peer) = (RtpPorts::new(), Peer::new());
    let (_media, _) = open(&engine, &ports, params(peer.address()), None);
    peer.hear();
    assert!(engine.stats().ticks > 0);
}

#[test]
fn keys_are_sent_and_heard() {
    run(async {
        let (engine, ports) = (engine(), RtpPorts::new());
        let socket = UdpSocket::bind((peer::LOOPBACK, 0)).expect("loopback");
        let placeholder = socket.local_addr().expect("bound");
        let (alice, alice_at) = open(&engine, &ports, params(placeholder), None);
        let (mut bob, _) = open(&engine, &ports, params(alice_at), None);
        alice.control.send_dtmf("19*#", DtmfWay::Events).expect("negotiated");
        assert!(alice.control.send_dtmf("1x", DtmfWay::Events).is_err());
        let mut told = String::new();
        // Bob's packets show Alice where he is.
        while told.len() < 4 {
            if let MediaEvent::Dtmf(digit) = bob.events.recv().await.expect("open") {
                told.push(digit);
            }
        }
        assert_eq!(told, "19*#");
    });
}

#[test]
fn silence_is_told_unless_the_call_is_held() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let quick = callie_media::session::SessionParams { rtp_timeout: Duration::from_millis(200), ..params(peer.address()) };
        let (mut media, local) = open(&engine, &ports, quick, None);
        media.control.hold(true);
        for _ in 0..20 {
            peer.hear();
        }
        assert!(media.events.try_recv().is_err(), "held");
        media.control.hold(false);
        let lost = line_event(&mut media).await;
        assert!(matches!(lost, Some(MediaEvent::RtpLost { silent_for }) if silent_for >= Duration::from_millis(200)), "{lost:?}");
        // The far end moves, and is believed.
        let mut moved = Peer::new();
        peer.exchange(0.0, local);
        assert_eq!(line_event(&mut media).await, Some(MediaEvent::FirstRtp { from: peer.address() }));
        media.control.set_remote(moved.address());
        moved.exchange(0.0, local);
        assert_eq!(line_event(&mut media).await, Some(MediaEvent::Latched { from: moved.address() }));
    });
}

#[test]
fn a_flood_of_junk_leaves_the_call_alive() {
    run(async {
        let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
        let (mut media, local) = open(&engine, &ports, params(peer.address()), None);
        peer.exchange(5_000.0, local);
        let vandal = UdpSocket::bind((peer::LOOPBACK, 0)).expect("loopback");
        let mut junk = [0_u8; 400];
        let mut seed = 1_u32;
        for _ in 0..100_000 {
            for byte in &mut junk {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = (seed >> 24) as u8;
            }
            // Half of it looks like RTP at first sight.
            junk[0] = if seed & 1 == 0 { 0x80 } else { junk[0] };
            let length = (seed >> 8) as usize % junk.len();
            vandal.send_to(&junk[..length], local).expect("sent");
        }
        let sent_before = media.control.stats().sent;
        media.voice.say(tone(4_800)).expect("room");
        while peer.exchange(5_000.0, local).loudest() < 8_000.0 {}
        for _ in 0..50 {
            peer.exchange(5_000.0, local);
        }
        let stats = media.control.stats();
        assert!(stats.sent > sent_before + 40 && stats.junk > 100, "{stats:?}");
        assert_eq!(stats.latched, Some(peer.address()));
        let mut ear_works = false;
        while !ear_works {
            media.ear.ready().await;
            while let Some(frame) = media.ear.pop() {
                ear_works |= frame.iter().any(|sample| sample.unsigned_abs() > 4_000);
            }
        }
    });
}

#[test]
fn dropping_all_parts_closes_the_call_and_stopping_the_engine_closes_all() {
    run(async {
        let (engine, ports, peer) = (engine(), RtpPorts::new(), Peer::new());
        let (Media { ear, voice, control, mut events }, _) = open(&engine, &ports, params(peer.address()), None);
        drop((ear, voice));
        assert_eq!((engine.stats().calls, ports.reserved()), (1, 1));
        drop(control);
        assert_eq!(events.recv().await, None, "closed");
        assert_eq!(ports.reserved(), 0);
        let (mut media, _) = open(&engine, &ports, params(peer.address()), None);
        drop(engine);
        assert_eq!(media.events.recv().await, None, "closed");
        assert_eq!(ports.reserved(), 0);
        assert!(media.voice.say(vec![1]).is_err());
        media.control.clone().close().await;
        media.control.close().await;
    });
}
