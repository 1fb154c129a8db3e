//! One call in which both parties say the same at the same time, and each hears the other.

use crate::network::{Line, Network};
use callie_media::{
    codec::{Codec, OpusParams},
    engine::{EngineOptions, Media, MediaEngine, MediaStats},
    playout::{LineRate, SpeechRate},
    ports::RtpPorts,
    rtp::rtcp::RtcpParams,
    session::SessionParams,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PORTS: std::ops::RangeInclusive<u16> = 30_000..=39_999;
/// Longer than any jitter buffer holds.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// 100 ms of speech, as engines send it.
const CHUNK: usize = 2_400;

/// What one party heard.
pub struct Heard {
    pub line: Line,
    pub direction: &'static str,
    pub rate_hz: u32,
    pub samples: Vec<i16>,
    pub remark: String,
}

/// Both directions at once over a line of this kind.
pub fn converse(codec: Codec, line: Line, speech: &[i16]) -> [Heard; 2] {
    // An engine each: nothing may be in step that is not in step between two machines.
    let engines = [(); 2].map(|()| MediaEngine::start(EngineOptions::default()).expect("threads"));
    let network = Network::new().expect("sockets");
    let ports = RtpPorts::new();
    let sockets = [(); 2].map(|()| ports.reserve(PORTS, LOOPBACK).expect("a free port"));
    let parties = [sockets[0].local_addr(), sockets[1].local_addr()];
    let ways_in = network.addresses().expect("bound");
    let rates = match codec.rate() {
        LineRate::Hz8000 => [SpeechRate::Hz8000, SpeechRate::Hz16000],
        LineRate::Hz16000 => [SpeechRate::Hz16000; 2],
    };
    let stop = AtomicBool::new(false);
    let mut calls = sockets.into_iter().zip(&engines).enumerate().map(|(party, (socket, engine))| {
        let params = params(codec, party as u32, ways_in[party], rates[party]);
        engine.open(socket, params, None).expect("opened")
    });
    let (caller, agent) = (calls.next().expect("two"), calls.next().expect("two"));
    let [by_caller, by_agent] = thread::scope(|scope| {
        scope.spawn(|| network.run(line, parties, &stop));
        let heard = [caller, agent].map(|media| scope.spawn(|| talk(media, speech))).map(|party| party.join().expect("no panic"));
        stop.store(true, Ordering::Relaxed);
        heard
    });
    [("caller to agent", rates[1], by_agent), ("agent to caller", rates[0], by_caller)]
        .map(|(direction, rate, (samples, stats))| Heard { line, direction, rate_hz: rate.hz(), samples, remark: remark(&stats) })
}

/// Says it all, and gives what was heard meanwhile.
fn talk(mut media: Media, speech: &[i16]) -> (Vec<i16>, MediaStats) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut heard = Vec::new();
        let mut chunks = speech.chunks(CHUNK).map(<[i16]>::to_vec);
        let mut next = chunks.next();
        let mut left = LAST_WORDS;
        while !left.is_zero() {
            media.ear.ready().await;
            while let Some(frame) = media.ear.pop() {
                heard.extend_from_slice(frame);
                if next.is_none() && media.voice.is_drained() {
                    left = left.saturating_sub(callie_media::FRAME);
                }
            }
            while let Some(chunk) = next.take() {
                match media.voice.say(chunk) {
                    Ok(()) => next = chunks.next(),
                    Err(chunk) => {
                        next = Some(chunk);
                        break;
                    }
                }
                if next.is_none() {
                    media.voice.end_of_speech();
                }
            }
        }
        let stats = media.control.stats();
        (heard, stats)
    })
}

fn remark(stats: &MediaStats) -> String {
    let MediaStats { received, lost, late, concealed, underruns, jitter, .. } = stats;
    let jitter_ms = jitter.as_secs_f64() * 1e3;
    format!(
        "{received} packets, {lost} lost, {late} late, {concealed} concealed, {underruns} underruns, jitter {jitter_ms:.0} ms"
    )
}

fn params(codec: Codec, ssrc: u32, remote: SocketAddr, ear_rate: SpeechRate) -> SessionParams {
    SessionParams {
        codec,
        payload_type: codec.static_payload_type().unwrap_or(111),
        ptime_ms: 20,
        // The ears lose packets on some lines: FEC is asked for, but nobody reports losses here.
        opus: OpusParams { use_inband_fec: true, ..OpusParams::default() },
        dtmf_payload_type: None,
        dtmf_clock_hz: codec.clock_hz(),
        comfort_noise_payload_type: None,
        ear_rate,
        voice_rate: SpeechRate::Hz24000,
        ssrc,
        first_sequence: 0,
        first_timestamp: 0,
        remote: Some(remote),
        rtp_timeout: Duration::from_secs(60),
        srtp: None,
        rtcp: RtcpParams::default(),
    }
}
