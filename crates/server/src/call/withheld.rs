//! What the engine does not hear of the caller for now. While the agent speaks the line judges whether the caller means to be heard
//! ([`callie_media::barge`]); an engine that heard every "mhm", cough and echo would stop for each. Pure; time is an argument, on the
//! media clock.
//!
//! ```text
//!             the agent begins                  the line hears the caller speak, or cannot tell for 2 s;
//!   heard ─────────────────────▶ withheld ────── or the agent has finished ──────▶ heard, from the word's beginning
//!            once the caller pauses
//! ```

use std::{collections::VecDeque, time::Duration};

/// Frames of 20 ms that are kept: the last second.
const KEPT: usize = 50;
/// A word begins before its first loud packet: "s", "f" and "h" are soft.
const LEAD: Duration = Duration::from_millis(200);
/// What ended so shortly before the agent did may be the answer; what was said before that was said in passing.
const ANSWERS: Duration = Duration::from_millis(700);
/// Who speaks for so long and cannot be told from a noise is heard: the engine may know better.
const UNDECIDED: Duration = Duration::from_secs(2);

/// Owned by the bridge.
#[derive(Debug, Default)]
pub struct Withheld {
    agent_since: Option<Duration>,
    /// The caller is heard over the agent.
    open: bool,
    frames: VecDeque<(Duration, Vec<i16>)>,
    caller_speaks: bool,
    /// When the caller began to speak, the last time, and ended.
    latest: Option<Duration>,
    ended: Option<Duration>,
}

impl Withheld {
    /// The agent speaks from now on. Who is speaking already is heard to the end.
    pub fn agent_begins(&mut self, now: Duration) {
        self.agent_since = Some(now);
        self.open = self.caller_speaks;
    }

    /// Sound of the caller begins or ends, whatever it is.
    pub fn caller(&mut self, speaks: bool, when: Duration) {
        self.caller_speaks = speaks;
        if speaks {
            self.latest = Some(when);
        } else {
            self.ended = Some(when);
            self.open = false;
        }
    }

    pub fn is_on(&self) -> bool {
        self.agent_since.is_some() && !self.open
    }

    /// What is withheld, and when it arrived.
    pub fn keep(&mut self, frame: &[i16], arrived: Duration) {
        let mut kept = if self.frames.len() < KEPT { Vec::new() } else { self.frames.pop_front().unwrap_or_default().1 };
        kept.clear();
        kept.extend_from_slice(frame);
        self.frames.push_back((arrived, kept));
    }

    /// The line has heard that the caller speaks, and has since `began`: what is to be heard first.
    pub fn release(&mut self, began: Duration) -> impl Iterator<Item = Vec<i16>> + use<> {
        self.agent_since = None;
        let frames = std::mem::take(&mut self.frames).into_iter();
        frames.skip_while(move |(arrived, _)| *arrived + LEAD < began).map(|(_, frame)| frame)
    }

    /// The agent has finished: what the caller said last may be the answer.
    pub fn agent_ends(&mut self) -> impl Iterator<Item = Vec<i16>> + use<> {
        let now = self.frames.back().map_or(Duration::ZERO, |(arrived, _)| *arrived);
        let answers = self.caller_speaks || self.ended.is_some_and(|ended| now.saturating_sub(ended) < ANSWERS);
        self.release(self.latest.filter(|_| answers).unwrap_or(Duration::MAX))
    }

    /// When [`Self::step`] has something to give.
    pub fn deadline(&self) -> Option<Duration> {
        let since = self.agent_since.filter(|_| self.caller_speaks && !self.open)?;
        Some(self.latest?.max(since) + UNDECIDED)
    }

    /// Who could not be told from a noise by now is heard until the next pause.
    pub fn step(&mut self, now: Duration) -> impl Iterator<Item = Vec<i16>> + use<> {
        let due = self.deadline().filter(|due| now >= *due).and(self.latest);
        self.open |= due.is_some();
        let frames = if due.is_some() { std::mem::take(&mut self.frames) } else { VecDeque::new() };
        let began = due.unwrap_or_default();
        frames.into_iter().skip_while(move |(arrived, _)| *arrived + LEAD < began).map(|(_, frame)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The agent speaks from 1,000 ms on, and frames of the caller are kept until `until`.
    fn speaking(until: u64) -> Withheld {
        let mut withheld = Withheld::default();
        withheld.agent_begins(ms(1_000));
        keep(&mut withheld, 1_000, until);
        withheld
    }

    /// Frames that are named by the time of their arrival.
    fn keep(withheld: &mut Withheld, from: u64, until: u64) {
        (from..until).step_by(20).for_each(|at| withheld.keep(&[at as i16; 3], ms(at)));
    }

    /// The first and the last of them.
    fn ends(frames: impl Iterator<Item = Vec<i16>>) -> Option<(i16, i16)> {
        let frames: Vec<_> = frames.collect();
        Some((*frames.first()?.first()?, *frames.last()?.first()?))
    }

    #[test]
    fn who_speaks_over_the_agent_is_heard_from_the_words_beginning() {
        let mut withheld = speaking(1_600);
        assert!(withheld.is_on());
        assert_eq!(ends(withheld.release(ms(1_300))), Some((1_100, 1_580)), "and a little before it");
        assert!(!withheld.is_on());
        assert_eq!(ends(speaking(4_000).release(ms(1_300))), Some((3_000, 3_980)), "a second is kept");
    }

    #[test]
    fn what_was_said_at_the_end_is_heard_when_the_agent_has_finished() {
        let mut withheld = speaking(4_000);
        assert_eq!(ends(withheld.agent_ends()), None, "nobody spoke");
        assert!(!withheld.is_on());
        for (from, to, want) in [
            (1_500, 1_700, None),
            (2_900, 3_200, None),
            (3_200, 3_400, Some((3_000, 3_980))),
            (3_500, 3_800, Some((3_300, 3_980))),
            (3_900, 9_000, Some((3_700, 3_980))),
        ] {
            let mut withheld = speaking(4_000);
            withheld.caller(true, ms(from));
            if to < 4_000 {
                withheld.caller(false, ms(to));
            }
            assert_eq!(ends(withheld.agent_ends()), want, "{from} to {to}");
        }
    }

    #[test]
    fn who_was_speaking_when_the_agent_began_is_heard_to_the_next_pause() {
        let mut withheld = Withheld::default();
        withheld.caller(true, ms(500));
        withheld.agent_begins(ms(1_000));
        assert!(!withheld.is_on() && withheld.deadline().is_none());
        withheld.caller(false, ms(1_400));
        assert!(withheld.is_on());
        withheld.caller(true, ms(2_000));
        assert!(withheld.is_on(), "it may be a word in passing");
    }

    #[test]
    fn who_cannot_be_told_from_a_noise_is_heard_after_two_seconds() {
        let mut withheld = speaking(1_600);
        assert_eq!(withheld.deadline(), None);
        withheld.caller(true, ms(1_500));
        keep(&mut withheld, 1_600, 3_500);
        assert_eq!(withheld.deadline(), Some(ms(3_500)));
        assert_eq!(ends(withheld.step(ms(3_499))), None);
        assert_eq!(ends(withheld.step(ms(3_500))), Some((2_500, 3_480)));
        assert!(!withheld.is_on() && withheld.deadline().is_none());
        withheld.caller(false, ms(3_700));
        assert!(withheld.is_on());
        withheld.caller(true, ms(4_000));
        withheld.caller(false, ms(4_300));
        assert_eq!(withheld.deadline(), None, "it has ended");
    }
}
