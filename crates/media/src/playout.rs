//! Playout: speech comes from the agent in bursts and leaves in frames of 20 ms.

use crate::FRAME_SAMPLES;
use std::{collections::VecDeque, time::Duration};

/// Sampling rate of the agent's speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpeechRate {
    Hz8000,
    Hz16000,
    Hz24000,
}

impl SpeechRate {
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
        }
    }

    pub const fn from_hz(hz: u32) -> Option<Self> {
        match hz {
            8_000 => Some(Self::Hz8000),
            16_000 => Some(Self::Hz16000),
            24_000 => Some(Self::Hz24000),
            _ => None,
        }
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Some speech.
    Speech,
    /// Zeros only.
    Silence,
}

/// See the module.
#[derive(Debug)]
pub struct Playout {
    rate: SpeechRate,
    chunks: VecDeque<Vec<i16>>,
    spent: VecDeque<Vec<i16>>,
}

impl Playout {
    /// Room for `max_chunks` queued chunks of any length.
    pub fn new(rate: SpeechRate, max_chunks: usize) -> Self {
        Self { rate, chunks: VecDeque::with_capacity(max_chunks), spent: VecDeque::with_capacity(max_chunks) }
    }

    pub fn rate(&self) -> SpeechRate {
        self.rate
    }

    /// Queues speech of any length. Gives the chunk back when the queue is full.
    pub fn push(&mut self, chunk: Vec<i16>) -> Result<(), Vec<i16>> {
        Err(chunk)
    }

    /// The agent has said all of this turn: running dry from here on is no underrun. The next push begins a new turn.
    pub fn end_of_speech(&mut self) {}

    /// The next frame at 8 kHz, to be called every 20 ms.
    pub fn pull(&mut self, frame: &mut [f32; FRAME_SAMPLES]) -> Pulled {
        frame.fill(0.0);
        Pulled::Silence
    }

    /// Drops all that is queued; what is being played fades out within 5 ms.
    pub fn flush(&mut self) {}

    /// An emptied chunk, to be filled again.
    pub fn reclaim(&mut self) -> Option<Vec<i16>> {
        self.spent.pop_front()
    }

    /// Speech waiting to be played.
    pub fn queued(&self) -> Duration {
        Duration::ZERO
    }

    /// All speech has left, the fade included.
    pub fn is_drained(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Speech samples played so far, at [`Self::rate`]; flushed ones do not count.
    pub fn played_samples(&self) -> u64 {
        0
    }

    /// Times that speech ran dry and then went on in the same turn.
    pub fn underruns(&self) -> u64 {
        0
    }
}
