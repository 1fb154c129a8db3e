//! A caller in virtual time against a session.

use super::*;
use crate::{codec::G711, progress::ProgressTone, rtp::header::HEADER_LEN};

const ALICE: &str = "192.0.2.1:4000";
const MALLORY: &str = "203.0.113.66:6666";
const BEAT: Duration = Duration::from_millis(20);
const TIMEOUT: Duration = Duration::from_secs(2);

fn params() -> SessionParams {
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
        ssrc: 0xca11_ca11,
        first_sequence: u16::MAX - 2,
        first_timestamp: u32::MAX - 300,
        remote: None,
        rtp_timeout: TIMEOUT,
        srtp: None,
        rtcp: RtcpParams::default(),
    }
}

/// One who sends RTP.
struct Talker {
    from: SocketAddr,
    next: RtpHeader,
}

impl Talker {
    fn new(from: &str, ssrc: u32) -> Self {
        let next = RtpHeader { marker: false, payload_type: 0, sequence: 65_530, timestamp: 77, ssrc };
        Self { from: from.parse().expect("an address"), next }
    }

    fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut head = [0; HEADER_LEN];
        self.next.write(&mut head);
        self.next.sequence = self.next.sequence.wrapping_add(1);
        self.next.timestamp = self.next.timestamp.wrapping_add(160);
        [&head[..], payload].concat()
    }

    fn speech(&mut self, level: i16) -> Vec<u8> {
        // Alternating in sign: neither silence nor a constant.
        let samples: Vec<i16> = (0..160).map(|i| if i % 8 < 4 { level } else { -level }).collect();
        let mut codes = [0; 160];
        G711::Pcmu.encode_i16(&samples, &mut codes);
        self.packet(&codes)
    }
}

/// A session and its clock.
struct Bench {
    session: Session,
    now: Duration,
    beat: Beat,
}

impl Bench {
    fn new(params: SessionParams) -> Self {
        let now = Duration::from_secs(1_000);
        Self { session: Session::new(params, now), now, beat: Beat::new() }
    }

    fn hear(&mut self, talker: &mut Talker) -> Received {
        let packet = talker.speech(8_000);
        self.take(&packet, talker.from, self.now)
    }

    fn take(&mut self, datagram: &[u8], from: SocketAddr, now: Duration) -> Received {
        self.session.receive(&mut datagram.to_vec(), from, now)
    }

    fn tick(&mut self) -> RtpHeader {
        self.now += BEAT;
        self.session.tick(self.now, &mut self.beat);
        RtpPacket::parse(self.beat.packet()).expect("own packets are valid").header
    }

    fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn tick_until_event(&mut self, within: Duration) -> Option<SessionEvent> {
        let end = self.now + within;
        while self.now < end {
            self.tick();
            if let Some(event) = self.session.poll_event() {
                return Some(event);
            }
        }
        None
    }

    fn loudest_sent(&self) -> u16 {
        self.beat.stereo().as_chunks::<2>().0.iter().map(|pair| pair[1].unsigned_abs()).max().unwrap_or_default()
    }
}

#[test]
fn sends_one_continuous_stream_whatever_happens() {
    let mut bench = Bench::new(params());
    let mut alice = Talker::new(ALICE, 1);
    let (mut sequence, mut timestamp) = (params().first_sequence, params().first_timestamp);
    for i in 0..200_u32 {
        match i {
            20 => bench.session.playout().push(vec![9_000; 24_000]).expect("room"),
            60 => bench.session.playout().flush(),
            90 => assert!(bench.session.send_dtmf('5', DtmfWay::Events)),
            _ => {}
        }
        if i % 3 != 0 {
            bench.hear(&mut alice);
        }
        let header = bench.tick();
        assert_eq!((header.ssrc, header.sequence), (params().ssrc, sequence));
        assert_eq!(header.marker, i == 0 || i == 90, "beat {i}");
        if header.payload_type == 0 {
            assert_eq!((header.timestamp, bench.beat.packet().len()), (timestamp, 172));
        }
        sequence = sequence.wrapping_add(1);
        timestamp = timestamp.wrapping_add(160);
    }
    assert_eq!(bench.session.stats().sent, 200);
}

