//! One turn of the fake: its steps, the burst of its audio, the time it takes to be played.

use crate::gemini::reply::Reply;
use crate::gemini::script::{Exchange, Interruption, Step, TurnEnd};
use crate::gemini::speech::{Piece, Speech, samples_last};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Between two pieces of 100 ms: ten times faster than real time.
const PIECE_EVERY: Duration = Duration::from_millis(10);
/// Between `interrupted` and the first late piece, and between late pieces.
const LATE_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Turn {
    pub steps: VecDeque<Step>,
    end: TurnEnd,
    pub stage: Stage,
    /// By then all that was sent has been played, so the service believes.
    pub playing_until: Instant,
    samples: usize,
    last_said: Option<Speech>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The next step is to be taken.
    Next,
    Saying {
        speech: Speech,
        next: usize,
        due: Instant,
    },
    Pausing {
        until: Instant,
    },
    /// Waiting for answers of tools.
    Calling,
    /// All is sent, not all is played.
    Playing,
    /// Interrupted; these pieces come nevertheless.
    Late {
        speech: Option<Speech>,
        next: usize,
        end: usize,
        due: Instant,
    },
    Over,
}

impl Turn {
    pub fn new(exchange: Exchange, now: Instant) -> Self {
        Self {
            steps: exchange.steps.into(),
            end: exchange.end,
            stage: Stage::Next,
            playing_until: now,
            samples: 0,
            last_said: None,
        }
    }

    /// When time alone moves the turn on.
    pub fn due(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Saying { due, .. } | Stage::Late { due, .. } => Some(*due),
            Stage::Pausing { until } => Some(*until),
            Stage::Playing => Some(self.playing_until),
            Stage::Next | Stage::Calling | Stage::Over => None,
        }
    }

    /// It brought no audio.
    pub fn is_empty(&self) -> bool {
        self.samples == 0
    }

    pub fn can_be_interrupted(&self) -> bool {
        !matches!(self.stage, Stage::Late { .. } | Stage::Over)
    }

    /// The rest is not said, but for the late pieces.
    pub fn interrupt(&mut self, by: Interruption, now: Instant) {
        let sent = match &self.stage {
            Stage::Saying { next, .. } => *next,
            _ => usize::MAX,
        };
        let count = self.last_said.as_ref().map_or(0, |speech| speech.pieces(false).len());
        // All may have been sent before the caller spoke: then its last pieces come again.
        let first = sent.min(count.saturating_sub(by.late_pieces));
        let end = count.min(first + by.late_pieces);
        self.stage = Stage::Late { speech: self.last_said.clone(), next: first, end, due: now + LATE_EVERY };
        self.steps.clear();
        self.end = if by.turn_complete { TurnEnd::Complete } else { TurnEnd::Missing };
    }

    /// Sends the pieces that are due; false if none is.
    pub fn say(&mut self, written: bool, now: Instant, out: &mut Vec<Reply>) -> bool {
        let (piece, over) = match &mut self.stage {
            Stage::Saying { speech, next, due } if *due <= now => {
                let piece = take(speech, next, written);
                *due += PIECE_EVERY;
                self.last_said = Some(speech.clone());
                (piece, Stage::Next)
            }
            Stage::Late { speech, next, end, due } if *due <= now => {
                *due += LATE_EVERY;
                let piece = speech.as_ref().filter(|_| *next < *end).and_then(|speech| take(speech, next, written));
                // The turn is closed at once, whatever was to be played.
                (piece, Stage::Playing)
            }
            _ => return false,
        };
        match piece {
            Some(piece) => {
                self.samples += piece.samples;
                self.playing_until = self.playing_until.max(now) + samples_last(piece.samples);
                out.push(Reply::audio(&piece));
            }
            None => {
                if matches!(over, Stage::Playing) {
                    self.playing_until = now;
                }
                self.stage = over;
            }
        }
        true
    }

    /// Sends all of it in one message.
    pub fn burst(&mut self, speech: &Speech, now: Instant, out: &mut Vec<Reply>) {
        let piece = speech.whole();
        self.samples += piece.samples;
        self.playing_until = self.playing_until.max(now) + samples_last(piece.samples);
        self.last_said = Some(speech.clone());
        out.push(Reply::audio(&piece));
    }

    /// All steps are taken.
    pub fn finish(&mut self, out: &mut Vec<Reply>) {
        if self.samples > 0 && self.end == TurnEnd::Complete {
            out.push(Reply::generation_complete());
        }
        self.stage = Stage::Playing;
    }

    /// All is played.
    pub fn complete(&mut self, prompt_tokens: u64, out: &mut Vec<Reply>) {
        let response_tokens = samples_last(self.samples).as_millis() as u64 * 25 / 1000;
        match &self.end {
            TurnEnd::Complete => out.push(Reply::turn_complete(None, prompt_tokens, response_tokens)),
            TurnEnd::Because(reason) => out.push(Reply::turn_complete(Some(reason), prompt_tokens, response_tokens)),
            TurnEnd::Missing => {}
        }
        self.stage = Stage::Over;
    }
}

fn take(speech: &Speech, next: &mut usize, written: bool) -> Option<Piece> {
    let piece = speech.pieces(written).get(*next).cloned();
    *next += 1;
    piece
}
