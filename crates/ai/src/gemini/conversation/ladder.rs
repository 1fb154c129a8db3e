//! What is done when the model does not answer: it is asked once more, then another session is asked, then the engine gives up
//! and another takes over. Whatever can be heard of the agent leads back to the ground.

use super::{Conversation, renewal::Owed};
use crate::{EngineCause, EngineError, realtime::instruction};
use std::time::Instant;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    #[default]
    Ground,
    /// It was asked once more.
    Nudged,
    /// Another session was asked.
    Renewed,
}

impl Conversation {
    /// The model should have been heard and was not.
    pub(super) fn climb(&mut self, trouble: &'static str, now: Instant) {
        match self.rung {
            Rung::Ground => {
                self.rung = Rung::Nudged;
                self.notice(format!("{trouble}; asked again"));
                let nudge = match &self.owed {
                    Some(Owed::Greeting { .. }) if self.takes_over => instruction::NUDGE.to_owned(),
                    Some(Owed::Greeting { .. }) => instruction::greet_again(&self.greeting_words),
                    Some(Owed::Words(_)) => instruction::ANSWER.to_owned(),
                    Some(_) | None => instruction::NUDGE.to_owned(),
                };
                self.vigil.answer_is_due(now);
                self.tell(&nudge);
            }
            Rung::Nudged => {
                self.rung = Rung::Renewed;
                self.wants_renewal = Some(trouble);
            }
            Rung::Renewed => {
                let detail = format!("{trouble}: it was asked again, and so was another session");
                self.fail(EngineError::new(EngineCause::Stalled, detail));
            }
        }
    }

    /// The line hears nothing of the agent, whatever the service sends: up to `rung`, unless it has been reached already.
    pub fn line_is_silent(&mut self, rung: Rung, now: Instant) {
        if self.rung < rung && !self.over && !self.has_said_goodbye() {
            // What comes before it has been tried, or is too late now.
            self.rung = if rung == Rung::Renewed { Rung::Nudged } else { Rung::Ground };
            self.climb("the caller has spoken and hears nothing", now);
        }
    }

    /// Something of the agent can be heard.
    pub(super) fn is_heard(&mut self) {
        self.rung = Rung::Ground;
    }
}
