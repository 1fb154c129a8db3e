//! What the signal parts cost per frame of 20 ms. Compare the figures with one another: the machine is part of each.

use callie_media::{
    FRAME, FRAME_SAMPLES,
    barge::BargeInDetector,
    codec::{
        Codec, G711, OpusParams,
        g722::{G722Decoder, G722Encoder},
        opus::{MAX_SAMPLES, OpusDecoder, OpusEncoder},
    },
    dtmf::ToneDetector,
    jitter::{JitterBuffer, Pop},
    playout::{LineRate, Playout, SpeechRate},
    plc::NarrowConcealer,
    progress::ProgressListener,
    resample::{Down16To8, Down24To8, Down24To16, Up8To16, Up8To24, Up16To24},
    rtp::{
        RtpHeader,
        rtcp::RtcpParams,
        srtp::{KEY_LEN, MAX_TAG_LEN, SrtpKey, SrtpParams, SrtpReceiver, SrtpSender, SrtpSuite},
    },
    session::{Beat, Session, SessionParams},
    wav::Wav,
};
use divan::{Bencher, black_box};
use std::{net::SocketAddr, time::Duration};

fn main() {
    divan::main();
}

const LAWS: [G711; 2] = [G711::Pcmu, G711::Pcma];

/// A rising and falling tone of about speech's level.
fn speech<const N: usize>() -> [f32; N] {
    std::array::from_fn(|i| 4000.0 * (i as f32 * 0.1).sin() * (i as f32 * 0.013).sin())
}

fn codes() -> [u8; FRAME_SAMPLES] {
    let mut codes = [0; FRAME_SAMPLES];
    G711::Pcmu.encode(&speech::<FRAME_SAMPLES>(), &mut codes);
    codes
}

#[divan::bench(args = LAWS)]
fn encode(bencher: Bencher, law: G711) {
    let (samples, mut codes) = (speech::<FRAME_SAMPLES>(), [0; FRAME_SAMPLES]);
    bencher.bench_local(|| law.encode(black_box(&samples), black_box(&mut codes)));
}

#[divan::bench(args = LAWS)]
fn decode(bencher: Bencher, law: G711) {
    let (codes, mut samples) = (codes(), [0.0; FRAME_SAMPLES]);
    bencher.bench_local(|| law.decode(black_box(&codes), black_box(&mut samples)));
}

macro_rules! resampler {
    ($name:ident, $kind:ident, $from:literal, $to:literal) => {
        #[divan::bench]
        fn $name(bencher: Bencher) {
            let (mut converter, input, mut output) = ($kind::new(), speech::<$from>(), [0.0; $to]);
            bencher.bench_local(|| converter.process(black_box(&input), black_box(&mut output)));
        }
    };
}
resampler!(up_8_to_16, Up8To16, 160, 320);
resampler!(up_8_to_24, Up8To24, 160, 480);
resampler!(down_16_to_8, Down16To8, 320, 160);
resampler!(down_24_to_8, Down24To8, 480, 160);
resampler!(up_16_to_24, Up16To24, 320, 480);
resampler!(down_24_to_16, Down24To16, 480, 320);

#[divan::bench]
fn jitter_push_and_pop(bencher: Bencher) {
    let (mut buffer, codes) = (JitterBuffer::of_codes(), codes());
    let mut sent = 0u32;
    bencher.bench_local(|| {
        let now = FRAME * (sent % 100_000_000);
        buffer.push(sent as u16, sent.wrapping_mul(160), black_box(&codes), now);
        sent = sent.wrapping_add(1);
        matches!(buffer.pop(now), Pop::Frame { .. })
    });
}

#[divan::bench]
fn conceal_one_loss(bencher: Bencher) {
    let mut concealer = NarrowConcealer::new();
    let mut frame = speech::<FRAME_SAMPLES>();
    bencher.bench_local(|| {
        concealer.good(black_box(&mut frame));
        concealer.conceal(black_box(&mut frame));
        frame = speech::<FRAME_SAMPLES>();
    });
}

