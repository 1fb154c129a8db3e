//! Calls that are tried again: how often, after which pause, and upon what outcome.

use crate::record::{AnsweredBy, CallResult, Cdr, EndReason};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Attempts altogether, the first one among them.
pub const ATTEMPTS: RangeInclusive<u32> = 2..=10;
/// Seconds from the end of an attempt to the next.
pub const PAUSE_S: RangeInclusive<u32> = 10..=86_400;
/// The pause where none is named, seconds.
pub const USUAL_PAUSE_S: u32 = 300;
/// What a call is tried again upon where nothing is named.
pub const USUAL: [RetryOn; 2] = [RetryOn::Busy, RetryOn::NoAnswer];

/// An outcome upon which a call may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    Busy,
    NoAnswer,
    /// A machine answered, and no message was left on it.
    Machine,
    /// Something broke, of ours or on the way.
    Failed,
}

impl RetryOn {
    pub const ALL: &[Self] = &[Self::Busy, Self::NoAnswer, Self::Machine, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Machine => "machine",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for RetryOn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|on| on.as_str() == text).ok_or("must be busy, no_answer, machine or failed")
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody was reached, or does not want to be, or it was ended on purpose.
    Settled,
    Missed(RetryOn),
    /// We stopped before anybody answered: that is nobody's fault but ours.
    Interrupted,
}

impl Outcome {
    /// `None` while the call is up.
    pub fn of(cdr: &Cdr) -> Option<Self> {
        let end = cdr.termination.as_ref()?;
        if cdr.answered_at.is_none() && matches!(end.reason, EndReason::ServerShutdown | EndReason::ShuttingDown) {
            return Some(Self::Interrupted);
        }
        if cdr.answered_by == Some(AnsweredBy::Machine) && end.reason != EndReason::MessageLeft {
            return Some(Self::Missed(RetryOn::Machine));
        }
        Some(match end.result {
            CallResult::Busy => Self::Missed(RetryOn::Busy),
            CallResult::NoAnswer => Self::Missed(RetryOn::NoAnswer),
            CallResult::Failed | CallResult::Lost => Self::Missed(RetryOn::Failed),
            // No port was free, or no codec in common: ours to refuse, as when something broke.
            CallResult::Rejected => Self::Missed(RetryOn::Failed),
            CallResult::Completed | CallResult::Cancelled | CallResult::Declined | CallResult::NotFound => Self::Settled,
        })
    }
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Done,
    Again(Duration),
    /// It would be tried again, but was often enough.
    GiveUp,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRules {
    /// Altogether.
    pub attempts: u32,
    pub pause_s: u32,
    pub on: Vec<RetryOn>,
}

impl RetryRules {
    /// After `made` attempts.
    pub fn after(&self, outcome: Outcome, made: u32) -> Next {
        let wanted = match outcome {
            Outcome::Settled => false,
            Outcome::Missed(on) => self.on.contains(&on),
            Outcome::Interrupted => true,
        };
        match wanted {
            false => Next::Done,
            true if made >= self.attempts => Next::GiveUp,
            true => Next::Again(self.pause()),
        }
    }

    pub fn pause(&self) -> Duration {
        Duration::from_secs(self.pause_s.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallId;
    use crate::record::{Direction, Termination};
    use jiff::Timestamp;

    fn cdr(reason: EndReason, answered_by: Option<AnsweredBy>, answered: bool) -> Cdr {
        let (at, alice) = (Timestamp::UNIX_EPOCH, "alice".parse().expect("valid"));
        Cdr {
            termination: Some(Termination::new(reason)),
            answered_by,
            answered_at: answered.then_some(at),
            ..Cdr::begun(CallId::new(at, 1), alice, Direction::Outbound, at)
        }
    }

    #[test]
    fn outcomes_follow_from_the_record() {
        use Outcome::{Interrupted, Missed, Settled};
        for (reason, by, answered, want) in [
            (EndReason::CalleeBusy, None, false, Missed(RetryOn::Busy)),
            (EndReason::CalleeBusy, None, true, Missed(RetryOn::Busy)),
            (EndReason::NoAnswer, None, false, Missed(RetryOn::NoAnswer)),
            (EndReason::MachineAnswered, Some(AnsweredBy::Machine), true, Missed(RetryOn::Machine)),
            (EndReason::RemoteHungUp, Some(AnsweredBy::Machine), true, Missed(RetryOn::Machine)),
            (EndReason::MessageLeft, Some(AnsweredBy::Machine), true, Settled),
            (EndReason::Congestion, None, false, Missed(RetryOn::Failed)),
            (EndReason::ServiceUnavailable, None, false, Missed(RetryOn::Failed)),
            (EndReason::RtpPortsExhausted, None, false, Missed(RetryOn::Failed)),
            (EndReason::ProcessLost, None, false, Missed(RetryOn::Failed)),
            (EndReason::ServerShutdown, None, false, Interrupted),
            (EndReason::ServerShutdown, Some(AnsweredBy::Human), true, Settled),
            (EndReason::RemoteHungUp, Some(AnsweredBy::Human), true, Settled),
            (EndReason::FaxAnswered, Some(AnsweredBy::Fax), true, Settled),
            (EndReason::CalleeDeclined, None, false, Settled),
            (EndReason::NumberNotFound, None, false, Settled),
            (EndReason::OperatorCancelled, None, false, Settled),
        ] {
            assert_eq!(Outcome::of(&cdr(reason, by, answered)), Some(want), "{reason:?} {by:?}");
        }
        let up = Cdr { termination: None, ..cdr(EndReason::NoAnswer, None, false) };
        assert_eq!(Outcome::of(&up), None);
    }

    #[test]
    fn attempts_are_counted_and_only_wanted_outcomes_are_tried_again() {
        let rules = RetryRules { attempts: 3, pause_s: 60, on: vec![RetryOn::Busy] };
        let again = Next::Again(Duration::from_secs(60));
        let busy = Outcome::Missed(RetryOn::Busy);
        assert_eq!([1, 2, 3, 4].map(|made| rules.after(busy, made)), [again, again, Next::GiveUp, Next::GiveUp]);
        assert_eq!(rules.after(Outcome::Missed(RetryOn::NoAnswer), 1), Next::Done);
        assert_eq!(rules.after(Outcome::Interrupted, 1), again);
        assert_eq!(rules.after(Outcome::Settled, 1), Next::Done);
    }
}
