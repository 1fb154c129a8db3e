//! The sentinel over dead air: the caller has spoken, and nothing is audible on the wire. First the engine is asked again, then
//! it is to go on in another session, then another engine takes over. Pure; time is an argument.
//!
//! ```text
//!   caller done ──limit──▶ Nudge ──limit──▶ Renew ──1¼ limit──▶ TakeOver ──limit──▶ Nudge (of the new engine) …
//! ```
//!
//! With the usual limit of 4 s another engine is called 13 s after the caller's last word. An engine that watches over its own
//! silence has asked again and renewed its session by then. What the caller says meanwhile
//! postpones a step, and takes none back: only the agent's voice ends the ladder.

use callie_domain::record::DeadAirStep;
use std::time::Duration;

/// Unless the user's `ai.dead_air` says otherwise.
pub const LIMIT: Duration = Duration::from_secs(4);
/// A click or a cough is not answered.
const SHORTEST_UTTERANCE: Duration = Duration::from_millis(300);
/// Nor is what began while the agent spoke and ends so soon after it: that may be its echo.
const ECHO: Duration = Duration::from_millis(700);

/// Time since the call began is the clock.
#[derive(Debug)]
pub struct DeadAir {
    limit: Duration,
    /// The end of what is not answered yet, and the first of it.
    owed: Option<Owed>,
    /// The next step of the ladder.
    next: DeadAirStep,
    /// A step was taken since the agent was heard last.
    begun: bool,
    caller_since: Option<Duration>,
    agent_speaks: bool,
    agent_ended: Duration,
    cut_off: bool,
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    since: Duration,
    due: Duration,
}

