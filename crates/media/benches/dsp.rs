//! What the signal parts cost per frame of 20 ms. Compare the figures with one another: the machine is part of each.

use callie_media::{
    FRAME, FRAME_SAMPLES,
    codec::{Codec, G711, OpusParams},
    jitter::{JitterBuffer, Pop},
    playout::{LineRate, Playout, SpeechRate},
    plc::NarrowConcealer,
    resample::{Down16To8, Down24To8, Up8To16, Up8To24},
    rtp::{
        RtpHeader,
        rtcp::RtcpParams,
        srtp::{KEY_LEN, MAX_TAG_LEN, SrtpKey, SrtpParams, SrtpReceiver, SrtpSender, SrtpSuite},
    },
    session::{Beat, Session, SessionParams},
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

/// A call's whole beat, sockets apart: packet → jitter buffer → decode → conceal → marks → 16 kHz, and 24 kHz → 8 kHz → encode →
/// packet, with both channels of the recorder.
#[divan::bench]
fn whole_beat(bencher: Bencher) {
    beats(bencher, None);
}

/// The same with SRTP both ways. The caller's encryption is in it as well; [`srtp_protect`] says what to take off.
#[divan::bench]
fn whole_beat_encrypted(bencher: Bencher) {
    beats(bencher, Some(srtp_keys(SrtpSuite::AesCm128HmacSha1_80)));
}

fn beats(bencher: Bencher, srtp: Option<SrtpParams>) {
    let mut far_end = srtp.as_ref().map(|keys| SrtpSender::new(keys.suite, &keys.receive));
    let params = SessionParams {
        codec: Codec::Pcmu,
        payload_type: 0,
        ptime_ms: 20,
        opus: OpusParams::default(),
        dtmf_payload_type: Some(101),
        dtmf_clock_hz: 8_000,
        comfort_noise_payload_type: None,
        ear_rate: SpeechRate::Hz16000,
        voice_rate: SpeechRate::Hz24000,
        ssrc: 7,
        first_sequence: 0,
        first_timestamp: 0,
        remote: None,
        rtp_timeout: Duration::from_secs(60),
        srtp,
        rtcp: RtcpParams::default(),
    };
    let (mut session, mut beat) = (Session::new(params, Duration::ZERO), Beat::new());
    let caller = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let speech: Vec<i16> = speech::<480>().iter().map(|s| *s as i16).collect();
    let header = RtpHeader { marker: false, payload_type: 0, sequence: 0, timestamp: 0, ssrc: 8 };
    let mut datagram = [0u8; PACKET + MAX_TAG_LEN];
    let codes = codes();
    let mut sent = 0u32;
    bencher.bench_local(|| {
        sent = sent.wrapping_add(1);
        let now = Duration::from_millis(20 * u64::from(sent));
        let header = RtpHeader { sequence: sent as u16, timestamp: sent.wrapping_mul(160), ..header };
        header.write(datagram.first_chunk_mut().expect("the datagram has room for a header"));
        datagram[12..PACKET].copy_from_slice(&codes);
        let len = far_end.as_mut().map_or(PACKET, |sender| sender.protect(&mut datagram, PACKET).expect("room for the tag"));
        session.receive(black_box(&mut datagram[..len]), caller, now);
        let mut chunk = session.playout().reclaim().unwrap_or_default();
        chunk.extend_from_slice(&speech);
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