#[test]
fn beats_that_were_skipped_show_in_the_timestamp_alone() {
    let mut bench = Bench::new(params());
    let before = bench.tick();
    bench.session.skip(7);
    let after = bench.tick();
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(8 * 160));
    assert!(after.marker);
}

#[test]
fn the_first_valid_packet_decides_where_the_caller_is() {
    let sdp: SocketAddr = "10.0.0.1:9".parse().expect("an address");
    let mut bench = Bench::new(SessionParams { remote: Some(sdp), ..params() });
    assert_eq!(bench.session.destination(), Some(sdp));
    let mut alice = Talker::new(ALICE, 1);
    let mut alien = Talker::new(MALLORY, 2);
    alien.next.payload_type = 18;
    assert_eq!(bench.hear(&mut alien), Received::Junk);
    alien.next.payload_type = COMFORT_NOISE;
    assert_eq!(bench.hear(&mut alien), Received::Junk);
    assert_eq!(bench.session.latched(), None);
    assert_eq!(bench.hear(&mut alice), Received::Speech);
    assert_eq!(bench.session.destination(), Some(alice.from));
    assert_eq!(bench.events(), [SessionEvent::FirstRtp { from: alice.from }]);
    bench.hear(&mut alice);
    assert_eq!(bench.events(), []);
    alice.next.payload_type = COMFORT_NOISE;
    assert_eq!(bench.hear(&mut alice), Received::KeepAlive);
}

#[test]
fn a_hijacker_is_refused_while_the_caller_is_heard() {
    let mut bench = Bench::new(params());
    let (mut alice, mut mallory) = (Talker::new(ALICE, 1), Talker::new(MALLORY, 2));
    bench.hear(&mut alice);
    for _ in 0..500 {
        for _ in 0..10 {
            assert_eq!(bench.hear(&mut mallory), Received::Refused);
        }
        assert_eq!(bench.hear(&mut alice), Received::Speech);
        bench.tick();
    }
    assert_eq!(bench.session.latched(), Some(alice.from));
    let stats = bench.session.stats();
    assert_eq!((stats.received, stats.refused), (501, 5_000));
}

#[test]
fn a_new_source_takes_over_after_silence_and_consecutive_packets() {
    // Milliseconds of the old source's silence, what the new one does with its sequence numbers, who is believed then.
    let cases = [
        (180, [1, 1, 1, 1, 1, 1], false),
        (200, [1, 1, 1, 1, 1, 1], true),
        (400, [1, 1, 1, 1, 1, 1], true),
        (400, [1, 1, 2, 1, 1, 5], false),
        (400, [0, 0, 0, 0, 0, 0], false),
    ];
    for (silence_ms, steps, taken) in cases {
        let mut bench = Bench::new(params());
        let (mut alice, mut moved) = (Talker::new(ALICE, 1), Talker::new("192.0.2.1:5000", 1));
        bench.hear(&mut alice);
        bench.events();
        bench.now += Duration::from_millis(silence_ms);
        for step in steps {
            bench.hear(&mut moved);
            moved.next.sequence = moved.next.sequence.wrapping_add(step).wrapping_sub(1);
        }
        let expected = if taken { moved.from } else { alice.from };
        assert_eq!(bench.session.latched(), Some(expected), "{silence_ms} ms, {steps:?}");
        let told = if taken { vec![SessionEvent::Latched { from: moved.from }] } else { vec![] };
        assert_eq!(bench.events(), told);
    }
}

#[test]
fn an_announced_move_is_followed_at_once_but_not_back() {
    let mut bench = Bench::new(params());
    let (mut alice, mut moved) = (Talker::new(ALICE, 1), Talker::new("192.0.2.2:5000", 2));
    bench.hear(&mut alice);
    bench.session.set_remote(moved.from, bench.now);
    assert_eq!(bench.session.destination(), Some(moved.from));
    assert_eq!(bench.hear(&mut alice), Received::Refused, "a packet that was on its way");
    assert_eq!(bench.hear(&mut moved), Received::Speech);
    assert_eq!(bench.session.latched(), Some(moved.from));
    // An SDP that says the same again changes nothing.
    bench.session.set_remote(moved.from, bench.now);
    assert_eq!(bench.session.latched(), Some(moved.from));
}

