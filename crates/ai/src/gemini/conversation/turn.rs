//! The agent's current turn, as the service sends it: whether there is speech in it, and what of it comes too late.

use std::time::{Duration, Instant};

/// For how long speech is taken for the rest of an interrupted turn when its `turnComplete` is missing; longer would mute
/// the next turn.
const LATE_AUDIO: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Turn {
    /// Speech was handed out since the last whole turn was reported.
    open: bool,
    /// Something could be heard in this turn, since the caller cut it short if they did.
    spoken: bool,
    /// A tool was used in this turn, so that silence is no fault.
    used_tool: bool,
    /// The caller cut this turn short, and what still comes of it is dropped until then.
    cut_until: Option<Instant>,
    was_cut: bool,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Spoken,
    Cut,
    /// Only tools were used.
    Tools,
    /// There was nothing in it that could be heard.
    Empty,
}

impl Turn {
    /// The caller talks over the agent.
    pub fn cut(&mut self, now: Instant) {
        self.cut_until = Some(now + LATE_AUDIO);
        self.was_cut = true;
        (self.open, self.spoken) = (false, false);
    }

    /// Speech or words that come now belong to a turn that was cut.
    pub fn is_late(&self, now: Instant) -> bool {
        self.cut_until.is_some_and(|until| now < until)
    }

    /// Speech was handed out.
    pub fn spoke(&mut self) {
        (self.open, self.spoken) = (true, true);
        (self.cut_until, self.was_cut) = (None, false);
    }

    pub fn used_tool(&mut self) {
        self.used_tool = true;
    }

    pub fn has_spoken(&self) -> bool {
        self.spoken
    }

    /// Speech was handed out, and more of it is to come.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// All speech of the turn is here; true when that is news.
    pub fn close_speech(&mut self) -> bool {
        std::mem::take(&mut self.open)
    }

    /// The turn is over.
    pub fn complete(&mut self) -> Ending {
        let turn = std::mem::take(self);
        match turn {
            Self { was_cut: true, .. } => Ending::Cut,
            Self { spoken: true, .. } => Ending::Spoken,
            Self { used_tool: true, .. } => Ending::Tools,
            _ => Ending::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_speech_is_late_until_the_turn_is_complete_or_a_second_has_passed() {
        let now = Instant::now();
        let mut turn = Turn::default();
        turn.spoke();
        turn.cut(now);
        assert!(turn.is_late(now) && turn.is_late(now + Duration::from_millis(999)));
        assert!(!turn.is_late(now + LATE_AUDIO));
        assert_eq!(turn.complete(), Ending::Cut);
        assert!(!turn.is_late(now));
    }

    fn check(happens: impl FnOnce(&mut Turn), ending: Ending) {
        let mut turn = Turn::default();
        happens(&mut turn);
        assert_eq!(turn.complete(), ending);
        assert_eq!(turn.complete(), Ending::Empty, "the next one begins anew");
    }

    #[test]
    fn endings() {
        check(|_| {}, Ending::Empty);
        check(Turn::used_tool, Ending::Tools);
        check(|turn| (turn.used_tool(), turn.spoke()).1, Ending::Spoken);
        check(|turn| (turn.spoke(), turn.cut(Instant::now())).1, Ending::Cut);
    }
}
