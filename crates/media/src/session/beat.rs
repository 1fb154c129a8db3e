//! What one beat of 20 ms yields. A driver keeps one and reuses it for all its calls.

use crate::{
    FRAME_SAMPLES,
    codec::pcm16,
    rtp::{RtpHeader, header::HEADER_LEN, srtp::MAX_TAG_LEN},
};
use std::time::Duration;

/// Samples of 20 ms at the highest rate an ear can have.
const EAR_SAMPLES: usize = 3 * FRAME_SAMPLES;
/// 60 ms of G.711; Opus is told to keep to it.
const MAX_PAYLOAD: usize = 3 * FRAME_SAMPLES;
/// Two of 10 ms.
const MAX_PACKETS: usize = 2;

/// See the module.
#[derive(Debug, Clone)]
pub struct Beat {
    pub(super) packets: [Packet; MAX_PACKETS],
    pub(super) ear: [i16; EAR_SAMPLES],
    pub(super) ear_len: usize,
    pub(super) ear_at: Duration,
    /// Left, right, left, right …
    pub(super) stereo: [i16; 2 * FRAME_SAMPLES],
}

/// A packet to be sent; none while its length is 0.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    /// With room for the tag of SRTP.
    pub bytes: [u8; HEADER_LEN + MAX_PAYLOAD + MAX_TAG_LEN],
    pub len: usize,
}

impl Default for Beat {
    fn default() -> Self {
        let packet = Packet { bytes: [0; HEADER_LEN + MAX_PAYLOAD + MAX_TAG_LEN], len: 0 };
        Self {
            packets: [packet.clone(), packet],
            ear: [0; EAR_SAMPLES],
            ear_len: 0,
            ear_at: Duration::ZERO,
            stereo: [0; 2 * FRAME_SAMPLES],
        }
    }
}

impl Beat {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The RTP packets to send now: one as a rule, two when they are of 10 ms, none in most beats when they are longer than 20.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.packets.iter().filter(|packet| packet.len > 0).filter_map(|packet| packet.bytes.get(..packet.len))
    }

    /// The first of [`Self::packets`]; empty when nothing is to be sent.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        self.packets().next().unwrap_or_default()
    }

    /// What the caller said, for the agent: 20 ms at the ear's rate.
    #[must_use]
    pub fn ear(&self) -> &[i16] {
        &self.ear[..self.ear_len]
    }

    /// When the packet of [`Self::ear`] arrived, on the clock of the session; a frame without a packet is of the beat's time.
    #[must_use]
    pub fn ear_at(&self) -> Duration {
        self.ear_at
    }

    /// 160 pairs at 8 kHz: left the caller as the agent heard it, right the agent as it was sent. What is said at 16 kHz is
    /// brought down to it.
    #[must_use]
    pub fn stereo(&self) -> &[i16; 2 * FRAME_SAMPLES] {
        &self.stereo
    }

    /// [`Self::stereo`] taken apart.
    pub(super) fn sides(&self) -> [[f32; FRAME_SAMPLES]; 2] {
        let pairs = self.stereo.as_chunks::<2>().0;
        [0, 1].map(|side| std::array::from_fn(|i| f32::from(pairs[i][side])))
    }

    pub(super) fn put_left(&mut self, caller: &[f32; FRAME_SAMPLES]) {
        self.put(0, caller);
    }

    pub(super) fn put_right(&mut self, agent: &[f32; FRAME_SAMPLES]) {
        self.put(1, agent);
    }

    fn put(&mut self, side: usize, samples: &[f32; FRAME_SAMPLES]) {
        for (pair, sample) in self.stereo.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
            pair[side] = pcm16(*sample) as i16;
        }
    }

    pub(super) fn silence_right(&mut self) {
        for pair in self.stereo.as_chunks_mut::<2>().0 {
            pair[1] = 0;
        }
    }

    pub(super) fn put_ear(&mut self, samples: &[f32]) {
        self.ear_len = samples.len().min(EAR_SAMPLES);
        for (out, sample) in self.ear.iter_mut().zip(samples) {
            *out = pcm16(*sample) as i16;
        }
    }

    /// The recorder keeps what came.
    pub(super) fn silence_ear(&mut self) {
        self.ear.fill(0);
    }

    pub(super) fn clear_packets(&mut self) {
        self.packets.iter_mut().for_each(|packet| packet.len = 0);
    }

    /// Adds a packet whose payload `write` fills in, returning its length; whether there was one, and room for it.
    pub(super) fn add_packet(&mut self, header: &RtpHeader, write: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let Some(packet) = self.packets.iter_mut().find(|packet| packet.len == 0) else { return false };
        let (head, rest) = packet.bytes.split_at_mut(HEADER_LEN);
        if let Some(head) = head.first_chunk_mut() {
            header.write(head);
        }
        let payload = write(&mut rest[..MAX_PAYLOAD]).min(MAX_PAYLOAD);
        if payload > 0 {
            packet.len = HEADER_LEN + payload;
        }
        payload > 0
    }
}
