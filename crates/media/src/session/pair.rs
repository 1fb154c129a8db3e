//! Tests of two sessions that talk with one another over a network in virtual time: it loses, delays, overtakes, doubles and
//! forges packets on cue.

use super::*;
use crate::{
    barge::tests::sounds,
    codec::OpusParams,
    quality::Mos,
    rtp::{
        rtcp::RtcpBuffer,
        srtp::{KEY_LEN, SrtpKey, SrtpSuite},
    },
};

mod half_hour;

const BEAT: Duration = Duration::from_millis(20);
const MALLORY: &str = "203.0.113.66:6666";

/// What the network does to the packets of one direction.
#[derive(Debug, Clone, Copy, Default)]
struct Network {
    delay: Duration,
    jitter: Duration,
    /// Of a thousand.
    lost: u64,
    doubled: u64,
}

struct Datagram {
    due: Duration,
    to: usize,
    /// To the port of RTCP.
    rtcp: bool,
    bytes: Vec<u8>,
}

/// Side 0 and side 1.
struct Pair {
    sides: [Session; 2],
    addresses: [SocketAddr; 2],
    network: [Network; 2],
    on_the_way: Vec<Datagram>,
    beats: [Beat; 2],
    now: Duration,
    seed: u64,
    told: Vec<(usize, SessionEvent)>,
}

/// The port of RTCP beside one of RTP.
fn above(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port() + 1)
}

fn key(octet: u8) -> SrtpKey {
    SrtpKey::new([octet; KEY_LEN])
}

/// The keys of side 0 and side 1.
fn keys(ours: u8, theirs: u8) -> [Option<SrtpParams>; 2] {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let of = |send, receive| Some(SrtpParams { suite, send: key(send), receive: key(receive) });
    [of(ours, theirs), of(theirs, ours)]
}

fn params(srtp: Option<SrtpParams>, ssrc: u32, remote: SocketAddr) -> SessionParams {
    SessionParams {
        codec: Codec::Pcmu,
        payload_type: 0,
        ptime_ms: 20,
        opus: OpusParams::default(),
        dtmf_payload_type: Some(101),
        dtmf_clock_hz: 8_000,
        comfort_noise_payload_type: None,
        ear_rate: SpeechRate::Hz8000,
        voice_rate: SpeechRate::Hz8000,
        ssrc,
        first_sequence: 0xfff0,
        first_timestamp: 77,
        remote: Some(remote),
        rtp_timeout: Duration::from_secs(5),
        srtp,
        rtcp: RtcpParams::default(),
    }
}

impl Pair {
    fn new(srtp: [Option<SrtpParams>; 2]) -> Self {
        Self::reporting(srtp, [RtcpParams::default(), RtcpParams::default()])
    }

    fn muxed(srtp: [Option<SrtpParams>; 2]) -> Self {
        Self::reporting(srtp, [(); 2].map(|()| RtcpParams { mux: true, ..RtcpParams::default() }))
    }

    fn reporting(srtp: [Option<SrtpParams>; 2], [our_rtcp, their_rtcp]: [RtcpParams; 2]) -> Self {
        let addresses = ["192.0.2.1:4000", "192.0.2.2:5000"].map(|address| address.parse().expect("an address"));
        let now = Duration::from_secs(1_000);
        let [ours, theirs] = srtp;
        Self {
            sides: [
                Session::new(SessionParams { rtcp: our_rtcp, ..params(ours, 0xa, addresses[1]) }, now),
                Session::new(SessionParams { rtcp: their_rtcp, ..params(theirs, 0xb, addresses[0]) }, now),
            ],
            addresses,
            network: [Network { delay: Duration::from_millis(30), ..Network::default() }; 2],
            on_the_way: Vec::new(),
            beats: [Beat::new(), Beat::new()],
            now,
            seed: 1,
            told: Vec::new(),
        }
    }

    /// A number below `bound`.
    fn draw(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % bound.max(1)
    }

    fn beat(&mut self) {
        self.now += BEAT;
        self.deliver();
        for side in 0..2 {
            let Self { sides, beats, .. } = self;
            sides[side].tick(self.now, &mut beats[side]);
            let packet = beats[side].packet().to_vec();
            self.send(side, packet, false);
            self.report(side);
            while let Some(event) = self.sides[side].poll_event() {
                self.told.push((side, event));
            }
        }
    }

