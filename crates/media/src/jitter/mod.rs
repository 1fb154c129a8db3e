//! The jitter buffer: packets as the network delivers them in, one frame of 20 ms per beat out.

use crate::{FRAME_SAMPLES, codec::G711};
use std::time::Duration;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// Its time of playout has passed.
    Late,
    Duplicate,
    /// More was queued than the buffer may hold: the oldest frames gave way to this one.
    Overflow,
    /// The sender began anew: what was queued is gone, and this packet is the first of the new stream.
    Restarted,
}

/// What to play in this frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Pop<'a> {
    /// [`FRAME_SAMPLES`] G.711 codes.
    Frame(&'a [u8]),
    /// Speech is going on and its next frame is missing.
    Conceal,
    /// Nobody talks: before the first packet, or after a long silence.
    Empty,
}

/// Counters since the buffer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterStats {
    pub received: u64,
    /// By gaps in the sequence numbers.
    pub lost: u64,
    pub late: u64,
    pub duplicates: u64,
    /// Frames of 20 ms for which [`Pop::Conceal`] was given.
    pub concealed: u64,
    /// Frames of 20 ms dropped to shorten the delay.
    pub dropped: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Speech queued at the last pop.
    pub depth: Duration,
}

/// See the module. One per stream; `now` is any clock that only goes forward.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    codec: G711,
    frame: [u8; FRAME_SAMPLES],
    stats: JitterStats,
}

impl JitterBuffer {
    /// `codec` tells which payloads are near silence.
    pub fn new(codec: G711) -> Self {
        Self { codec, frame: [codec.silence(); FRAME_SAMPLES], stats: JitterStats::default() }
    }

    /// Takes a packet of speech that arrived at `now`.
    pub fn push(&mut self, sequence: u16, timestamp: u32, payload: &[u8], now: Duration) -> Pushed {
        let _ = (sequence, timestamp, payload, now, self.codec);
        Pushed::Queued
    }

    /// Notes a packet of the same stream that carries no speech (telephone event, comfort noise), lest it counts as lost.
    pub fn observe(&mut self, sequence: u16) {
        let _ = sequence;
    }

    /// The frame to play at `now`; call it every 20 ms.
    pub fn pop(&mut self, now: Duration) -> Pop<'_> {
        let _ = (now, &self.frame);
        Pop::Empty
    }

    /// Another source (SSRC) speaks from here on. The counters stay.
    pub fn restart(&mut self) {}

    pub fn stats(&self) -> JitterStats {
        self.stats
    }
}