/// A chunk goes round: pushed, played, reclaimed, filled again.
fn play(playout: &mut Playout, speech: &[i16], frame: &mut [f32; FRAME_SAMPLES]) {
    let mut chunk = playout.reclaim().unwrap_or_default();
    chunk.extend_from_slice(speech);
    drop(playout.push(chunk));
    playout.pull(frame);
}

#[divan::bench(args = [SpeechRate::Hz8000, SpeechRate::Hz16000, SpeechRate::Hz24000])]
fn playout(bencher: Bencher, rate: SpeechRate) {
    let mut playout = Playout::new(rate, LineRate::Hz8000, 8);
    let speech: Vec<i16> = speech::<480>().iter().take(rate.hz() as usize / 50).map(|s| *s as i16).collect();
    let mut frame = [0.0; FRAME_SAMPLES];
    bencher.bench_local(|| play(black_box(&mut playout), black_box(&speech), black_box(&mut frame)));
}

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
        ssrc: 7,
        first_sequence: 0,
        first_timestamp: 0,
        remote: None,
        rtp_timeout: Duration::from_secs(60),
        srtp: None,
        rtcp: RtcpParams::default(),
    }
}

/// A sentence at 24 kHz, in frames of 20 ms.
fn sentence() -> Vec<Vec<i16>> {
    let wav = Wav::parse(include_bytes!("../../lab/samples/caller_maria_1.wav")).expect("a sample");
    let samples: Vec<i16> = wav.channel(0).collect();
    samples.chunks_exact(480).map(<[i16]>::to_vec).collect()
}

/// At 16 kHz.
fn wide_sentence() -> Vec<[f32; 320]> {
    let mut down = Down24To16::new();
    sentence()
        .iter()
        .map(|frame| {
            let (mut from, mut to) = ([0.0; 480], [0.0; 320]);
            from.iter_mut().zip(frame).for_each(|(to, from)| *to = f32::from(*from));
            down.process(&from, &mut to);
            to
        })
        .collect()
}

/// The packets that a session makes of the sentence.
fn packets(codec: Codec) -> Vec<Vec<u8>> {
    let (mut session, mut beat) = (Session::new(params(codec), Duration::ZERO), Beat::new());
    let sentence = sentence();
    let beats = 0..sentence.len() as u32;
    drop(session.playout().push(sentence.concat()));
    beats
        .map(|i| {
            session.tick(FRAME * i, &mut beat);
            beat.packet().to_vec()
        })
        .collect()
}

#[divan::bench]
fn g722_encode(bencher: Bencher) {
    let (mut encoder, mut frames, mut codes) = (G722Encoder::new(), wide_sentence().into_iter().cycle(), [0; 160]);
    bencher.bench_local(|| encoder.encode(&frames.next().unwrap_or([0.0; 320]), black_box(&mut codes)));
}

#[divan::bench]
fn g722_decode(bencher: Bencher) {
    let packets = packets(Codec::G722);
    let (mut decoder, mut packets, mut samples) = (G722Decoder::new(), packets.iter().cycle(), [0.0; 320]);
    bencher.bench_local(|| decoder.decode(packets.next().map_or(&[][..], |packet| &packet[12..]), black_box(&mut samples)));
}

#[divan::bench]
fn opus_encode(bencher: Bencher) {
    let mut encoder = OpusEncoder::new(OpusParams::default());
    let (mut frames, mut packet) = (wide_sentence().into_iter().cycle(), [0; 480]);
    bencher.bench_local(|| encoder.encode(&frames.next().unwrap_or([0.0; 320]), black_box(&mut packet)));
}

#[divan::bench]
fn opus_decode(bencher: Bencher) {
    let packets = packets(Codec::Opus);
    let (mut decoder, mut packets, mut samples) = (OpusDecoder::new(), packets.iter().cycle(), [0; MAX_SAMPLES]);
    bencher.bench_local(|| decoder.decode(packets.next().map_or(&[][..], |packet| &packet[12..]), black_box(&mut samples)));
}