    fn beats(&mut self, count: u32) {
        (0..count).for_each(|_| self.beat());
    }

    fn report(&mut self, side: usize) {
        let mut report = RtcpBuffer::new();
        if self.sides[side].rtcp_is_due(self.now)
            && let Some(destination) = self.sides[side].report(self.now, &mut report)
        {
            let rtcp = destination.port() != self.addresses[1 - side].port();
            self.send(side, report.packet().to_vec(), rtcp);
        }
    }

    fn send(&mut self, from: usize, bytes: Vec<u8>, rtcp: bool) {
        let Network { delay, jitter, lost, doubled } = self.network[from];
        let copies = if self.draw(1_000) < doubled { 2 } else { 1 };
        for _ in 0..copies {
            let late = Duration::from_micros(self.draw(jitter.as_micros() as u64 + 1));
            if !bytes.is_empty() && self.draw(1_000) >= lost {
                self.on_the_way.push(Datagram { due: self.now + delay + late, to: 1 - from, rtcp, bytes: bytes.clone() });
            }
        }
    }

    fn deliver(&mut self) {
        self.on_the_way.sort_by_key(|datagram| datagram.due);
        let due = self.on_the_way.partition_point(|datagram| datagram.due <= self.now);
        for mut datagram in self.on_the_way.drain(..due) {
            let (from, side) = (self.addresses[1 - datagram.to], &mut self.sides[datagram.to]);
            if datagram.rtcp {
                side.receive_rtcp(&mut datagram.bytes, above(from), datagram.due);
            } else {
                side.receive(&mut datagram.bytes, from, datagram.due);
            }
        }
    }

    fn speak(&mut self, side: usize, length: Duration) {
        let samples = (0..length.as_millis() as usize * 8).map(|i| if i % 16 < 8 { 9_000 } else { -9_000 });
        self.sides[side].playout().push(samples.collect()).expect("room");
    }

    /// Frames of speech that a side hears within so many beats.
    fn heard(&mut self, side: usize, beats: u32) -> usize {
        (0..beats)
            .filter(|_| {
                self.beat();
                self.beats[side].ear().iter().any(|sample| sample.unsigned_abs() > 4_000)
            })
            .count()
    }
}

#[test]
fn encrypted_speech_crosses_a_bad_network_both_ways() {
    let mut pair = Pair::new(keys(1, 2));
    let bad = Network { delay: Duration::from_millis(40), jitter: Duration::from_millis(45), lost: 30, doubled: 20 };
    pair.network = [bad; 2];
    for side in 0..2 {
        pair.speak(1 - side, Duration::from_secs(20));
        let heard = pair.heard(side, 1_000);
        assert!(heard > 900, "{heard} frames of 1,000");
    }
    for side in &pair.sides {
        let stats = side.stats();
        assert!(stats.received > 1_850 && stats.replayed > 10, "{stats:?}");
        assert_eq!((stats.unauthentic, stats.junk, stats.refused), (0, 0, 0), "{stats:?}");
        assert_eq!(side.srtp(), Some(SrtpSuite::AesCm128HmacSha1_80));
    }
}

#[test]
fn an_encrypted_stream_begins_low_and_goes_on_over_the_end_of_its_round() {
    let mut pair = Pair::new(keys(1, 2));
    pair.beat();
    let first = RtpPacket::parse(pair.beats[0].packet()).expect("rtp").header.sequence;
    assert_eq!(first, 0x7ff0);
    // To just before the end of the round; then half a second around it is lost.
    pair.beats(0x8000);
    pair.network = [Network { lost: 1_000, ..pair.network[0] }; 2];
    pair.beats(25);
    pair.network = [Network { lost: 0, ..pair.network[0] }; 2];
    pair.speak(0, Duration::from_secs(4));
    assert!(pair.heard(1, 100) > 90);
    // A re-INVITE that says the same keys again changes nothing, in the second round either.
    let mut heard = pair.beats[0].packet().to_vec();
    pair.beats(5);
    for (side, keys) in pair.sides.iter_mut().zip(keys(1, 2)) {
        side.rekey(keys.expect("keys"), pair.now);
    }
    assert_eq!(pair.sides[1].receive(&mut heard, pair.addresses[0], pair.now), Received::Replayed);
    assert!(pair.heard(1, 50) > 45);
    assert_eq!(pair.sides[1].stats().unauthentic, 0);
}

