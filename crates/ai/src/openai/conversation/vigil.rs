//! Watches for the silent stall: an answer is due, the socket is open, and nothing can be heard. First the model is nudged; then
//! another session is tried; if that does not talk either, the service is given up.
//!
//! | since an answer is due, without a sign of life | |
//! |---|---|
//! | 4 s | nudged |
//! | 4 s more | another session |
//! | 8 s more | given up |
//!
//! Signs of life delay each of these, by 16 s in all. Sound of the caller delays the first, by 8 s. A service that took notice of the
//! caller and does not notice that they are silent again is nudged after 6 s, and so is one that takes no notice of them at all.

use std::time::{Duration, Instant};

/// Without a sign of life for this long an answer is overdue, …
const PATIENCE: Duration = Duration::from_secs(4);
/// … in another session, which has more to do.
const IN_ANOTHER_SESSION: Duration = Duration::from_secs(8);
/// Nobody is nudged into the caller's speech: it must have been quiet for this long …
const QUIET: Duration = Duration::from_secs(1);
/// … but a noisy line only delays the nudge by this much.
const NOISE: Duration = Duration::from_secs(8);
/// However busy the service seems, so long after an answer became due it is overdue.
const LONGEST: Duration = Duration::from_secs(20);
/// So much sound within one stretch is taken for speech …
const SPEECH: Duration = Duration::from_millis(600);
/// … with pauses of less than this in it, …
const PAUSE: Duration = Duration::from_secs(1);
/// … and so long after it the service should have noticed; that it is over, too, which it may want to think about.
const UNNOTICED: Duration = Duration::from_secs(6);

#[derive(Debug, Default)]
pub struct Vigil {
    due: Option<Due>,
    last_sign: Option<Instant>,
    last_loud: Option<Instant>,
    /// How much of the caller the service has not taken notice of.
    unnoticed: Duration,
    /// Since when the service takes the caller to be speaking.
    in_speech: Option<Instant>,
    /// Sound without a reaction led to nothing once: it is noise.
    noise: bool,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    since: Instant,
    rung: Rung,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    First,
    Nudged,
    InAnotherSession,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    Nudge,
    AnotherSession,
    GiveUp,
}

impl Vigil {
    /// The model has been given something to answer.
    pub fn answer_is_due(&mut self, now: Instant) {
        self.noticed();
        self.in_speech = None;
        if self.due.is_none() {
            self.due = Some(Due { since: now, rung: Rung::First });
        }
    }

    /// What was asked for last was a nudge already.
    pub fn asked_for_life(&mut self, now: Instant) {
        self.due = Some(Due { since: now, rung: Rung::Nudged });
    }

    pub fn answered(&mut self) {
        (self.due, self.in_speech) = (None, None);
        self.noticed();
    }

    /// The service hears the caller speak, who is answered later.
    pub fn caller_begins(&mut self, now: Instant) {
        self.answered();
        self.in_speech = Some(now);
    }

    /// The service has taken notice of the caller.
    fn noticed(&mut self) {
        self.unnoticed = Duration::ZERO;
        self.noise = false;
    }

    pub fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// The caller is audible for `length`.
    pub fn caller_is_loud(&mut self, length: Duration, now: Instant) {
        if self.last_loud.is_none_or(|last| now.saturating_duration_since(last) > PAUSE) {
            self.unnoticed = Duration::ZERO;
        }
        self.unnoticed += length;
        self.last_loud = Some(now);
    }

    /// The caller has been quiet for so long, as the line tells.
    pub fn is_quiet_since(&self, quiet: Duration, now: Instant) -> bool {
        self.last_loud.is_none_or(|last| now.saturating_duration_since(last) >= quiet)
    }

    /// The service works on the conversation.
    pub fn sign_of_life(&mut self, now: Instant) {
        self.last_sign = Some(now);
    }

