//! What one beat of 20 ms yields. A driver keeps one and reuses it for all its calls.

use crate::{
    FRAME_SAMPLES,
    codec::{G711, pcm16},
    rtp::{RtpHeader, header::HEADER_LEN, srtp::MAX_TAG_LEN, telephone_event::EVENT_LEN},
};
use std::time::Duration;

/// Samples of 20 ms at the highest rate an ear can have.
const EAR_SAMPLES: usize = 3 * FRAME_SAMPLES;

/// See the module.
#[derive(Debug, Clone)]
pub struct Beat {
    /// With room for the tag of SRTP.
    pub(super) packet: [u8; HEADER_LEN + FRAME_SAMPLES + MAX_TAG_LEN],
    pub(super) packet_len: usize,
    pub(super) ear: [i16; EAR_SAMPLES],
    pub(super) ear_len: usize,
    pub(super) ear_at: Duration,
    /// Left, right, left, right …
    pub(super) stereo: [i16; 2 * FRAME_SAMPLES],
}

impl Default for Beat {
    fn default() -> Self {
        Self {
            packet: [0; HEADER_LEN + FRAME_SAMPLES + MAX_TAG_LEN],
            packet_len: 0,
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

    /// The RTP packet to send now; empty when nothing is to be sent.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        &self.packet[..self.packet_len]
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

    /// 160 pairs at 8 kHz: left the caller as the agent heard it, right the agent as it was sent.
    #[must_use]
    pub fn stereo(&self) -> &[i16; 2 * FRAME_SAMPLES] {
        &self.stereo
    }

    pub(super) fn put_left(&mut self, caller: &[f32; FRAME_SAMPLES]) {
        for (pair, sample) in self.stereo.as_chunks_mut::<2>().0.iter_mut().zip(caller) {
            pair[0] = pcm16(*sample) as i16;
        }
    }

    pub(super) fn put_ear(&mut self, samples: &[f32]) {
        self.ear_len = samples.len().min(EAR_SAMPLES);
        for (out, sample) in self.ear.iter_mut().zip(samples) {
            *out = pcm16(*sample) as i16;
        }
    }

    pub(super) fn put_speech(&mut self, header: &RtpHeader, codec: G711, agent: &[f32; FRAME_SAMPLES]) {
        for (pair, sample) in self.stereo.as_chunks_mut::<2>().0.iter_mut().zip(agent) {
            pair[1] = pcm16(*sample) as i16;
        }
        let (head, payload) = self.packet.split_at_mut(HEADER_LEN);
        if let Some(head) = head.first_chunk_mut() {
            header.write(head);
        }
        codec.encode(agent, &mut payload[..FRAME_SAMPLES]);
        self.packet_len = HEADER_LEN + FRAME_SAMPLES;
    }

    /// Nothing is sent, and the recorder hears it.
    pub(super) fn put_nothing(&mut self) {
        self.silence_right();
        self.packet_len = 0;
    }

    pub(super) fn put_event(&mut self, header: &RtpHeader, event: &[u8; EVENT_LEN]) {
        self.silence_right();
        let (head, payload) = self.packet.split_at_mut(HEADER_LEN);
        if let Some(head) = head.first_chunk_mut() {
            header.write(head);
        }
        payload[..EVENT_LEN].copy_from_slice(event);
        self.packet_len = HEADER_LEN + EVENT_LEN;
    }

    fn silence_right(&mut self) {
        for pair in self.stereo.as_chunks_mut::<2>().0 {
            pair[1] = 0;
        }
    }
}