/// The sentence at 8 kHz.
fn narrow_sentence() -> Vec<[f32; FRAME_SAMPLES]> {
    let mut down = Down16To8::new();
    wide_sentence()
        .iter()
        .map(|frame| {
            let mut narrow = [0.0; FRAME_SAMPLES];
            down.process(frame, &mut narrow);
            narrow
        })
        .collect()
}

/// Keys in speech, where there are none.
#[divan::bench]
fn listen_for_tones(bencher: Bencher) {
    let frames = narrow_sentence();
    let (mut detector, mut frames) = (ToneDetector::new(), frames.iter().cycle());
    bencher.bench_local(|| frames.next().and_then(|frame| detector.hear(black_box(frame), 3_000.0)));
}

/// Whether the caller speaks over the agent, by who speaks: each a sentence again and again, the caller's half a second later.
#[divan::bench(args = ["caller", "agent", "both", "agent and echo"])]
fn watch_for_barge_in(bencher: Bencher, who: &str) {
    let (speech, silence) = (narrow_sentence(), [0.0; FRAME_SAMPLES]);
    let beats = speech.len();
    // Of the agent it is another voice: read from behind.
    let agent = |beat: usize| match who {
        "caller" => silence,
        "both" => std::array::from_fn(|i| speech[beats - 1 - beat % beats][FRAME_SAMPLES - 1 - i]),
        _ => speech[beat % beats],
    };
    let caller = |beat: usize| match who {
        "agent" => silence,
        "agent and echo" => speech[(beat + beats - 10) % beats].map(|sample| 0.2 * sample),
        _ => speech[(beat + beats - 25) % beats],
    };
    let frames: Vec<_> = (0..beats).map(|beat| (caller(beat), agent(beat))).collect();
    let (mut detector, mut frames) = (BargeInDetector::new(), frames.iter().cycle());
    bencher.bench_local(|| frames.next().and_then(|(heard, sent)| detector.hear(black_box(heard), true, black_box(sent))));
}

/// What a call that is being placed listens for, in speech and in a tone.
#[divan::bench(args = ["speech", "tone"])]
fn listen_for_progress(bencher: Bencher, what: &str) {
    let tone = std::array::from_fn(|i| 3_000.0 * (i as f32 * std::f32::consts::TAU * 0.05).sin());
    let frames = if what == "tone" { vec![tone] } else { narrow_sentence() };
    let (mut listener, mut frames) = (ProgressListener::new(), frames.iter().cycle());
    bencher.bench_local(|| {
        if let Some(frame) = frames.next() {
            listener.hear(black_box(frame), 3_000.0);
        }
        while black_box(listener.poll()).is_some() {}
    });
}

/// A call's whole beat, sockets apart: packet → jitter buffer → decode → conceal → marks → 16 kHz, and 24 kHz → line → encode →
/// packet, with both channels of the recorder. G.711 alone was measured with a steady tone before, so it still is.
#[divan::bench]
fn whole_beat(bencher: Bencher) {
    let speech: Vec<i16> = speech::<480>().iter().map(|s| *s as i16).collect();
    let mut datagram = vec![0u8; 12 + FRAME_SAMPLES];
    datagram[12..].copy_from_slice(&codes());
    beat_after_beat(bencher, params(Codec::Pcmu), &[datagram], &[speech]);
}

/// The same with SRTP both ways. The caller's encryption is in it as well; [`srtp_protect`] says what to take off.
#[divan::bench]
fn whole_beat_encrypted(bencher: Bencher) {
    let speech: Vec<i16> = speech::<480>().iter().map(|s| *s as i16).collect();
    let mut datagram = vec![0u8; PACKET];
    datagram[12..].copy_from_slice(&codes());
    let params = SessionParams { srtp: Some(srtp_keys(SrtpSuite::AesCm128HmacSha1_80)), ..params(Codec::Pcmu) };
    beat_after_beat(bencher, params, &[datagram], &[speech]);
}

/// The same with a sentence both ways.
#[divan::bench(args = Codec::ALL)]
fn whole_beat_of_speech(bencher: Bencher, codec: Codec) {
    beat_after_beat(bencher, params(codec), &packets(codec), &sentence());
}

