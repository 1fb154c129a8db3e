//! Watches for the silent stall: an answer is due, the socket is open, and nothing comes. First the model is nudged; if not
//! even that brings a sign of life, the service is given up.

use super::after;
use std::time::{Duration, Instant};

/// Without a frame for this long the model is nudged.
const NUDGE_AFTER: Duration = Duration::from_secs(8);
/// Without a frame for this long after that the session has stalled.
const STALLED_AFTER: Duration = Duration::from_secs(6);
/// Nobody is nudged into the caller's speech: it must have been quiet for this long …
const QUIET: Duration = Duration::from_secs(1);
/// … but a noisy line only delays the nudge by this much.
const NOISE: Duration = Duration::from_secs(12);

#[derive(Debug, Default)]
pub struct Vigil {
    state: State,
    last_frame: Option<Instant>,
    last_loud: Option<Instant>,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Calm,
    Due {
        since: Instant,
    },
    Nudged {
        at: Instant,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    Nudge,
    Stalled,
}

impl Vigil {
    /// The model has been given something to answer.
    pub fn answer_is_due(&mut self, now: Instant) {
        if matches!(self.state, State::Calm) {
            self.state = State::Due { since: now };
        }
    }

    /// The model was asked once more in another way; that was its nudge.
    pub fn asked_for_life(&mut self, now: Instant) {
        self.state = State::Nudged { at: now };
    }

    pub fn answered(&mut self) {
        self.state = State::Calm;
    }

    pub fn is_due(&self) -> bool {
        !matches!(self.state, State::Calm)
    }

    pub fn caller_is_loud(&mut self, now: Instant) {
        self.last_loud = Some(now);
    }

    /// The service works on the conversation. After a nudge any such sign will do.
    pub fn on_frame(&mut self, now: Instant) {
        self.last_frame = Some(now);
        if matches!(self.state, State::Nudged { .. }) {
            self.state = State::Due { since: now };
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Calm => None,
            State::Nudged { at } => Some(at + STALLED_AFTER),
            State::Due { since } => {
                let due = self.last_frame.map_or(since, |frame| frame.max(since)) + NUDGE_AFTER;
                let quiet = after(self.last_loud, QUIET).unwrap_or(due);
                Some(due.max(quiet.min(due + NOISE)))
            }
        }
    }

    pub fn on_deadline(&mut self, now: Instant) -> Option<Alarm> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Calm => None,
            State::Due { .. } => {
                self.state = State::Nudged { at: now };
                Some(Alarm::Nudge)
            }
            State::Nudged { .. } => Some(Alarm::Stalled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_dead_service_is_nudged_and_given_up() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.on_frame(start);
        assert_eq!(vigil.deadline(), None);
        vigil.answer_is_due(start);
        vigil.answer_is_due(start + SECOND);
        assert_eq!(vigil.on_deadline(start + 7 * SECOND), None);
        assert_eq!(vigil.on_deadline(start + 8 * SECOND), Some(Alarm::Nudge));
        assert_eq!(vigil.on_deadline(start + 13 * SECOND), None);
        assert_eq!(vigil.on_deadline(start + 14 * SECOND), Some(Alarm::Stalled));
    }

    #[test]
    fn any_frame_after_the_nudge_is_a_sign_of_life() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.asked_for_life(start);
        vigil.on_frame(start + SECOND);
        assert_eq!(vigil.deadline(), Some(start + 9 * SECOND));
        vigil.answered();
        assert_eq!(vigil.deadline(), None);
    }

    #[test]
    fn nobody_is_nudged_into_the_callers_speech_but_noise_does_not_blind_it() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.answer_is_due(start);
        vigil.caller_is_loud(start + Duration::from_millis(7_500));
        assert_eq!(vigil.deadline(), Some(start + Duration::from_millis(8_500)));
        vigil.caller_is_loud(start + 60 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 20 * SECOND));
    }
}
