//! Playout: speech comes from the agent in bursts and leaves in frames of 20 ms at the telephone's rate, 8 or 16 kHz.
//!
//! ```text
//! push(chunk) ─▶ queue ─▶ [tail: ≤ 5 ms of fade] ─▶ resample ─▶ pull(frame)
//!                  └─▶ past: ≤ 300 ms ─▶ spent ─▶ reclaim() ─▶ to be filled again
//! ```
//!
//! The queue may hold a whole answer, for engines speak faster than real time; a barge-in pauses it, and empties it at once when
//! it turns out to be one. Nothing here allocates after construction.

use crate::resample::{Down16To8, Down24To8, Down24To16, Up8To16};
use std::time::Duration;

mod queue;
mod tail;
#[cfg(test)]
mod tests;

use queue::Queue;
use tail::Tail;

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

    /// Samples in 5 ms.
    const fn fade_samples(self) -> usize {
        self.hz() as usize / 200
    }

    /// Samples in 20 ms.
    const fn frame_samples(self) -> usize {
        self.hz() as usize / 50
    }
}

/// Sampling rate of the telephone's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineRate {
    /// G.711.
    Hz8000,
    /// G.722, Opus.
    Hz16000,
}

impl LineRate {
    /// Samples in 20 ms.
    pub const fn frame_samples(self) -> usize {
        match self {
            Self::Hz8000 => 160,
            Self::Hz16000 => 320,
        }
    }
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Some speech.
    Speech,
    /// Zeros only, or the last ringing of the filter.
    Silence,
}

/// The longest frame of the agent's speech: 20 ms at 24 kHz.
const MAX_FRAME: usize = 480;
/// Pulls that a beginning shorter than a frame may wait for more, lest it is torn from what follows.
const MAX_HELD: u8 = 2;

#[derive(Debug, Clone)]
enum Converter {
    None,
    From16To8(Down16To8),
    From24To8(Down24To8),
    From8To16(Up8To16),
    From24To16(Down24To16),
}

impl Converter {
    fn new(from: SpeechRate, to: LineRate) -> Self {
        match (from, to) {
            (SpeechRate::Hz8000, LineRate::Hz8000) | (SpeechRate::Hz16000, LineRate::Hz16000) => Self::None,
            (SpeechRate::Hz16000, LineRate::Hz8000) => Self::From16To8(Down16To8::new()),
            (SpeechRate::Hz24000, LineRate::Hz8000) => Self::From24To8(Down24To8::new()),
            (SpeechRate::Hz8000, LineRate::Hz16000) => Self::From8To16(Up8To16::new()),
            (SpeechRate::Hz24000, LineRate::Hz16000) => Self::From24To16(Down24To16::new()),
        }
    }

    fn process(&mut self, speech: &[f32], frame: &mut [f32]) {
        let _ = match self {
            Self::None => {
                let n = speech.len().min(frame.len());
                frame[..n].copy_from_slice(&speech[..n]);
                n
            }
            Self::From16To8(down) => down.process(speech, frame),
            Self::From24To8(down) => down.process(speech, frame),
            Self::From8To16(up) => up.process(speech, frame),
            Self::From24To16(down) => down.process(speech, frame),
        };
    }
}

/// Where the agent is in what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing said, or all said and announced.
    Over,
    /// Being said; `held` pulls have waited for a whole first frame.
    Opening {
        held: u8,
    },
    Speaking,
    /// Ran dry without the announcement: an underrun if more comes, the end of the turn if not.
    Dry,
}

/// See the module.
#[derive(Debug)]
pub struct Playout {
    rate: SpeechRate,
    queue: Queue,
    tail: Tail,
    turn: Turn,
    ended: bool,
    paused: bool,
    converter: Converter,
    played_samples: u64,
    underruns: u64,
}

impl Playout {
    /// Room for `max_chunks` queued chunks of any length.
    pub fn new(rate: SpeechRate, line: LineRate, max_chunks: usize) -> Self {
        Self {
            rate,
            queue: Queue::new(max_chunks, rate.hz() as usize),
            tail: Tail::new(rate.fade_samples()),
            turn: Turn::Over,
            ended: false,
            paused: false,
            converter: Converter::new(rate, line),
            played_samples: 0,
            underruns: 0,
        }
    }

    /// Of speech that is never paused: chunks come back as soon as they are played.
    pub fn never_paused(rate: SpeechRate, line: LineRate, max_chunks: usize) -> Self {
        let mut playout = Self::new(rate, line, max_chunks);
        playout.queue.keep_nothing();
        playout
    }

    pub fn rate(&self) -> SpeechRate {
        self.rate
    }