#[test]
fn junk_is_counted_and_changes_nothing() {
    let mut bench = Bench::new(params());
    let from = MALLORY.parse().expect("an address");
    let junk: [&[u8]; 4] = [&[0x80], &[0; 172], b"INVITE sip:alice@example.com SIP/2.0", &[0xff; 1_500]];
    for datagram in junk {
        assert!(matches!(bench.take(datagram, from, bench.now), Received::Junk | Received::Rtcp));
    }
    assert_eq!(bench.take(&[], from, bench.now), Received::KeepAlive, "it opens the way, and is no junk");
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    assert_eq!(bench.take(&receiver_report, from, bench.now), Received::Rtcp);
    bench.tick();
    assert_eq!(bench.session.latched(), None);
    assert_eq!(bench.session.stats().received, 0);
    assert_eq!(bench.session.stats().junk, 4);
    assert_eq!(bench.events(), []);
}

#[test]
fn silence_on_the_wire_is_told_once_per_silence() {
    let mut bench = Bench::new(params());
    let mut alice = Talker::new(ALICE, 1);
    assert_eq!(bench.tick_until_event(TIMEOUT * 2), Some(SessionEvent::RtpLost { silent_for: TIMEOUT }));
    assert_eq!(bench.tick_until_event(TIMEOUT * 2), None);
    bench.hear(&mut alice);
    assert_eq!(bench.events(), [SessionEvent::FirstRtp { from: alice.from }]);
    assert_eq!(bench.tick_until_event(TIMEOUT * 2), Some(SessionEvent::RtpLost { silent_for: TIMEOUT }));
}

#[test]
fn a_held_call_may_be_silent() {
    let mut bench = Bench::new(params());
    bench.session.hold(true, bench.now);
    assert_eq!(bench.tick_until_event(TIMEOUT * 4), None);
    bench.session.hold(false, bench.now);
    assert_eq!(bench.tick_until_event(TIMEOUT * 2), Some(SessionEvent::RtpLost { silent_for: TIMEOUT }));
}

#[test]
fn strangers_do_not_keep_a_dead_call_alive() {
    let mut bench = Bench::new(params());
    let (mut alice, mut mallory) = (Talker::new(ALICE, 1), Talker::new(MALLORY, 2));
    mallory.next.payload_type = 8;
    bench.hear(&mut alice);
    bench.events();
    let lost = (0..200).find_map(|_| {
        bench.hear(&mut mallory);
        bench.tick();
        bench.session.poll_event()
    });
    assert_eq!(lost, Some(SessionEvent::RtpLost { silent_for: TIMEOUT }));
}

#[test]
fn keys_go_both_ways() {
    let (mut ours, mut theirs) = (Bench::new(params()), Bench::new(params()));
    let from: SocketAddr = ALICE.parse().expect("an address");
    for digit in "12#A".chars() {
        assert!(ours.session.send_dtmf(digit, DtmfWay::Events));
    }
    assert!(!ours.session.send_dtmf('x', DtmfWay::Events));
    let mut told = String::new();
    for _ in 0..100 {
        ours.tick();
        theirs.take(ours.beat.packet(), from, theirs.now);
        theirs.tick();
        told.extend(theirs.events().into_iter().filter_map(|event| match event {
            SessionEvent::Dtmf(digit) => Some(digit),
            _ => None,
        }));
    }
    assert_eq!(told, "12#A");
    assert_eq!(theirs.session.stats().jitter.lost, 0, "events are not lost speech");
    let deaf = &mut Bench::new(SessionParams { dtmf_payload_type: None, ..params() }).session;
    assert!(!deaf.send_dtmf('1', DtmfWay::Events));
}

