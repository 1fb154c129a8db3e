//! Two sessions that talk to each other, in each codec and packet length.

use super::*;
use crate::rtp::TelephoneEvent;
use std::f64::consts::TAU;

const BEAT: Duration = Duration::from_millis(20);
const RATES: [SpeechRate; 3] = [SpeechRate::Hz8000, SpeechRate::Hz16000, SpeechRate::Hz24000];

fn params(codec: Codec) -> SessionParams {
    SessionParams {
        codec,
        payload_type: codec.static_payload_type().unwrap_or(111),
        ptime_ms: 20,
        opus: OpusParams::default(),
        dtmf_payload_type: Some(101),
        dtmf_clock_hz: codec.clock_hz(),
        comfort_noise_payload_type: None,
        ear_rate: SpeechRate::Hz16000,
        voice_rate: SpeechRate::Hz24000,
        ssrc: 1,
        first_sequence: u16::MAX - 20,
        first_timestamp: u32::MAX - 5_000,
        remote: None,
        rtp_timeout: Duration::from_secs(60),
        srtp: None,
        rtcp: RtcpParams::default(),
    }
}

/// One speaks, the other hears.
struct Talk {
    speaker: Session,
    listener: Session,
    now: Duration,
    said: Beat,
    heard: Beat,
    keys: String,
}

impl Talk {
    fn new(params: &SessionParams) -> Self {
        let now = Duration::from_secs(100);
        let [speaker, listener] = [(); 2].map(|()| Session::new(params.clone(), now));
        Self { speaker, listener, now, said: Beat::new(), heard: Beat::new(), keys: String::new() }
    }

    /// The packets of this beat, those that `passes` lets through delivered.
    fn beat(&mut self, passes: bool) -> Vec<Vec<u8>> {
        self.now += BEAT;
        self.speaker.tick(self.now, &mut self.said);
        let packets: Vec<_> = self.said.packets().map(<[u8]>::to_vec).collect();
        for packet in packets.iter().filter(|_| passes) {
            self.deliver(packet);
        }
        self.listener.tick(self.now, &mut self.heard);
        while let Some(event) = self.listener.poll_event() {
            self.keys.extend(if let SessionEvent::Dtmf(key) = event { Some(key) } else { None });
        }
        packets
    }

    fn deliver(&mut self, packet: &[u8]) {
        let from = SocketAddr::from(([192, 0, 2, 1], 4_000));
        self.listener.receive(&mut packet.to_vec(), from, self.now);
    }

    /// Says a tone for so many beats; what the listener's ear gets, and the packets.
    fn say_tone(&mut self, hertz: f64, beats: usize, passes: impl Fn(usize) -> bool) -> (Vec<f64>, Vec<Vec<u8>>) {
        let rate = self.speaker.params().voice_rate.hz() as usize;
        let tone = (0..rate / 50 * beats).map(|i| (8_000.0 * (TAU * hertz * i as f64 / rate as f64).sin()) as i16).collect();
        self.speaker.playout().push(tone).expect("room");
        let (mut heard, mut packets) = (vec![], vec![]);
        for beat in 0..beats {
            packets.extend(self.beat(passes(beat)));
            heard.extend(self.heard.ear().iter().map(|sample| f64::from(*sample)));
        }
        (heard, packets)
    }
}

/// Amplitude of a tone, and how far it stands above all else, dB.
fn listen(samples: &[f64], hertz: f64, rate: f64) -> (f64, f64) {
    let part = |wave: fn(f64) -> f64| {
        let sum: f64 = samples.iter().enumerate().map(|(i, s)| s * wave(TAU * hertz * i as f64 / rate)).sum();
        2.0 * sum / samples.len() as f64
    };
    let amplitude = part(f64::sin).hypot(part(f64::cos));
    let all = samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64;
    let tone = amplitude * amplitude / 2.0;
    (amplitude, 10.0 * (tone / (all - tone).max(1e-9)).log10())
}

fn header(packet: &[u8]) -> RtpHeader {
    RtpPacket::parse(packet).expect("our own").header
}

#[test]
fn each_codec_carries_speech_between_all_rates() {
    // Least dB above all else; what is lost at the upper end of each codec does not show at 1 kHz.
    for (codec, least) in [(Codec::Pcmu, 33.0), (Codec::Pcma, 33.0), (Codec::G722, 33.0), (Codec::Opus, 14.0)] {
        for voice_rate in RATES {
            for ear_rate in RATES {
                let mut talk = Talk::new(&SessionParams { voice_rate, ear_rate, ..params(codec) });
                let (heard, packets) = talk.say_tone(1_000.0, 100, |_| true);
                let rate = f64::from(ear_rate.hz());
                let (amplitude, above) = listen(&heard[heard.len() / 2..], 1_000.0, rate);
                let name = format!("{codec:?} from {voice_rate:?} to {ear_rate:?}");
                assert!((7_000.0..9_000.0).contains(&amplitude), "{name}: {amplitude:.0}");
                assert!(above > least, "{name}: {above:.1} dB");
                assert_eq!(packets.len(), 100, "{name}");
                assert_eq!(talk.listener.stats().jitter.lost, 0, "{name}");
                let left: Vec<f64> = talk.heard.stereo().as_chunks::<2>().0.iter().map(|pair| f64::from(pair[0])).collect();
                assert!(listen(&left, 1_000.0, 8_000.0).0 > 7_000.0, "{name}: recorded");
                let right: Vec<f64> = talk.said.stereo().as_chunks::<2>().0.iter().map(|pair| f64::from(pair[1])).collect();
                assert!(listen(&right, 1_000.0, 8_000.0).0 > 7_000.0, "{name}: recorded as sent");
            }
        }
    }
}

