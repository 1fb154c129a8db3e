//! Nobody speaks: ask once whether the caller is still there, then say goodbye, then hang up. Pure; time is an argument.

use std::time::Duration;

/// What is to be done about the silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Ask,
    SayGoodbye,
    /// The goodbye did not come about either.
    HangUp,
}

/// Time since the line was opened is the clock.
#[derive(Debug)]
pub struct SilenceWatch {
    patience: Duration,
    quiet_since: Option<Duration>,
    asked: u8,
}

impl SilenceWatch {
    /// `patience`: silence of both sides before each step.
    pub fn new(patience: Duration) -> Self {
        Self { patience, quiet_since: None, asked: 0 }
    }

    /// Either side began to speak. Only the caller's voice ends the asking: our own question is not an answer.
    pub fn speech(&mut self, by_caller: bool) {
        self.quiet_since = None;
        if by_caller {
            self.asked = 0;
        }
    }

    /// Both sides are quiet from now on.
    pub fn quiet(&mut self, now: Duration) {
        self.quiet_since = Some(now);
    }

    /// When to ask [`Self::step`] next.
    pub fn deadline(&self) -> Option<Duration> {
        (self.asked < 3).then_some(self.quiet_since? + self.patience)
    }

    pub fn step(&mut self, now: Duration) -> Option<Step> {
        if now < self.deadline()? {
            return None;
        }
        self.quiet_since = Some(now);
        self.asked += 1;
        Some(match self.asked {
            1 => Step::Ask,
            2 => Step::SayGoodbye,
            _ => Step::HangUp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn silence_is_asked_about_once_then_ended() {
        let mut watch = SilenceWatch::new(10 * S);
        assert_eq!(watch.step(100 * S), None, "before anybody has spoken");
        watch.quiet(5 * S);
        assert_eq!(watch.step(14 * S), None);
        assert_eq!(watch.step(15 * S), Some(Step::Ask));
        watch.speech(false);
        assert_eq!(watch.deadline(), None, "not while we ask");
        watch.quiet(18 * S);
        assert_eq!(watch.step(28 * S), Some(Step::SayGoodbye));
        assert_eq!(watch.step(38 * S), Some(Step::HangUp));
        assert_eq!(watch.deadline(), None);
    }

    #[test]
    fn a_caller_who_speaks_is_not_asked_again_at_once() {
        let mut watch = SilenceWatch::new(10 * S);
        watch.quiet(S);
        assert_eq!(watch.step(11 * S), Some(Step::Ask));
        watch.speech(true);
        watch.quiet(20 * S);
        assert_eq!(watch.step(30 * S), Some(Step::Ask));
    }
}