    /// Queues speech of any length. Gives the chunk back when the queue is full.
    pub fn push(&mut self, chunk: Vec<i16>) -> Result<(), Vec<i16>> {
        if chunk.is_empty() {
            self.queue.spend(chunk);
            return Ok(());
        }
        self.queue.push(chunk)?;
        self.ended = false;
        match self.turn {
            Turn::Over => self.turn = Turn::Opening { held: 0 },
            Turn::Dry => {
                self.underruns += 1;
                self.tail.fade_in();
                self.turn = Turn::Opening { held: 0 };
            }
            Turn::Opening { .. } | Turn::Speaking => {}
        }
        Ok(())
    }

    /// The agent has said all of this turn: running dry from here on is no underrun. The next push begins a new turn.
    pub fn end_of_speech(&mut self) {
        self.ended = true;
        if self.turn == Turn::Dry {
            self.turn = Turn::Over;
        }
    }

    /// The next frame at the line's rate, to be called every 20 ms.
    pub fn pull(&mut self, frame: &mut [f32]) -> Pulled {
        let mut speech = [0.0; MAX_FRAME];
        let speech = &mut speech[..self.rate.frame_samples()];
        let faded = self.tail.drain(speech);
        let played = if self.may_play() { self.take(&mut speech[faded..]) } else { 0 };
        let filled = faded + played;
        if filled < speech.len() && self.turn == Turn::Speaking && !self.paused {
            self.turn = if self.ended { Turn::Over } else { Turn::Dry };
            self.queue.forget_past();
            let last = self.tail.last;
            self.tail.ramp_down(last);
            self.tail.drain(&mut speech[filled..]);
        }
        self.converter.process(speech, frame);
        if filled > 0 { Pulled::Speech } else { Pulled::Silence }
    }

    /// Whether queued speech may go out now; a short beginning is held for a moment.
    fn may_play(&mut self) -> bool {
        match self.turn {
            _ if self.paused => false,
            Turn::Speaking => true,
            Turn::Over | Turn::Dry => false,
            Turn::Opening { held } if !self.ended && held < MAX_HELD && self.queue.fresh() < self.rate.frame_samples() => {
                self.turn = Turn::Opening { held: held + 1 };
                false
            }
            Turn::Opening { .. } => {
                self.turn = Turn::Speaking;
                true
            }
        }
    }

    /// Moves queued speech into `out`; returns how much there was.
    fn take(&mut self, out: &mut [f32]) -> usize {
        let (filled, fresh) = self.queue.take(out);
        self.tail.passed(&mut out[..filled]);
        self.played_samples += fresh as u64;
        filled
    }

    /// What is being played fades out, with what would have come next.
    fn fade_out(&mut self) {
        let mut next = [0.0; tail::MAX_FADE];
        let n = self.queue.peek(&mut next[..self.rate.fade_samples()]);
        self.tail.passed(&mut next[..n]);
        self.tail.fade_out(&next[..n]);
    }

    /// While paused the queue stays, and what is being played fades out within 5 ms. Afterwards speech that was stopped fades in
    /// again with the quietest moment of the last 300 ms, as a rule the beginning of the word; what is heard twice counts once.
    pub fn pause(&mut self, on: bool) {
        if on == std::mem::replace(&mut self.paused, on) || self.turn != Turn::Speaking {
            return;
        }
        if on {
            self.fade_out();
        } else {
            if !self.queue.is_empty() {
                self.queue.rewind();
            }
            self.tail.fade_in();
        }
    }

    /// Drops all that is queued; what is being played fades out within 5 ms. Ends a pause.
    pub fn flush(&mut self) {
        if self.turn == Turn::Speaking && !self.paused {
            self.fade_out();
        }
        self.queue.clear();
        self.turn = Turn::Over;
        self.ended = false;
        self.paused = false;
    }

    /// An emptied chunk, to be filled again.
    pub fn reclaim(&mut self) -> Option<Vec<i16>> {
        self.queue.reclaim()
    }

    /// Speech waiting to be played; what is to be heard again is none.
    pub fn queued(&self) -> Duration {
        Duration::from_nanos(self.queue.fresh() as u64 * (1_000_000_000 / 8_000) / u64::from(self.rate.hz() / 8_000))
    }

    /// All speech has left, the fade included. Not while a pause keeps some of it back.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.tail.is_empty() && (self.turn != Turn::Speaking || self.paused)
    }

    /// Speech samples played so far, at [`Self::rate`]; flushed ones do not count.
    pub fn played_samples(&self) -> u64 {
        self.played_samples
    }

    /// Times that speech ran dry and then went on in the same turn.
    pub fn underruns(&self) -> u64 {
        self.underruns
    }
}
