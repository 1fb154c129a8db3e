//! The agent's ear: what the caller says, frame by frame, and the media thread's end of it.

use super::shared::{Ownership, Shared};
use crate::{FRAME_SAMPLES, playout::SpeechRate};
use rtrb::{Consumer, Producer, RingBuffer};
use std::{num::NonZeroU8, sync::Arc, time::Duration};

/// Frames the ring holds: 1 s. An agent that is slower loses the newest frames, which are counted.
const RING_FRAMES: usize = 50;
/// Samples of 20 ms at the highest rate.
const MAX_FRAME: usize = 3 * FRAME_SAMPLES;

/// Samples of 20 ms.
pub(super) fn frame_samples(rate: SpeechRate) -> usize {
    rate.hz() as usize / 50
}

/// Makes both ends; the ear is woken each `chunk` frames.
pub(super) fn ear(rate: SpeechRate, chunk: NonZeroU8, owner: Arc<Ownership>) -> (Ear, EarFeed) {
    let frame_len = frame_samples(rate);
    let (producer, consumer) = RingBuffer::new(RING_FRAMES * frame_len);
    let (times_in, times_out) = RingBuffer::new(RING_FRAMES);
    let chunk_len = usize::from(chunk.get()).min(RING_FRAMES) * frame_len;
    let ear = Ear { ring: consumer, times: times_out, frame: [0; MAX_FRAME], frame_len, chunk_len, owner };
    (ear, EarFeed { ring: producer, times: times_in, chunk_len, unsignalled: 0, unheard: 0 })
}

/// What the caller says: frames of 20 ms at the ear's rate, without gaps, silence included.
#[derive(Debug)]
pub struct Ear {
    ring: Consumer<i16>,
    /// One for each frame in `ring`; pushed before it and popped after it, so never fewer.
    times: Consumer<Duration>,
    frame: [i16; MAX_FRAME],
    frame_len: usize,
    chunk_len: usize,
    owner: Arc<Ownership>,
}

impl Ear {
    /// Waits until a chunk of frames (40 ms unless configured otherwise) can be popped. Never resolves on a closed call.
    /// Cancel safe; for one waiter.
    pub async fn ready(&mut self) {
        while self.ring.slots() < self.chunk_len {
            self.owner.0.ear_ready.notified().await;
        }
    }

    /// The next 20 ms.
    pub fn pop(&mut self) -> Option<&[i16]> {
        self.pop_timed().map(|(frame, _)| frame)
    }

    /// The next 20 ms, and when the packet they came in arrived at the socket, on the clock of [`super::MediaEngine::now`].
    /// A frame that was made up because its packet is missing, or because nobody talks, has the time at which it was
    /// due: later than its neighbours' by the delay of the jitter buffer.
    pub fn pop_timed(&mut self) -> Option<(&[i16], Duration)> {
        let frame = self.frame.get_mut(..self.frame_len)?;
        self.ring.pop_entire_slice(frame).ok()?;
        let at = self.times.pop().unwrap_or_default();
        Some((frame, at))
    }

    /// Frames that can be popped now.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.ring.slots() / self.frame_len
    }
}

/// The media thread's end.
#[derive(Debug)]
pub(super) struct EarFeed {
    ring: Producer<i16>,
    times: Producer<Duration>,
    chunk_len: usize,
    unsignalled: usize,
    unheard: u64,
}

impl EarFeed {
    pub(super) fn push(&mut self, frame: &[i16], at: Duration, shared: &Shared) {
        // A time for which there is room has room for its frame.
        if self.times.push(at).is_err() || self.ring.push_entire_slice(frame).is_err() {
            self.unheard += 1;
        }
        self.unsignalled += frame.len();
        if self.unsignalled >= self.chunk_len {
            self.unsignalled = 0;
            shared.ear_ready.notify_one();
        }
    }

    pub(super) fn unheard(&self) -> u64 {
        self.unheard
    }
}