#[test]
fn what_is_not_authentic_moves_nothing() {
    // Who knows all but the key: in clear, and under a key of their own.
    for forger in [None, keys(7, 7)[0].clone()] {
        let mut pair = Pair::new(keys(1, 2));
        let mut mallory = Session::new(params(forger, 0xb, pair.addresses[0]), pair.now);
        let (from, mut beat): (SocketAddr, _) = (MALLORY.parse().expect("an address"), Beat::new());
        mallory.playout().push(vec![9_000; 80_000]).expect("room");
        // The far end is silent: nothing of this may count as its life.
        pair.network[1].lost = 1_000;
        for _ in 0..300 {
            mallory.tick(pair.now, &mut beat);
            for source in [from, pair.addresses[1]] {
                let result = pair.sides[0].receive(&mut beat.packet().to_vec(), source, pair.now);
                assert_eq!(result, Received::Unauthentic);
            }
            assert_eq!(pair.heard(0, 1), 0);
        }
        assert_eq!((pair.sides[0].latched(), pair.sides[0].destination()), (None, Some(pair.addresses[1])));
        let stats = pair.sides[0].stats();
        assert_eq!((stats.unauthentic, stats.received), (600, 0));
        let lost = |told: &(usize, SessionEvent)| matches!(told, (0, SessionEvent::RtpLost { .. }));
        assert!(pair.told.iter().any(lost) && !pair.told.iter().any(|told| matches!(told, (0, SessionEvent::FirstRtp { .. }))));
    }
}

#[test]
fn keys_change_within_the_call_without_a_gap() {
    let mut pair = Pair::new(keys(1, 2));
    pair.speak(0, Duration::from_secs(30));
    pair.beats(50);
    // Side 1 offers new keys; side 0 answers. Until the answer is there, side 1 sends and reads as before.
    let [ours, theirs] = keys(3, 4).map(|keys| keys.expect("keys"));
    pair.sides[0].rekey(ours.clone(), pair.now);
    pair.sides[1].rekey(SrtpParams { send: key(2), ..theirs.clone() }, pair.now);
    let before = pair.sides.each_ref().map(|side| side.stats().received);
    let heard = pair.heard(1, 10);
    pair.sides[1].rekey(theirs, pair.now);
    assert_eq!(heard + pair.heard(1, 200), 210);
    // The same again, as a re-INVITE that changes something else says it.
    pair.sides[0].rekey(ours, pair.now);
    assert_eq!(pair.heard(1, 50), 50);
    for (side, before) in pair.sides.iter().zip(before) {
        let stats = side.stats();
        assert_eq!((stats.received - before, stats.unauthentic, stats.replayed), (260, 0, 0), "{stats:?}");
    }
}

#[test]
fn a_call_in_clear_may_become_an_encrypted_one() {
    let mut pair = Pair::new([None, None]);
    pair.beats(50);
    for (side, keys) in pair.sides.iter_mut().zip(keys(1, 2)) {
        side.rekey(keys.expect("keys"), pair.now);
    }
    pair.speak(0, Duration::from_secs(2));
    assert!(pair.heard(1, 100) > 90);
    // What was on the way.
    assert!((1..=2).contains(&pair.sides[1].stats().unauthentic));
}

/// Whole seconds of beats.
fn seconds(count: u32) -> u32 {
    count * 50
}

fn assert_near(actual: Duration, expected_ms: u64, within_ms: u64, what: &str) {
    let off = actual.abs_diff(Duration::from_millis(expected_ms));
    assert!(off <= Duration::from_millis(within_ms), "{what}: {actual:?}, not {expected_ms} ms");
}

