//! A caller on a real socket: it sends one packet for each that it receives, so the engine is its clock.

use callie_media::{
    FRAME_SAMPLES,
    codec::{Codec, G711, OpusParams},
    engine::{EngineOptions, Media, MediaEngine},
    playout::SpeechRate,
    ports::RtpPorts,
    record::Recording,
    rtp::{
        RtpHeader, RtpPacket,
        header::HEADER_LEN,
        rtcp::{RtcpParams, is_rtcp},
        srtp::{MAX_TAG_LEN, RTCP_TRAILER_LEN, SrtpParams, SrtpReceiver, SrtpSender},
    },
    session::SessionParams,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    time::{Duration, Instant},
};

pub const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Nothing on loopback takes so long.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub struct Peer {
    pub socket: UdpSocket,
    next: RtpHeader,
    datagram: [u8; 1500],
    srtp: Option<(SrtpSender, SrtpReceiver)>,
}

/// A packet that the peer received.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    pub header: RtpHeader,
    pub samples: [f32; FRAME_SAMPLES],
}

impl Heard {
    pub fn loudest(&self) -> f32 {
        self.samples.iter().fold(0.0, |loudest, sample| sample.abs().max(loudest))
    }
}

impl Peer {
    pub fn new() -> Self {
        let socket = UdpSocket::bind((LOOPBACK, 0)).expect("loopback");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let next = RtpHeader { marker: true, payload_type: 0, sequence: 1, timestamp: 1, ssrc: 0x0a11_ce00 };
        Self { socket, next, datagram: [0; 1500], srtp: None }
    }

    /// What it sends and receives is encrypted from now on; `ours` are the keys of the other side.
    pub fn encrypt(&mut self, ours: &SrtpParams) {
        let (sender, receiver) = (SrtpSender::new(ours.suite, &ours.receive), SrtpReceiver::new(ours.suite, &ours.send));
        self.srtp = Some((sender, receiver));
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// Waits for a packet; panics past the deadline. What only opens the way is none.
    pub fn hear(&mut self) -> Heard {
        let mut length = self.socket.recv(&mut self.datagram).expect("a packet before the deadline");
        while length == 0 || is_rtcp(&self.datagram[..length]) {
            length = self.socket.recv(&mut self.datagram).expect("a packet before the deadline");
        }
        if let Some((_, receiver)) = &mut self.srtp {
            length = receiver.unprotect(&mut self.datagram[..length]).expect("encrypted for us");
        }
        let packet = RtpPacket::parse(&self.datagram[..length]).expect("valid rtp");
        let mut samples = [0.0; FRAME_SAMPLES];
        if packet.header.payload_type == 0 {
            G711::Pcmu.decode(packet.payload, &mut samples);
        }
        Heard { header: packet.header, samples }
    }

    /// Takes packets for a while and throws them away.
    pub fn listen_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left)).expect("a timeout");
            let _ = self.socket.recv(&mut self.datagram);
        }
        self.socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    }

    /// Sends 20 ms of a square wave.
    pub fn speak(&mut self, level: f32, to: SocketAddr) {
        let mut samples = [0.0; FRAME_SAMPLES];
        for (i, sample) in samples.iter_mut().enumerate() {
            *sample = if i % 16 < 8 { level } else { -level };
        }
        let mut buffer = [0; HEADER_LEN + FRAME_SAMPLES + MAX_TAG_LEN];
        let (packet, _) = buffer.split_at_mut(HEADER_LEN + FRAME_SAMPLES);
        let (head, payload) = packet.split_at_mut(HEADER_LEN);
        self.next.write(head.first_chunk_mut().expect("twelve bytes"));
        G711::Pcmu.encode(&samples, payload);
        self.next.sequence = self.next.sequence.wrapping_add(1);
        self.next.timestamp = self.next.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        let length = HEADER_LEN + FRAME_SAMPLES;
        let length = match &mut self.srtp {
            Some((sender, _)) => sender.protect(&mut buffer, length).expect("room"),
            None => length,
        };
        self.socket.send_to(&buffer[..length], to).expect("sent");
    }

    /// Sends an empty report to the port of RTP.
    pub fn report(&mut self, to: SocketAddr) {
        let mut buffer = [0; 8 + RTCP_TRAILER_LEN];
        buffer[..8].copy_from_slice(&[0x80, 201, 0, 1, 0x0a, 0x11, 0xce, 0]);
        let length = match &mut self.srtp {
            Some((sender, _)) => sender.protect_rtcp(&mut buffer, 8).expect("room"),
            None => 8,
        };
        self.socket.send_to(&buffer[..length], to).expect("sent");
    }

    /// Hears one packet and answers it with one.
    pub fn exchange(&mut self, level: f32, with: SocketAddr) -> Heard {
        let heard = self.hear();
        self.speak(level, with);
        heard
    }
}

pub fn params(remote: SocketAddr) -> SessionParams {
    SessionParams {
        codec: Codec::Pcmu,
        payload_type: 0,
        ptime_ms: 20,
        opus: OpusParams::default(),
        dtmf_payload_type: Some(101),
        dtmf_clock_hz: 8_000,
        comfort_noise_payload_type: None,
        ear_rate: SpeechRate::Hz8000,
        voice_rate: SpeechRate::Hz24000,
        ssrc: 0xca11,
        first_sequence: 100,
        first_timestamp: 16_000,
        remote: Some(remote),
        rtp_timeout: DEADLINE,
        srtp: None,
        rtcp: RtcpParams::default(),
    }
}

/// An engine without real-time priority: tests must not starve the machine.
pub fn engine() -> MediaEngine {
    MediaEngine::start(EngineOptions { realtime: false, ..EngineOptions::default() }).expect("threads")
}

/// Opens a call.
pub fn open(engine: &MediaEngine, ports: &RtpPorts, params: SessionParams, recording: Option<PathBuf>) -> (Media, SocketAddr) {
    let socket = ports.reserve(30_000..=39_999, LOOPBACK).expect("a free port");
    let local = socket.local_addr();
    (engine.open(socket, params, recording.map(Recording::plain)).expect("opened"), local)
}