#[test]
fn speech_waits_while_keys_are_sent() {
    let mut bench = Bench::new(params());
    bench.session.playout().push(vec![9_000; 24_000]).expect("room");
    bench.tick();
    bench.session.send_dtmf('1', DtmfWay::Events);
    bench.session.send_dtmf('2', DtmfWay::Events);
    let queued = bench.session.playout().queued();
    for _ in 0..10 {
        bench.tick();
        assert_eq!(bench.loudest_sent(), 0);
    }
    assert_eq!(bench.session.playout().queued(), queued);
}

#[test]
fn a_flush_is_silence_within_a_frame() {
    let mut bench = Bench::new(params());
    bench.session.playout().push(vec![9_000; 240_000]).expect("room");
    (0..20).for_each(|_| {
        bench.tick();
    });
    assert!(bench.loudest_sent() > 8_000);
    bench.session.playout().flush();
    // The first frame holds the fade of 5 ms and the filter's ringing of some more.
    bench.tick();
    let tail = bench.beat.stereo().as_chunks::<2>().0[100..].iter().map(|pair| pair[1].unsigned_abs()).max();
    assert!(tail.is_some_and(|loudest| loudest < 50), "{tail:?}");
    bench.tick();
    assert_eq!(bench.loudest_sent(), 0);
}

#[test]
fn the_caller_is_heard_by_the_agent_and_on_the_left_channel() {
    for (rate, samples) in [(SpeechRate::Hz8000, 160), (SpeechRate::Hz16000, 320), (SpeechRate::Hz24000, 480)] {
        let mut bench = Bench::new(SessionParams { ear_rate: rate, ..params() });
        let mut alice = Talker::new(ALICE, 1);
        bench.tick();
        assert_eq!(bench.beat.ear(), vec![0; samples]);
        for _ in 0..25 {
            bench.hear(&mut alice);
            bench.tick();
        }
        let loudest = |samples: &[i16]| samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
        assert_eq!(bench.beat.ear().len(), samples);
        assert!((6_000..16_000).contains(&loudest(bench.beat.ear())), "{rate:?}: {}", loudest(bench.beat.ear()));
        let left: Vec<_> = bench.beat.stereo().as_chunks::<2>().0.iter().map(|pair| pair[0]).collect();
        assert!((7_000..9_000).contains(&loudest(&left)));
    }
}

#[test]
fn a_new_stream_from_the_same_source_is_followed() {
    let mut bench = Bench::new(params());
    let (mut before, mut after) = (Talker::new(ALICE, 1), Talker::new(ALICE, 2));
    after.next.sequence = 7;
    after.next.timestamp = 123_456_789;
    for talker in [&mut before, &mut after] {
        for _ in 0..50 {
            assert_eq!(bench.hear(talker), Received::Speech);
            bench.tick();
        }
        assert!(bench.beat.ear().iter().any(|sample| sample.unsigned_abs() > 6_000));
    }
    assert_eq!(bench.session.stats().jitter.lost, 0);
}

/// Talks for the beats in `talking`, silent packets else; each packet arrives 7 ms before its beat.
fn talk_at(bench: &mut Bench, talker: &mut Talker, beats: u32, talking: std::ops::Range<u32>) -> Vec<SessionEvent> {
    let mut told = Vec::new();
    for beat in 0..beats {
        let packet = talker.speech(if talking.contains(&beat) { 3_000 } else { 5 });
        let arrived = bench.now + BEAT - Duration::from_millis(7);
        bench.take(&packet, talker.from, arrived);
        bench.tick();
        told.extend(bench.events());
    }
    told
}