    /// What is due is asked for in another session.
    pub fn session_changed(&mut self, now: Instant) {
        (self.last_sign, self.in_speech) = (None, None);
        self.unnoticed = Duration::ZERO;
        if let Some(due) = &mut self.due {
            due.since = now;
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let Some(Due { since, rung }) = self.due else {
            if let Some(since) = self.in_speech {
                return Some(self.last_loud.map_or(since, |loud| loud.max(since)) + UNNOTICED);
            }
            let unnoticed = self.last_loud.filter(|_| self.unnoticed >= SPEECH && !self.noise)?;
            return Some(self.last_sign.map_or(unnoticed, |sign| sign.max(unnoticed)) + UNNOTICED);
        };
        let patience = if rung == Rung::InAnotherSession { IN_ANOTHER_SESSION } else { PATIENCE };
        let overdue = self.last_sign.map_or(since, |sign| sign.max(since)) + patience;
        let quiet = self.last_loud.map_or(overdue, |loud| loud + QUIET);
        let polite = if rung == Rung::First { overdue.max(quiet.min(overdue + NOISE)) } else { overdue };
        Some(polite.min(since + LONGEST))
    }

    /// The line hears nothing of the agent, whatever the service sends: what is to be done of what is `wanted`; nothing when it has
    /// been done.
    pub fn line_is_silent(&mut self, wanted: Alarm, now: Instant) -> Option<Alarm> {
        let rung = match (wanted, self.due.map(|due| due.rung)) {
            (Alarm::Nudge, None | Some(Rung::First)) => Rung::Nudged,
            (Alarm::AnotherSession, None | Some(Rung::First | Rung::Nudged)) => Rung::InAnotherSession,
            _ => return None,
        };
        self.due = Some(Due { since: now, rung });
        Some(wanted)
    }

    pub fn on_deadline(&mut self, now: Instant) -> Option<Alarm> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        self.noise |= self.due.is_none() && self.in_speech.is_none();
        (self.unnoticed, self.in_speech) = (Duration::ZERO, None);
        let (rung, alarm) = match self.due.map(|due| due.rung) {
            None | Some(Rung::First) => (Some(Rung::Nudged), Alarm::Nudge),
            Some(Rung::Nudged) => (Some(Rung::InAnotherSession), Alarm::AnotherSession),
            Some(Rung::InAnotherSession) => (None, Alarm::GiveUp),
        };
        self.due = rung.map(|rung| Due { since: now, rung });
        Some(alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FRAME: Duration = Duration::from_millis(20);

    #[test]
    fn a_dead_service_is_nudged_then_replaced_then_given_up() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        assert_eq!(vigil.deadline(), None);
        vigil.answer_is_due(start);
        vigil.answer_is_due(start + SECOND);
        let mut alarms = Vec::new();
        for second in 0..30 {
            alarms.extend(vigil.on_deadline(start + second * SECOND).map(|alarm| (second, alarm)));
        }
        assert_eq!(alarms, [(4, Alarm::Nudge), (8, Alarm::AnotherSession), (16, Alarm::GiveUp)]);
        assert!(!vigil.is_due());
    }

    #[test]
    fn the_line_hurries_it_and_asks_for_nothing_twice() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        assert_eq!(vigil.line_is_silent(Alarm::Nudge, start), Some(Alarm::Nudge), "though the service thinks that all is well");
        assert_eq!(vigil.line_is_silent(Alarm::Nudge, start + SECOND), None);
        assert_eq!(vigil.line_is_silent(Alarm::AnotherSession, start + 2 * SECOND), Some(Alarm::AnotherSession));
        assert_eq!(vigil.line_is_silent(Alarm::AnotherSession, start + 3 * SECOND), None);
        assert_eq!(vigil.on_deadline(start + 10 * SECOND), Some(Alarm::GiveUp));
    }

    #[test]
    fn signs_of_life_delay_it_but_not_for_ever() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.answer_is_due(start);
        vigil.sign_of_life(start + 3 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 7 * SECOND));
        vigil.sign_of_life(start + 19 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + LONGEST));
        vigil.answered();
        assert_eq!(vigil.deadline(), None);
    }

    #[test]
    fn nobody_is_nudged_into_the_callers_speech_but_noise_does_not_blind_it() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.answer_is_due(start);
        vigil.caller_is_loud(FRAME, start + Duration::from_millis(3_500));
        assert_eq!(vigil.deadline(), Some(start + Duration::from_millis(4_500)));
        vigil.caller_is_loud(FRAME, start + 60 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 12 * SECOND));
    }

    #[test]
    fn a_service_that_takes_no_notice_of_the_caller_is_asked_once() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        let speak = |vigil: &mut Vigil, from: Instant, frames: u32| {
            (0..frames).for_each(|frame| vigil.caller_is_loud(FRAME, from + frame * FRAME));
        };
        speak(&mut vigil, start, 20);
        assert_eq!(vigil.deadline(), None, "a cough");
        speak(&mut vigil, start + 10 * SECOND, 50);
        let asked = start + 10 * SECOND + 49 * FRAME + UNNOTICED;
        assert_eq!(vigil.deadline(), Some(asked));
        assert_eq!(vigil.on_deadline(asked), Some(Alarm::Nudge));
        vigil.due = None;
        speak(&mut vigil, asked + 10 * SECOND, 50);
        assert_eq!(vigil.deadline(), None, "it was noise then, and is now");
        vigil.answered();
        speak(&mut vigil, asked + 20 * SECOND, 50);
        assert!(vigil.deadline().is_some());
    }

    #[test]
    fn a_service_that_does_not_notice_the_end_of_speech_is_nudged() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.caller_begins(start);
        vigil.caller_is_loud(FRAME, start + 3 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 3 * SECOND + UNNOTICED));
        assert_eq!(vigil.on_deadline(start + 9 * SECOND), Some(Alarm::Nudge));
        vigil.caller_begins(start + 10 * SECOND);
        vigil.answer_is_due(start + 11 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 15 * SECOND), "it did notice");
    }

    #[test]
    fn another_session_has_its_own_time() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        vigil.asked_for_life(start);
        assert_eq!(vigil.on_deadline(start + 4 * SECOND), Some(Alarm::AnotherSession));
        vigil.session_changed(start + 6 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 14 * SECOND));
        assert_eq!(vigil.on_deadline(start + 14 * SECOND), Some(Alarm::GiveUp));
    }
}