#[test]
fn wide_codecs_carry_what_narrow_ones_cannot() {
    for (codec, carried) in [(Codec::Pcmu, false), (Codec::G722, true), (Codec::Opus, true)] {
        let mut talk = Talk::new(&params(codec));
        let (heard, _) = talk.say_tone(5_500.0, 100, |_| true);
        let (amplitude, _) = listen(&heard[heard.len() / 2..], 5_500.0, 16_000.0);
        assert_eq!(amplitude > 4_000.0, carried, "{codec:?}: {amplitude:.0}");
        let left: Vec<f64> = talk.heard.stereo().as_chunks::<2>().0.iter().map(|pair| f64::from(pair[0])).collect();
        assert!(listen(&left, 2_500.0, 8_000.0).0 < 100.0, "{codec:?}: nothing folds into the recording");
    }
}

#[test]
fn packets_are_as_long_as_the_far_end_asks_and_any_length_is_heard() {
    // Milliseconds asked for, milliseconds sent: by G.711 and G.722, and by Opus.
    let cases = [
        (0, 10, 10),
        (10, 10, 10),
        (20, 20, 20),
        (25, 20, 20),
        (30, 30, 20),
        (40, 40, 40),
        (50, 50, 40),
        (60, 60, 60),
        (200, 60, 60),
    ];
    for (asked, plain, opus) in cases {
        for codec in Codec::ALL {
            let sent_ms = if codec == Codec::Opus { opus } else { plain };
            let mut talk = Talk::new(&SessionParams { ptime_ms: asked, ..params(codec) });
            let (heard, packets) = talk.say_tone(500.0, 120, |_| true);
            let name = format!("{codec:?} asked for {asked} ms");
            assert_eq!(packets.len(), 2_400 / sent_ms, "{name}");
            let step = codec.clock_hz() / 1_000 * sent_ms as u32;
            for pair in packets.windows(2) {
                let (before, after) = (header(&pair[0]), header(&pair[1]));
                assert_eq!(after.timestamp.wrapping_sub(before.timestamp), step, "{name}");
                assert_eq!(after.sequence, before.sequence.wrapping_add(1), "{name}");
            }
            assert_eq!(header(&packets[0]).timestamp, params(codec).first_timestamp, "{name}");
            let (amplitude, above) = listen(&heard[heard.len() / 2..], 500.0, 16_000.0);
            assert!(amplitude > 7_000.0 && above > 12.0, "{name}: {amplitude:.0}, {above:.1} dB");
            let stats = talk.listener.stats().jitter;
            assert_eq!((stats.lost, stats.late), (0, 0), "{name}");
            assert!(stats.concealed <= 3, "{name}: {} concealed", stats.concealed);
        }
    }
}

#[test]
fn a_lost_packet_is_hardly_missed_in_any_codec() {
    for codec in Codec::ALL {
        for ptime_ms in [20, 40] {
            let mut talk = Talk::new(&SessionParams { ptime_ms, ..params(codec) });
            let (heard, _) = talk.say_tone(400.0, 120, |beat| beat % 20 != 13);
            let concealed = talk.listener.stats().jitter.concealed;
            assert!((3..=16).contains(&concealed), "{codec:?} of {ptime_ms} ms: {concealed}");
            let quietest = heard[heard.len() / 2..].chunks(160).map(|part| part.iter().fold(0.0, |a: f64, b| a.max(b.abs())));
            let quietest = quietest.fold(f64::MAX, f64::min);
            assert!(quietest > 1_000.0, "{codec:?} of {ptime_ms} ms: {quietest:.0}");
        }
    }
}