#[test]
fn speech_is_marked_by_the_time_on_the_wire() {
    let mut bench = Bench::new(params());
    let mut alice = Talker::new(ALICE, 1);
    let began = bench.now;
    let told = talk_at(&mut bench, &mut alice, 150, 50..90);
    let arrival_of = |beat: u32| began + BEAT * (beat + 1) - Duration::from_millis(7);
    let marks = [
        SessionEvent::FirstRtp { from: alice.from },
        SessionEvent::CallerSpeech { on: true, at: arrival_of(50) },
        SessionEvent::CallerSpeech { on: false, at: arrival_of(89) },
    ];
    // Times are kept to the microsecond.
    assert_eq!(told, marks);
    // Half a second of speech, a pause that is no end, and half a second more.
    let said = bench.now;
    let mut told = Vec::new();
    for beat in 0..80 {
        if beat == 0 || beat == 30 {
            bench.session.playout().push(vec![9_000; 12_000]).expect("room");
        }
        bench.tick();
        told.extend(bench.events());
    }
    // The last beat holds the filter's ringing and a ramp of 5 ms.
    let marks = [(true, 1), (false, 56)].map(|(on, beat)| SessionEvent::AgentSpeech { on, at: said + BEAT * beat });
    assert_eq!(told, marks);
}

#[test]
fn a_frame_for_the_agent_tells_when_it_came() {
    let mut bench = Bench::new(params());
    let mut alice = Talker::new(ALICE, 1);
    for beat in 0..100_u32 {
        // Every tenth packet is lost.
        let packet = alice.speech(3_000);
        if beat % 10 != 9 {
            bench.take(&packet, alice.from, bench.now + Duration::from_millis(13));
        }
        bench.tick();
        let age = bench.now - bench.beat.ear_at();
        let was_lost = beat >= 10 && age.is_zero();
        let waited = [27, 47].map(Duration::from_millis).contains(&age);
        assert!(beat < 3 || was_lost || waited, "beat {beat}: {age:?}");
        assert!(beat < 10 || beat % 10 == 1 || !was_lost, "beat {beat}");
    }
}

#[test]
fn a_muted_stream_sends_nothing_and_goes_on_as_after_a_pause() {
    let mut bench = Bench::new(SessionParams { remote: ALICE.parse().ok(), ..params() });
    bench.session.playout().push(vec![9_000; 48_000]).expect("room");
    let before = bench.tick();
    bench.session.mute(true);
    bench.session.send_dtmf('5', DtmfWay::Events);
    for _ in 0..25 {
        bench.now += BEAT;
        bench.session.tick(bench.now, &mut bench.beat);
        assert!(bench.beat.packet().is_empty() && bench.loudest_sent() == 0);
    }
    assert_eq!(bench.session.stats().sent, 1);
    // What is said into the void passes all the same: nobody waits for it for ever.
    assert_eq!(bench.session.playout().queued(), Duration::from_millis(2_000 - 26 * 20));
    assert_eq!(bench.events().last(), Some(&SessionEvent::AgentSpeech { on: false, at: bench.now - BEAT * 25 }));
    bench.session.mute(false);
    let after = bench.tick();
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    assert_eq!(after.timestamp, before.timestamp.wrapping_add(26 * 160));
    assert!(after.marker);
    assert_eq!(after.payload_type, 101, "the key waited");
}

/// The packets of one press, all of one timestamp.
fn press(talker: &mut Talker, event: u8, timestamp: u32, ssrc: u32) -> Vec<Vec<u8>> {
    let speech = talker.next;
    talker.next = RtpHeader { payload_type: 101, timestamp, ssrc, ..speech };
    let packets = (1..4_u8)
        .map(|i| {
            talker.next.timestamp = timestamp;
            talker.packet(&[event, if i == 3 { 0x8a } else { 10 }, 0, 50 * i])
        })
        .collect();
    talker.next = RtpHeader { sequence: talker.next.sequence, ..speech };
    packets
}

#[test]
fn keys_of_a_new_stream_are_heard_and_those_of_another_ssrc_are_told_once() {
    let mut bench = Bench::new(params());
    let mut alice = Talker::new(ALICE, 1);
    let mut told = String::new();
    // A key; then the stream starts anew, with an earlier timestamp; then keys under an SSRC of their own, amid the speech.
    for (event, timestamp, ssrc, speech_ssrc) in [(1, 80_000, 1, 1), (2, 79_000, 2, 2), (3, 90_000, 9, 2), (4, 91_000, 9, 2)] {
        alice.next.ssrc = speech_ssrc;
        for packet in press(&mut alice, event, timestamp, ssrc) {
            bench.take(&packet, alice.from, bench.now);
            bench.hear(&mut alice);
            bench.tick();
            told.extend(bench.events().into_iter().filter_map(|event| match event {
                SessionEvent::Dtmf(digit) => Some(digit),
                _ => None,
            }));
        }
    }
    assert_eq!(told, "1234");
}

