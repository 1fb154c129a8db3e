//! The agent's voice: speech in chunks of any size, and the media thread's end of it, which feeds the playout.

use super::shared::{Ownership, Shared, VoiceProgress};
use crate::playout::{Playout, SpeechRate};
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Pieces on their way to the playout: 6 s at the usual 100 ms. Who has more keeps it and waits for room.
const RING_PIECES: usize = 64;
/// Spent chunks on their way back; more than that and memory would be hoarded.
const RING_SPENT: usize = 4;
/// The playout is fed so far ahead of real time, and no further: what is in the ring can be flushed at no cost.
const FEED_AHEAD: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Piece {
    generation: u32,
    /// `None`: the turn ends here.
    samples: Option<Vec<i16>>,
}

/// Makes both ends.
pub(super) fn voice(rate: SpeechRate, owner: Arc<Ownership>) -> (Voice, VoiceFeed) {
    let (pieces_in, pieces_out) = RingBuffer::new(RING_PIECES);
    let (spent_in, spent_out) = RingBuffer::new(RING_SPENT);
    let voice = Voice {
        pieces: pieces_in,
        spent: spent_out,
        owner,
        rate,
        generation: 0,
        pieces_said: 0,
        samples_said: 0,
        samples_flushed: 0,
        samples_lost: 0,
        end_pending: false,
    };
    let feed = VoiceFeed { pieces: pieces_out, spent: spent_in, generation: 0, waiting: None, pieces_taken: 0, samples_taken: 0 };
    (voice, feed)
}

/// What the agent says.
#[derive(Debug)]
pub struct Voice {
    pieces: Producer<Piece>,
    spent: Consumer<Vec<i16>>,
    owner: Arc<Ownership>,
    rate: SpeechRate,
    generation: u32,
    pieces_said: u64,
    samples_said: u64,
    /// Of those said, how many no longer count as queued because of a flush.
    samples_flushed: u64,
    /// Of those said, how many were never played because of flushes.
    samples_lost: u64,
    end_pending: bool,
}

impl Voice {
    /// Queues speech: mono, at the voice's rate, of any length.
    ///
    /// # Errors
    /// Gives the samples back when the queue is full (wait for [`Self::room`]) or the call is closed.
    pub fn say(&mut self, samples: Vec<i16>) -> Result<(), Vec<i16>> {
        if self.pieces.is_abandoned() {
            return Err(samples);
        }
        if samples.is_empty() {
            return Ok(());
        }
        if self.end_pending {
            self.end_pending = self.push(None).is_err();
            if self.end_pending {
                return Err(samples);
            }
        }
        let count = samples.len() as u64;
        self.push(Some(samples)).map_err(Option::unwrap_or_default)?;
        self.samples_said += count;
        Ok(())
    }

    /// The turn ends with what has been said: running dry after it is no underrun.
    pub fn end_of_speech(&mut self) {
        self.end_pending = self.push(None).is_err();
    }

    /// Stops in mid-word; what is queued waits, and what is said meanwhile too. Effective with the next beat: at most 20 ms, and
    /// a fade of 5 ms.
    pub fn pause(&mut self) {
        self.progress().paused.store(true, Ordering::Release);
    }

    /// After [`Self::pause`]: goes on with the word that was broken off. What is heard twice is counted once.
    pub fn resume(&mut self) {
        self.progress().paused.store(false, Ordering::Release);
    }

    /// Drops all that was said and not sent yet, and ends a pause. Effective with the next beat: at most 20 ms, and a fade of 5 ms.
    pub fn flush(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.samples_lost += self.samples_said.saturating_sub(self.gone());
        self.samples_flushed = self.samples_said;
        self.end_pending = false;
        self.progress().generation.store(self.generation, Ordering::Release);
        // In this order: who sees the pause ended sees the flush, and plays nothing of what was paused.
        self.resume();
    }

    /// Speech that was said and is still to be sent.
    #[must_use]
    pub fn queued(&self) -> Duration {
        samples_to_duration(self.samples_said.saturating_sub(self.gone()), self.rate)
    }

    /// Speech that was sent as RTP so far; it only grows. The beat in which a flush takes effect is not counted.
    #[must_use]
    pub fn played(&self) -> Duration {
        samples_to_duration(self.gone().saturating_sub(self.samples_lost), self.rate)
    }

