//! The caller speaks over the agent: who is to fall silent, for how long, and what comes of it. Pure; time is an argument, on the
//! media clock.
//!
//! ```text
//!              the line hears it            the engine says so, or answers; or the caller speaks on for 700 ms
//!   speaking ─────────────────────▶ paused ─────────────────────────────────────────────────────────────────────▶ interrupted
//!       ▲                              │ the caller has finished, and 800 ms later nothing has come of it
//!       └──────────── resumed ─────────┘
//! ```
//!
//! The agent falls silent at once, and loses what it had to say only when the caller meant it.

use std::time::Duration;

/// Who speaks on for so long means it, whatever the engine makes of it.
const SPEAKS_ON: Duration = Duration::from_millis(700);
/// That a voice has ended is known after the pause that ends it, and a little more for the way here.
const KNOWN_AFTER: Duration = Duration::from_millis(450);
/// Silence of the caller after which the agent goes on.
const FALSE_AFTER: Duration = Duration::from_millis(800);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was nothing: the agent goes on. It had stopped at this time.
    Resume { at: Duration },
    /// It was meant: what the agent still had to say is dropped.
    CutOff { at: Duration },
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Speaking,
    /// Since `at`. The caller speaks since `since`, or has fallen silent.
    Paused { at: Duration, caller: Caller },
}

#[derive(Debug, Clone, Copy)]
enum Caller {
    Speaks { since: Duration },
    Silent { since: Duration },
}

/// Owned by the bridge.
#[derive(Debug, Default)]
pub struct BargeIn {
    state: State,
}

impl BargeIn {
    pub fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    /// The line hears the caller speak over the agent, which falls silent now. The caller may have spoken for a while.
    pub fn begins(&mut self, at: Duration) {
        if !self.is_paused() {
            self.state = State::Paused { at, caller: Caller::Speaks { since: at } };
        }
    }

    /// The caller has finished, or speaks again, at `when`.
    pub fn caller(&mut self, speaks: bool, when: Duration) {
        let State::Paused { at, caller } = &mut self.state else { return };
        match (*caller, speaks) {
            (Caller::Speaks { .. }, false) => *caller = Caller::Silent { since: when.max(*at) },
            (Caller::Silent { since }, true) if when >= since => *caller = Caller::Speaks { since: when },
            _ => {}
        }
    }

    /// The engine says that it is interrupted, or answers: the pause is over. When the agent had stopped, if it had.
    pub fn confirm(&mut self) -> Option<Duration> {
        match std::mem::take(&mut self.state) {
            State::Paused { at, .. } => Some(at),
            State::Speaking => None,
        }
    }

    /// When [`Self::step`] has something to say.
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Speaking => None,
            State::Paused { caller: Caller::Speaks { since }, .. } => Some(since + SPEAKS_ON + KNOWN_AFTER),
            State::Paused { caller: Caller::Silent { since }, .. } => Some(since + FALSE_AFTER),
        }
    }

    pub fn step(&mut self, now: Duration) -> Option<Step> {
        if now < self.deadline()? {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Speaking => None,
            State::Paused { at, caller: Caller::Speaks { .. } } => Some(Step::CutOff { at }),
            State::Paused { at, caller: Caller::Silent { .. } } => Some(Step::Resume { at }),
        }
    }
}

/// A turn of which no audio comes for so long is over, whether its engine says so or not.
const TURN_GAP: Duration = Duration::from_secs(2);

/// What an engine still gives of a turn that was cut off here, before it has noticed: it is not to be heard.
#[derive(Debug, Default)]
pub struct Leftover {
    last: Option<Duration>,
}

impl Leftover {
    /// The turn that runs was cut off.
    pub fn begins(&mut self, now: Duration) {
        self.last = Some(now);
    }

    /// The engine's turn is over.
    pub fn ends(&mut self) {
        self.last = None;
    }

    /// Whether what comes now is left over.
    pub fn has(&mut self, now: Duration) -> bool {
        self.last = self.last.filter(|last| now.saturating_sub(*last) < TURN_GAP).map(|_| now);
        self.last.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The agent is stopped at 1,000 ms. Then the caller's `(speaks, when, told)`, and what is done when.
    fn run(marks: &[(bool, u64, u64)]) -> (Step, u64) {
        let mut barge_in = BargeIn::default();
        assert_eq!(barge_in.deadline(), None);
        barge_in.begins(ms(1_000));
        let mut marks = marks.iter().peekable();
        for now in 1_000.. {
            while let Some((speaks, when, _)) = marks.next_if(|(_, _, told)| *told <= now) {
                barge_in.caller(*speaks, ms(*when));
            }
            if let Some(step) = barge_in.step(ms(now)) {
                assert_eq!((barge_in.deadline(), barge_in.step(ms(now + 10_000))), (None, None));
                return (step, now);
            }
        }
        unreachable!()
    }

    #[test]
    fn who_speaks_on_means_it_and_who_falls_silent_does_not() {
        let (resume, cut_off) = (Step::Resume { at: ms(1_000) }, Step::CutOff { at: ms(1_000) });
        for (name, marks, want) in [
            ("speaks on", &[][..], (cut_off, 2_150)),
            ("finishes the word", &[(false, 1_100, 1_500)], (resume, 1_900)),
            ("had finished when it was noticed", &[(false, 950, 1_350)], (resume, 1_800)),
            ("finishes just in time", &[(false, 1_690, 2_090)], (resume, 2_490)),
            ("begins again and finishes", &[(false, 1_100, 1_500), (true, 1_600, 1_680), (false, 1_900, 2_300)], (resume, 2_700)),
            ("begins again and speaks on", &[(false, 1_100, 1_500), (true, 1_600, 1_680)], (cut_off, 2_750)),
            ("is told twice to have begun", &[(true, 1_050, 1_110), (false, 1_200, 1_600)], (resume, 2_000)),
            ("began before it ended", &[(false, 1_300, 1_700), (true, 1_200, 1_710)], (resume, 2_100)),
        ] {
            assert_eq!(run(marks), (want.0, want.1), "{name}");
        }
    }

    #[test]
    fn the_rest_of_a_turn_is_left_over_until_it_ends_or_ceases() {
        let mut leftover = Leftover::default();
        assert!(!leftover.has(ms(0)));
        leftover.begins(ms(1_000));
        assert!((0..50).all(|piece| leftover.has(ms(1_500 + 100 * piece))));
        leftover.ends();
        assert!(!leftover.has(ms(6_500)));
        leftover.begins(ms(10_000));
        assert!(leftover.has(ms(11_900)) && !leftover.has(ms(14_000)) && !leftover.has(ms(14_100)));
    }

    #[test]
    fn the_engines_word_counts_at_once_and_once() {
        let mut barge_in = BargeIn::default();
        assert_eq!(barge_in.confirm(), None, "nothing was paused");
        barge_in.begins(ms(1_000));
        barge_in.begins(ms(1_500));
        assert!(barge_in.is_paused());
        assert_eq!(barge_in.confirm(), Some(ms(1_000)));
        assert_eq!((barge_in.confirm(), barge_in.deadline(), barge_in.is_paused()), (None, None, false));
        barge_in.caller(false, ms(2_000));
        assert_eq!(barge_in.step(ms(9_000)), None);
    }
}