fn beat_after_beat(bencher: Bencher, params: SessionParams, packets: &[Vec<u8>], speech: &[Vec<i16>]) {
    let mut far_end = params.srtp.as_ref().map(|keys| SrtpSender::new(keys.suite, &keys.receive));
    let ticks = params.codec.clock_hz() / 50;
    let header = RtpHeader { marker: false, payload_type: params.payload_type, sequence: 0, timestamp: 0, ssrc: 8 };
    let (mut session, mut beat) = (Session::new(params, Duration::ZERO), Beat::new());
    let caller = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let mut datagram = vec![0u8; 1_500];
    let mut sent = 0u32;
    bencher.bench_local(|| {
        sent = sent.wrapping_add(1);
        let now = Duration::from_millis(20 * u64::from(sent));
        let header = RtpHeader { sequence: sent as u16, timestamp: sent.wrapping_mul(ticks), ..header };
        let packet = &packets[sent as usize % packets.len()];
        datagram[..packet.len()].copy_from_slice(packet);
        header.write(datagram.first_chunk_mut().expect("the datagram has room for a header"));
        let len = packet.len();
        let len = far_end.as_mut().map_or(len, |sender| sender.protect(&mut datagram, len).expect("room for the tag"));
        session.receive(black_box(&mut datagram[..len]), caller, now);
        let mut chunk = session.playout().reclaim().unwrap_or_default();
        chunk.extend_from_slice(&speech[sent as usize % speech.len()]);
        drop(session.playout().push(chunk));
        session.tick(now, black_box(&mut beat));
        while session.poll_event().is_some() {}
    });
}

/// Octets of a packet of 20 ms of G.711.
const PACKET: usize = 12 + FRAME_SAMPLES;
const SUITES: [SrtpSuite; 2] = SrtpSuite::ALL;

fn srtp_keys(suite: SrtpSuite) -> SrtpParams {
    let [send, receive] = [1, 2].map(|octet| SrtpKey::new([octet; KEY_LEN]));
    SrtpParams { suite, send, receive }
}

fn packet(sequence: u32) -> [u8; PACKET + MAX_TAG_LEN] {
    let mut packet = [0x55; PACKET + MAX_TAG_LEN];
    let header = RtpHeader { marker: false, payload_type: 0, sequence: sequence as u16, timestamp: sequence * 160, ssrc: 8 };
    header.write(packet.first_chunk_mut().expect("the packet has room for a header"));
    packet
}

/// What moving a packet's octets costs: the floor for what touches each of them.
#[divan::bench]
fn copy_a_packet(bencher: Bencher) {
    let (from, mut to) = (packet(0), [0; PACKET + MAX_TAG_LEN]);
    bencher.bench_local(|| to.copy_from_slice(black_box(&from)));
}

#[divan::bench(args = SUITES)]
fn srtp_protect(bencher: Bencher, suite: SrtpSuite) {
    let mut sender = SrtpSender::new(suite, &srtp_keys(suite).send);
    let mut buffer = packet(0);
    let mut sequence = 0u16;
    bencher.bench_local(|| {
        sequence = sequence.wrapping_add(1);
        [buffer[2], buffer[3]] = sequence.to_be_bytes();
        sender.protect(black_box(&mut buffer), PACKET)
    });
}

#[divan::bench(args = SUITES)]
fn srtp_unprotect(bencher: Bencher, suite: SrtpSuite) {
    let keys = srtp_keys(suite);
    let (mut sender, mut receiver) = (SrtpSender::new(suite, &keys.send), SrtpReceiver::new(suite, &keys.send));
    let mut sequence = 0u32;
    let next = move || {
        sequence += 1;
        let mut buffer = packet(sequence);
        let len = sender.protect(&mut buffer, PACKET).expect("room for the tag");
        (buffer, len)
    };
    // One after the other: only the newest is not in the window yet.
    bencher.with_inputs(next).bench_local_values(|(mut buffer, len)| receiver.unprotect(black_box(&mut buffer[..len])));
}