#[test]
fn each_side_learns_the_round_trip_and_how_the_other_hears_it() {
    let of_their_own =
        ["192.0.2.2:5001", "192.0.2.1:4001"].map(|remote| RtcpParams { remote: remote.parse().ok(), ..RtcpParams::default() });
    for (srtp, mux) in [([None, None], true), (keys(1, 2), true), ([None, None], false), (keys(1, 2), false)] {
        let mut pair = if mux { Pair::muxed(srtp) } else { Pair::reporting(srtp, of_their_own.clone()) };
        pair.network[0] = Network { delay: Duration::from_millis(60), lost: 50, ..Network::default() };
        pair.network[1] = Network { delay: Duration::from_millis(90), jitter: Duration::from_millis(20), ..Network::default() };
        pair.beats(seconds(120));
        for (side, (heard, lost, jitter_ms)) in pair.sides.iter().zip([(27, 0.05, 0), (25, 0.0, 7)]) {
            let rtcp = side.stats().rtcp;
            assert!((25..40).contains(&rtcp.sent) && rtcp.received >= heard - 5 && rtcp.junk == 0, "{rtcp:?}");
            // Ticks of 20 ms stand between an arrival and a report.
            assert_near(rtcp.round_trip.expect("measured"), 155, 25, "round trip");
            let remote = rtcp.remote.expect("reported");
            assert!((remote.loss() - lost).abs() < 0.02, "{remote:?}");
            assert_near(remote.jitter, jitter_ms, 4, "jitter");
            assert!(remote.expected > 5_500 && remote.expected <= 6_000, "{remote:?}");
            assert!(rtcp.heard.is_some_and(|heard| pair.now - heard < Duration::from_secs(13)));
            assert_eq!(rtcp.source.map(|source| source.port() % 2), Some(u16::from(!mux)));
        }
        let [ours, theirs] = pair.sides.each_ref().map(|side| side.stats());
        let (clean, lossy) = (ours.mos.expect("scored"), theirs.mos.expect("scored"));
        assert!(clean.average > Mos::of_rating(88.0) && lossy.average < Mos::of_rating(82.0), "{clean:?} {lossy:?}");
        assert!(lossy.least <= lossy.average && lossy.windows == 11 || lossy.windows == 12, "{lossy:?}");
        let told = ours.rtcp.remote_mos.expect("scored").average;
        assert!(told.hundredths().abs_diff(lossy.average.hundredths()) < 25, "{told}, there it is {}", lossy.average);
    }
}

#[test]
fn a_stranger_reports_nothing() {
    let mut pair = Pair::muxed([None, None]);
    pair.beats(seconds(10));
    let before = pair.sides[0].stats().rtcp;
    let block = [0x81, 201, 0, 7, 0, 0, 0, 0xb, 0, 0, 0, 0xa, 255, 0, 1, 0, 0, 0, 0, 9, 0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0];
    for from in [MALLORY, "192.0.2.2:5001"] {
        let from = from.parse().expect("an address");
        assert_eq!(pair.sides[0].receive(&mut block.to_vec(), from, pair.now), Received::Refused);
    }
    assert_eq!(pair.sides[0].stats().rtcp, RtcpStats { junk: before.junk + 2, ..before });
    assert_eq!(pair.sides[0].receive(&mut block.to_vec(), pair.addresses[1], pair.now), Received::Rtcp);
    assert_eq!(pair.sides[0].stats().rtcp.remote.expect("believed").lost, 0x100);
    assert_eq!(pair.sides[0].receive(&mut block[..20].to_vec(), pair.addresses[1], pair.now), Received::Junk);
    // Under a key of ours nobody's report in clear is believed, wherever it comes from.
    let mut pair = Pair::muxed(keys(1, 2));
    pair.beats(seconds(10));
    assert_eq!(pair.sides[0].receive(&mut block.to_vec(), pair.addresses[1], pair.now), Received::Unauthentic);
}

#[test]
fn without_rtcp_nothing_is_sent_and_nothing_read() {
    let mut pair = Pair::new([None, None]);
    pair.beats(seconds(20));
    let mut report = RtcpBuffer::new();
    assert!(!pair.sides[0].rtcp_is_due(pair.now) && pair.sides[0].goodbye(pair.now, &mut report).is_none());
    assert_eq!(pair.sides[0].stats().rtcp, RtcpStats::default());
}

#[test]
fn reports_follow_the_hold_and_postpone_no_loss() {
    let mut pair = Pair::muxed([None, None]);
    pair.beats(seconds(20));
    // Side 1 sends nothing but reports: held, that is all that there is of it.
    pair.sides[0].hold(true, pair.now);
    pair.sides[1].mute(true);
    pair.told.clear();
    pair.beats(seconds(60));
    let rtcp = pair.sides[0].stats().rtcp;
    assert!(rtcp.received > 10 && rtcp.heard.is_some_and(|heard| pair.now - heard < Duration::from_secs(8)), "{rtcp:?}");
    assert_eq!(pair.told, [], "held");
    pair.sides[0].hold(false, pair.now);
    pair.beats(seconds(6));
    assert!(matches!(pair.told[..], [(0, SessionEvent::RtpLost { .. })]), "{:?}", pair.told);
}