impl DeadAir {
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            owed: None,
            next: DeadAirStep::Nudge,
            begun: false,
            caller_since: None,
            agent_speaks: false,
            agent_ended: Duration::ZERO,
            cut_off: false,
        }
    }

    /// The agent is to speak first.
    pub fn greeting_is_due(&mut self, now: Duration) {
        self.owed = Some(Owed { since: now, due: now + self.limit });
    }

    pub fn caller_begins(&mut self, at: Duration) {
        self.caller_since = Some(at);
    }

    /// `at`: the last loud packet of the caller.
    pub fn caller_ends(&mut self, at: Duration) {
        let Some(since) = self.caller_since.take() else { return };
        let of_agent = since < self.agent_ended && at < self.agent_ended + ECHO;
        // While the agent talks on it owes nothing, unless it was cut off.
        if at.saturating_sub(since) >= SHORTEST_UTTERANCE && (self.cut_off || !self.agent_speaks && !of_agent) {
            self.owed = Some(Owed { since: self.owed.map_or(at, |owed| owed.since), due: at + self.pause() });
        }
    }

    /// The agent is heard. How long nothing was, if something was done about it.
    pub fn agent_begins(&mut self, at: Duration) -> Option<Duration> {
        let silent_for = self.owed.map(|owed| at.saturating_sub(owed.since));
        let begun = std::mem::take(&mut self.begun);
        self.forget();
        self.agent_speaks = true;
        silent_for.filter(|_| begun)
    }

    pub fn agent_ends(&mut self, at: Duration) {
        self.agent_speaks = false;
        self.agent_ended = at;
    }

    /// What the agent was saying is not said to its end.
    pub fn agent_is_cut_off(&mut self) {
        self.cut_off = true;
    }

    /// Nothing is owed: the call is held, or somebody else talks with the caller.
    pub fn forget(&mut self) {
        self.owed = None;
        self.next = DeadAirStep::Nudge;
        self.cut_off = false;
    }

    /// Something is being done that takes its time: a tool is at work.
    pub fn postpone(&mut self, now: Duration) {
        if let Some(owed) = &mut self.owed {
            owed.due = now + self.limit;
        }
    }

    /// When to ask [`Self::step`] next.
    pub fn deadline(&self) -> Option<Duration> {
        self.owed.filter(|_| self.caller_since.is_none()).map(|owed| owed.due)
    }

    /// What is to be done now, and for how long nothing has been heard.
    pub fn step(&mut self, now: Duration) -> Option<(DeadAirStep, Duration)> {
        if now < self.deadline()? {
            return None;
        }
        let step = self.next;
        self.begun = true;
        self.next = match step {
            DeadAirStep::Nudge => DeadAirStep::Renew,
            DeadAirStep::Renew => DeadAirStep::TakeOver,
            DeadAirStep::TakeOver => DeadAirStep::Nudge,
        };
        let pause = self.pause();
        let owed = self.owed.as_mut()?;
        owed.due = now + pause;
        Some((step, now.saturating_sub(owed.since)))
    }

    fn pause(&self) -> Duration {
        match self.next {
            DeadAirStep::Nudge | DeadAirStep::Renew => self.limit,
            DeadAirStep::TakeOver => self.limit * 5 / 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeadAirStep::{Nudge, Renew, TakeOver};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn says(watch: &mut DeadAir, from: u64, to: u64) {
        watch.caller_begins(ms(from));
        watch.caller_ends(ms(to));
    }

    /// The steps up to a time, and when each was taken.
    fn steps(watch: &mut DeadAir, until: u64) -> Vec<(DeadAirStep, u128)> {
        let mut taken = Vec::new();
        while let Some(due) = watch.deadline().filter(|due| *due <= ms(until)) {
            taken.extend(watch.step(due).map(|(step, _)| (step, due.as_millis())));
        }
        taken
    }

    #[test]
    fn the_ladder_goes_up_until_the_agent_is_heard() {
        let mut watch = DeadAir::new(LIMIT);
        assert_eq!(watch.deadline(), None);
        says(&mut watch, 1_000, 2_000);
        assert_eq!(watch.step(ms(5_999)), None);
        assert_eq!(steps(&mut watch, 15_000), [(Nudge, 6_000), (Renew, 10_000), (TakeOver, 15_000)]);
        assert_eq!(steps(&mut watch, 23_000), [(Nudge, 19_000), (Renew, 23_000)], "the new engine gets its time");
        assert_eq!(watch.agent_begins(ms(23_500)), Some(ms(21_500)));
        assert_eq!(watch.deadline(), None);
        watch.agent_ends(ms(24_000));
        says(&mut watch, 30_000, 31_000);
        assert_eq!(watch.agent_begins(ms(32_000)), None, "an answer in time is no news");
    }

    #[test]
    fn a_caller_who_asks_whether_anybody_is_there_does_not_begin_the_ladder_anew() {
        let mut watch = DeadAir::new(LIMIT);
        says(&mut watch, 0, 1_000);
        assert_eq!(steps(&mut watch, 5_000), [(Nudge, 5_000)]);
        watch.caller_begins(ms(6_000));
        assert_eq!(watch.deadline(), None, "nobody is talked over");
        watch.caller_ends(ms(7_000));
        assert_eq!(steps(&mut watch, 11_000), [(Renew, 11_000)]);
        says(&mut watch, 11_500, 12_000);
        assert_eq!(watch.step(ms(17_000)), Some((TakeOver, ms(16_000))));
    }

    #[test]
    fn what_needs_no_answer_owes_none() {
        let mut watch = DeadAir::new(LIMIT);
        says(&mut watch, 0, 200);
        assert_eq!(watch.deadline(), None, "a click");
        watch.agent_begins(ms(1_000));
        says(&mut watch, 2_000, 2_800);
        assert_eq!(watch.deadline(), None, "the agent talks on");
        watch.agent_is_cut_off();
        says(&mut watch, 3_000, 4_000);
        watch.agent_ends(ms(3_900));
        assert_eq!(watch.deadline(), Some(ms(8_000)), "it was interrupted");
        watch.postpone(ms(7_000));
        assert_eq!(watch.deadline(), Some(ms(11_000)), "a tool is at work");
        watch.forget();
        assert_eq!(watch.deadline(), None, "the call is held");
        for (from, to, owed) in [(14_000, 15_600, false), (14_000, 15_800, true), (15_100, 15_600, true)] {
            watch.agent_begins(ms(12_000));
            watch.agent_ends(ms(15_000));
            says(&mut watch, from, to);
            assert_eq!(watch.deadline().is_some(), owed, "its echo, or an answer: {from} to {to}");
            watch.forget();
        }
        watch.greeting_is_due(ms(20_000));
        assert_eq!(watch.step(ms(24_000)), Some((Nudge, ms(4_000))));
    }
}