#[test]
fn chunks_of_a_millisecond_do_not_starve_the_line() {
    let mut bench = Bench::new(params());
    let mut said = 0;
    for beat in 0..100 {
        // What the engine's feed does: fill up to 100 ms ahead, as far as there is room.
        while bench.session.playout().queued() < Duration::from_millis(100)
            && bench.session.playout().push(vec![9_000; 24]).is_ok()
        {
            said += 1;
        }
        bench.tick();
        assert!(beat < 2 || bench.loudest_sent() > 8_000, "beat {beat}, {said} chunks");
    }
    assert_eq!(bench.session.stats().underruns, 0);
}

#[test]
fn a_session_does_not_grow_unnoticed() {
    // Half of it is the ring of the jitter buffer, a third the memory of the concealer.
    assert!(size_of::<Session>() <= 11_800, "{} bytes", size_of::<Session>());
}

#[test]
fn tones_are_told_while_somebody_listens() {
    let busy = |listens: bool| {
        let (mut bench, mut alice) = (Bench::new(params()), Talker::new(ALICE, 1));
        bench.session.listen(listens.then(Box::default));
        let begun = bench.now;
        let mut told = Vec::new();
        for beat in 0..150_u32 {
            let wave = |i: u32| 6_000.0 * (f64::from(160 * beat + i) * std::f64::consts::TAU * 425.0 / 8_000.0).sin();
            let samples: Vec<i16> = (0..160).map(|i| if (beat / 24) % 2 == 0 { wave(i) as i16 } else { 0 }).collect();
            let mut codes = [0; 160];
            G711::Pcmu.encode_i16(&samples, &mut codes);
            let packet = alice.packet(&codes);
            bench.take(&packet, alice.from, bench.now);
            bench.tick();
            told.extend(bench.events().into_iter().map(|event| (event, bench.now - begun)));
        }
        let is_busy = |event: &SessionEvent| matches!(event, SessionEvent::Signal(Signal::Progress(plan)) if plan.tone == ProgressTone::Busy);
        told.into_iter().find(|(event, _)| is_busy(event)).map(|(_, at)| at)
    };
    // On, off, on, off, on: 2.4 s, and what the jitter buffer and certainty take.
    let at = busy(true).expect("told");
    assert!((2_400..2_560).contains(&at.as_millis()), "{at:?}");
    assert_eq!(busy(false), None);
}

#[test]
fn talk_is_told_by_the_time_it_was_heard() {
    let (mut bench, mut alice) = (Bench::new(params()), Talker::new(ALICE, 1));
    bench.session.listen(Some(Box::default()));
    let begun = bench.now;
    for beat in 0..100 {
        // Noise: a steady wave would be a tone.
        let level = if (25..50).contains(&beat) { 8_000.0 } else { 0.0 };
        let samples: Vec<i16> = (0..160).map(|i| (level * f64::from(i * 37 + beat * 11).powi(2).sin()) as i16).collect();
        let mut codes = [0; 160];
        G711::Pcmu.encode_i16(&samples, &mut codes);
        let packet = alice.packet(&codes);
        bench.take(&packet, alice.from, bench.now);
        bench.tick();
    }
    let talk: Vec<_> = bench
        .events()
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::Talk { on, at } => Some((on, (at - begun).as_millis())),
            _ => None,
        })
        .collect();
    let [(true, from), (false, to)] = talk[..] else { panic!("{talk:?}") };
    assert_eq!(to - from, 500, "{talk:?}");
    assert!((500..600).contains(&from), "within the delay of the jitter buffer: {talk:?}");
}
