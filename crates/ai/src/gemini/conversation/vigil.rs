//! Watches for the silent stall: an answer is due, the socket is open, and nothing can be heard. It only tells that an answer
//! is overdue, again and again; what is done about it is the conversation's ladder.

use std::time::{Duration, Instant};

/// So long after the caller has fallen silent, or after the last sign of life, an answer is overdue.
const PATIENCE: Duration = Duration::from_secs(4);
/// Of models that think before they speak.
const LONG_PATIENCE: Duration = Duration::from_secs(8);
/// A noisy line, which never falls silent, delays it by this much.
const NOISE: Duration = Duration::from_secs(8);
/// However busy the service seems: so long after the caller's last words it is overdue.
const LONGEST: Duration = Duration::from_secs(20);
/// So much sound within one stretch is taken for speech, …
const SPEECH: Duration = Duration::from_millis(600);
/// … pauses of less than this within it, …
const PAUSE: Duration = Duration::from_secs(1);
/// … and so long after it the service should have given a sign that it heard something.
const UNHEARD: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Vigil {
    patience: Duration,
    /// Since when an answer is due.
    due: Option<Instant>,
    last_frame: Option<Instant>,
    last_loud: Option<Instant>,
    /// Length of the sound that the service has not reacted to.
    loud: Duration,
    /// Sound without reaction was asked about, and no words of the caller have been heard since: it is noise.
    deafened: bool,
}

impl Vigil {
    /// `slow`: the model thinks before it speaks.
    pub fn new(slow: bool) -> Self {
        let patience = if slow { LONG_PATIENCE } else { PATIENCE };
        Self { patience, due: None, last_frame: None, last_loud: None, loud: Duration::ZERO, deafened: false }
    }

    /// The model has been given something to answer.
    pub fn answer_is_due(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// The caller's words were understood.
    pub fn words_were_heard(&mut self, now: Instant) {
        self.deafened = false;
        self.answer_is_due(now);
    }

    pub fn answered(&mut self) {
        self.due = None;
        self.loud = Duration::ZERO;
    }

    pub fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// The caller is audible for `length`, while the agent is not.
    pub fn caller_is_loud(&mut self, length: Duration, now: Instant) {
        if self.last_loud.is_none_or(|last| now - last > PAUSE) {
            self.loud = Duration::ZERO;
        }
        self.loud += length;
        self.last_loud = Some(now);
    }

    /// There was speech, as far as the line can tell, and no reaction to it.
    pub fn caller_spoke(&self) -> bool {
        self.loud >= SPEECH
    }

    /// The service works on the conversation.
    pub fn on_frame(&mut self, now: Instant) {
        self.last_frame = Some(now);
    }

    pub fn deadline(&self) -> Option<Instant> {
        let Some(since) = self.due else {
            let unheard = self.last_loud.filter(|_| self.caller_spoke() && !self.deafened);
            return unheard.map(|last| self.last_frame.map_or(last, |frame| frame.max(last)) + UNHEARD);
        };
        let base = self.last_frame.map_or(since, |frame| frame.max(since));
        let quiet = self.last_loud.map_or(base, |loud| loud.clamp(base, base + NOISE));
        Some((quiet + self.patience).min(since + LONGEST))
    }

    /// True when an answer is overdue; it is due again from then on.
    pub fn is_overdue(&mut self, now: Instant) -> bool {
        let overdue = self.deadline().is_some_and(|deadline| now >= deadline);
        if overdue {
            self.deafened |= self.due.is_none();
            self.due = Some(now);
        }
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const FRAME: Duration = Duration::from_millis(20);

    fn vigil() -> (Vigil, Instant) {
        (Vigil::new(false), Instant::now())
    }

    #[test]
    fn a_dead_service_is_overdue_again_and_again() {
        let (mut vigil, start) = vigil();
        vigil.on_frame(start);
        assert_eq!(vigil.deadline(), None);
        vigil.answer_is_due(start);
        assert!(!vigil.is_overdue(start + 3 * SECOND));
        assert!(vigil.is_overdue(start + 4 * SECOND));
        assert!(!vigil.is_overdue(start + 7 * SECOND));
        assert!(vigil.is_overdue(start + 8 * SECOND));
        vigil.answered();
        assert_eq!(vigil.deadline(), None);
    }

    #[test]
    fn who_thinks_first_has_longer() {
        let start = Instant::now();
        let mut vigil = Vigil::new(true);
        vigil.answer_is_due(start);
        assert_eq!(vigil.deadline(), Some(start + 8 * SECOND));
    }

    #[test]
    fn signs_of_life_delay_it_but_not_for_ever() {
        let (mut vigil, start) = vigil();
        vigil.answer_is_due(start);
        vigil.on_frame(start + 3 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 7 * SECOND));
        vigil.on_frame(start + 19 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 20 * SECOND));
        vigil.words_were_heard(start + 19 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 23 * SECOND), "they still speak");
    }

    #[test]
    fn nobody_is_nudged_into_the_callers_speech_but_noise_does_not_blind_it() {
        let (mut vigil, start) = vigil();
        vigil.answer_is_due(start);
        vigil.caller_is_loud(FRAME, start + 3 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 7 * SECOND));
        vigil.caller_is_loud(FRAME, start + 60 * SECOND);
        assert_eq!(vigil.deadline(), Some(start + 12 * SECOND));
    }

    /// `loud` milliseconds of sound from the start; when it is asked about.
    fn asked_after(vigil: &mut Vigil, start: Instant, loud: u64) -> Option<Duration> {
        (0..loud / 20).for_each(|frame| vigil.caller_is_loud(FRAME, start + Duration::from_millis(frame * 20)));
        vigil.deadline().map(|deadline| deadline - start)
    }

    #[test]
    fn speech_without_any_reaction_is_asked_about_once() {
        let (mut vigil, start) = vigil();
        assert_eq!(asked_after(&mut vigil, start, 500), None, "a cough");
        let asked = asked_after(&mut vigil, start + 10 * SECOND, 1_000);
        assert_eq!(asked, Some(Duration::from_millis(980) + UNHEARD));
        assert!(vigil.is_overdue(start + 20 * SECOND));
        vigil.answered();
        assert_eq!(asked_after(&mut vigil, start + 60 * SECOND, 1_000), None, "it was noise then, and is now");
        vigil.words_were_heard(start + 70 * SECOND);
        vigil.answered();
        assert!(asked_after(&mut vigil, start + 80 * SECOND, 1_000).is_some());
    }
}