#[test]
fn the_last_word_is_goodbye() {
    let mut pair = Pair::muxed([None, None]);
    let mut report = RtcpBuffer::new();
    assert_eq!(pair.sides[0].goodbye(pair.now, &mut report), None, "nobody has heard of us");
    pair.beats(5);
    assert_eq!(pair.sides[0].goodbye(pair.now, &mut report), Some(pair.addresses[1]));
    let packets: Vec<_> = rtcp::Compound::parse(report.packet()).expect("right").packets().collect();
    assert!(matches!(
        packets[..],
        [rtcp::RtcpPacket::SenderReport { ssrc: 0xa, .. }, _, rtcp::RtcpPacket::Bye { ssrc: Some(0xa) }]
    ));
}

#[test]
fn a_call_that_is_up_and_hears_nothing_is_told_with_the_address_it_sends_to() {
    let sending_to = |told: &[(usize, SessionEvent)]| match told {
        [(0, SessionEvent::NoRtp { silent_for, sending_to })] if *silent_for >= NO_RTP_AFTER => *sending_to,
        other => panic!("{other:?}"),
    };
    let mut pair = Pair::new([None, None]);
    pair.network[1].lost = 1_000;
    pair.beats(seconds(4));
    pair.told.clear();
    pair.sides[0].expect_rtp(pair.now);
    pair.sides[0].hold(true, pair.now);
    pair.beats(seconds(4));
    assert_eq!(pair.told, [], "held");
    pair.sides[0].hold(false, pair.now);
    pair.beats(seconds(3));
    assert_eq!(sending_to(&pair.told), Some(pair.addresses[1]));
    pair.told.clear();
    pair.network[1].lost = 0;
    pair.beats(seconds(1));
    pair.network[1].lost = 1_000;
    pair.beats(seconds(3));
    assert!(!pair.told.iter().any(|(_, told)| matches!(told, SessionEvent::NoRtp { .. })), "once: {:?}", pair.told);
}

#[test]
fn who_speaks_over_the_agent_is_told_to_those_who_ask() {
    let samples = |sound: Vec<f32>| -> Vec<i16> { sound.into_iter().map(|sample| sample as i16).collect() };
    for asked in [false, true] {
        let mut pair = Pair::new([None, None]);
        pair.sides[0].watch_barge_in(asked.then(Box::default));
        pair.sides[0].playout().push(samples(sounds::agent())).expect("room");
        pair.beats(seconds(2));
        pair.sides[1].playout().push(samples(sounds::at_level(-15.0, sounds::tom()))).expect("room");
        pair.beats(seconds(3));
        let told = pair.told.iter().any(|told| matches!(told, (0, SessionEvent::BargeIn { .. })));
        assert_eq!((told, pair.sides[0].stats().overlaps > 0), (asked, asked));
    }
}

/// Side 1 lies on a table: what it hears of the agent it says.
#[test]
fn an_echo_reaches_no_agent_who_is_watched_and_marks_nobody() {
    let samples = |sound: Vec<f32>| -> Vec<i16> { sound.into_iter().map(|sample| sample as i16).collect() };
    for watched in [false, true] {
        let mut pair = Pair::new([None, None]);
        pair.sides[0].watch_barge_in(watched.then(Box::default));
        let agent = sounds::agent();
        let echo = sounds::Room { delay_ms: 120, loss_db: 12.0, dies_away_ms: 200 }.echo(&agent);
        pair.sides[0].playout().push(samples(agent)).expect("room");
        pair.sides[1].playout().push(samples(echo)).expect("room");
        pair.beats(seconds(2));
        let mut loud = 0;
        for _ in 0..seconds(10) {
            pair.beat();
            loud += u32::from(pair.beats[0].ear().iter().any(|sample| sample.unsigned_abs() > 500));
        }
        let speaks = pair.told.iter().rev().find_map(|told| match told {
            (0, SessionEvent::CallerSpeech { on, .. }) => Some(*on),
            _ => None,
        });
        assert_eq!(speaks, Some(!watched), "before it is known it is somebody");
        assert!(if watched { loud < 100 } else { loud > 300 }, "{watched}: {loud} frames");
    }
}