#[test]
fn keys_go_as_events_in_packets_of_any_length() {
    for codec in Codec::ALL {
        for (ptime_ms, dtmf_clock_hz) in [(10, 8_000), (20, codec.clock_hz()), (30, 8_000), (60, codec.clock_hz())] {
            let mut talk = Talk::new(&SessionParams { ptime_ms, dtmf_clock_hz, ..params(codec) });
            talk.say_tone(500.0, 11, |_| true);
            assert!("19*#".chars().all(|key| talk.speaker.send_dtmf(key, DtmfWay::Events)));
            let mut longest = 0;
            for _ in 0..80 {
                for packet in talk.beat(true) {
                    let packet = RtpPacket::parse(&packet).expect("our own");
                    let event = TelephoneEvent::parse(packet.payload).filter(|_| packet.header.payload_type == 101);
                    longest = longest.max(event.map_or(0, |event| event.duration));
                }
            }
            assert_eq!(talk.keys, "19*#", "{codec:?} {ptime_ms}");
            assert_eq!(u32::from(longest), dtmf_clock_hz / 1_000 * 120, "{codec:?} {ptime_ms}");
            assert_eq!(talk.listener.stats().jitter.lost, 0);
        }
    }
}

#[test]
fn keys_go_as_tones_through_each_codec() {
    for codec in Codec::ALL {
        let mut talk = Talk::new(&SessionParams { dtmf_payload_type: None, ..params(codec) });
        assert!(!talk.speaker.send_dtmf('1', DtmfWay::Events));
        talk.say_tone(500.0, 10, |_| true);
        assert!("159D#0*".chars().all(|key| talk.speaker.send_dtmf(key, DtmfWay::Tones)));
        (0..100).for_each(|_| drop(talk.beat(true)));
        assert_eq!(talk.keys, "159D#0*", "{codec:?}");
    }
}

#[test]
fn a_key_that_comes_by_both_ways_is_one() {
    let mut talk = Talk::new(&params(Codec::Pcma));
    talk.say_tone(500.0, 10, |_| true);
    // As gateways do that leave the tone in the speech: both at once, the tone heard after the jitter buffer or before the event.
    for (key, event_after) in [('7', 0), ('7', 0), ('8', 12)] {
        talk.speaker.send_dtmf(key, DtmfWay::Tones);
        for beat in 0..40 {
            if beat == event_after {
                let digit = key.to_digit(10).unwrap_or_default() as u8;
                for end in [0, 0x80] {
                    let mut packet = [0; 16];
                    let header = RtpHeader { payload_type: 101, ssrc: 77, ..talk.speaker.mouth.next };
                    header.write(packet.first_chunk_mut().expect("room"));
                    packet[12..].copy_from_slice(&[digit, end, 3, 0]);
                    talk.deliver(&packet);
                }
            }
            talk.beat(true);
        }
    }
    assert_eq!(talk.keys, "778");
    assert!(talk.speaker.send_dtmf('9', DtmfWay::Tones));
    (0..40).for_each(|_| drop(talk.beat(true)));
    assert_eq!(talk.keys, "778", "who sends events is heard by those alone");
}

#[test]
fn comfort_noise_is_heard_while_it_lasts() {
    for (payload_type, agreed) in [(13, None), (118, Some(118))] {
        for codec in [Codec::Pcmu, Codec::G722] {
            let mut talk = Talk::new(&SessionParams { comfort_noise_payload_type: agreed, ..params(codec) });
            talk.say_tone(500.0, 40, |_| true);
            let before = talk.listener.stats();
            let mut packet = [0; 13];
            RtpHeader { payload_type, ..talk.speaker.mouth.next }.write(packet.first_chunk_mut().expect("room"));
            packet[12] = 50;
            talk.deliver(&packet);
            // What is sent meanwhile does not arrive: the far end is silent.
            let mut levels = vec![];
            for beat in 0..50 {
                talk.beat(false);
                let ear: Vec<f32> = talk.heard.ear().iter().map(|sample| f32::from(*sample)).collect();
                levels.push((beat, crate::activity::rms(&ear)));
            }
            // −50 dBov is 104 in 32,768.
            let noise = levels[4..].iter().all(|(_, level)| (60.0..160.0).contains(level));
            assert!(noise, "{payload_type} {codec:?}: {levels:?}");
            let after = talk.listener.stats();
            assert_eq!(after.jitter.concealed, before.jitter.concealed, "a pause that was told is no loss");
            assert_eq!(after.received, before.received + 1, "a sign of life");
            // The noise stands for the packet that has its number.
            let (heard, _) = talk.say_tone(500.0, 40, |_| true);
            assert!(listen(&heard[heard.len() / 2..], 500.0, 16_000.0).0 > 7_000.0);
        }
    }
}

#[test]
fn opus_of_strangers_is_survived() {
    let mut talk = Talk::new(&params(Codec::Opus));
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    for beat in 0..3_000_u64 {
        let (_, packets) = if beat % 50 == 0 { talk.say_tone(700.0, 1, |_| false) } else { (vec![], talk.beat(false)) };
        for mut packet in packets {
            for _ in 0..dice % 4 {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                // Sequence numbers, timestamps and payload; the rest would be refused before.
                let at = 2 + dice as usize % (packet.len() - 2);
                if !(8..12).contains(&at) {
                    packet[at] = (dice >> 40) as u8;
                }
            }
            dice = dice.wrapping_add(1);
            talk.deliver(&packet);
        }
    }
}