    /// Everything said has been sent as RTP, or flushed. Never while a pause keeps something back.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.progress().pieces_drained.load(Ordering::Acquire) >= self.pieces_said
    }

    /// Waits for [`Self::is_drained`]. Never resolves on a closed call that was not drained. Cancel safe; for one waiter.
    pub async fn drained(&mut self) {
        while !self.is_drained() {
            self.progress().drained.notified().await;
        }
    }

    /// Waits until [`Self::say`] can take a chunk. Never resolves on a closed call that had no room. Cancel safe; for one
    /// waiter.
    pub async fn room(&mut self) {
        while self.pieces.slots() < 2 {
            self.progress().room.notified().await;
        }
    }

    /// A chunk that has been played, empty, to be filled again.
    pub fn recycled(&mut self) -> Option<Vec<i16>> {
        self.spent.pop().ok()
    }

    fn push(&mut self, samples: Option<Vec<i16>>) -> Result<(), Option<Vec<i16>>> {
        if samples.is_some() && self.spent.slots() == RING_SPENT {
            // Nobody reuses chunks: free one here rather than on the media thread.
            drop(self.spent.pop());
        }
        match self.pieces.push(Piece { generation: self.generation, samples }) {
            Ok(()) => {
                self.pieces_said += 1;
                Ok(())
            }
            Err(PushError::Full(piece)) => Err(piece.samples),
        }
    }

    /// Samples that were played or flushed.
    fn gone(&self) -> u64 {
        self.progress().samples_gone.load(Ordering::Acquire).max(self.samples_flushed)
    }

    fn progress(&self) -> &VoiceProgress {
        &self.owner.0.voice
    }
}

/// The media thread's end.
#[derive(Debug)]
pub(super) struct VoiceFeed {
    pieces: Consumer<Piece>,
    spent: Producer<Vec<i16>>,
    generation: u32,
    /// Taken from the ring while the playout was full.
    waiting: Option<Vec<i16>>,
    pieces_taken: u64,
    samples_taken: u64,
}

impl VoiceFeed {
    /// Before a beat: flushes or pauses if asked to, then fills the playout.
    pub(super) fn feed(&mut self, playout: &mut Playout, shared: &Shared) {
        let paused = shared.voice.paused.load(Ordering::Acquire);
        self.follow(shared.voice.generation.load(Ordering::Acquire), playout);
        playout.pause(paused);
        if let Some(waiting) = self.waiting.take() {
            self.waiting = playout.push(waiting).err();
        }
        let mut took = false;
        while self.waiting.is_none() && playout.queued() < FEED_AHEAD {
            let Ok(piece) = self.pieces.pop() else { break };
            took = true;
            self.take(piece, playout);
        }
        if took {
            shared.voice.room.notify_one();
        }
    }

    /// After a beat has been sent: tells how far the speech has come.
    pub(super) fn report(&mut self, playout: &mut Playout, shared: &Shared) {
        while let Some(spent) = playout.reclaim() {
            self.give_back(spent);
        }
        let waiting = self.waiting.as_ref().map_or(0, |waiting| waiting.len() as u64);
        let queued = duration_to_samples(playout.queued(), playout.rate()) + waiting;
        shared.voice.samples_gone.store(self.samples_taken.saturating_sub(queued), Ordering::Release);
        let drained = self.waiting.is_none() && playout.is_drained();
        if drained && shared.voice.pieces_drained.swap(self.pieces_taken, Ordering::AcqRel) != self.pieces_taken {
            shared.voice.drained.notify_one();
        }
    }

    fn take(&mut self, piece: Piece, playout: &mut Playout) {
        // A flush that came after the look at the shared generation: what is said after it tells of it.
        if is_newer(piece.generation, self.generation) {
            self.follow(piece.generation, playout);
        }
        self.pieces_taken += 1;
        let stale = piece.generation != self.generation;
        match piece.samples {
            None if stale => {}
            None => playout.end_of_speech(),
            Some(samples) => {
                self.samples_taken += samples.len() as u64;
                if stale {
                    self.give_back(samples);
                } else {
                    self.waiting = playout.push(samples).err();
                }
            }
        }
    }

    fn follow(&mut self, generation: u32, playout: &mut Playout) {
        if generation != self.generation {
            self.generation = generation;
            playout.flush();
            if let Some(waiting) = self.waiting.take() {
                self.give_back(waiting);
            }
        }
    }

    fn give_back(&mut self, mut spent: Vec<i16>) {
        spent.clear();
        // Full: freed here, rarely, because the voice frees one for each that it says.
        let _ = self.spent.push(spent);
    }
}

fn is_newer(generation: u32, than: u32) -> bool {
    generation != than && generation.wrapping_sub(than) < u32::MAX / 2
}

fn samples_to_duration(samples: u64, rate: SpeechRate) -> Duration {
    Duration::from_nanos(samples.saturating_mul(1_000_000_000) / u64::from(rate.hz()))
}

fn duration_to_samples(duration: Duration, rate: SpeechRate) -> u64 {
    // Half up: durations of whole samples come rounded down to nanoseconds.
    (duration.as_nanos() as u64).saturating_mul(u64::from(rate.hz())).saturating_add(500_000_000) / 1_000_000_000
}
