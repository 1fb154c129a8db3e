//! Sessions end: at their time, by a fault, or because they fall silent. This decides when another is opened, for how long that
//! is tried, and when the conversation moves there.
//!
//! ```text
//!   steady ─ its time comes ─▶ preparing: a second session beside the first ─ a quiet moment ─▶ steady
//!      └──── it breaks ──────▶ lost: one try after the other within the budget ─ one answers ─▶ steady
//! ```

use crate::EngineError;
use std::time::{Duration, Instant};

/// A session is replaced so long before its time is over, or after three quarters of a short one.
const LEAD: Duration = Duration::from_secs(180);
/// Before the first try after a loss there is no pause, before the others these.
const PAUSES_MS: [u64; 5] = [0, 500, 1_000, 2_000, 4_000];
/// A session that has lived for this long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// So many sessions in a row that were none are enough.
const BAD_SESSIONS: u32 = 4;

#[derive(Debug)]
pub struct Renewal {
    budget: Duration,
    state: State,
    /// When the present session began, and when its time is over.
    since: Instant,
    ends: Option<Instant>,
    bad_sessions: u32,
}

#[derive(Debug)]
enum State {
    Steady,
    Preparing { reason: String, next: Next, tries: usize },
    Lost { since: Instant, error: EngineError, next: Next, tries: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    TryAt(Instant),
    Trying,
    /// The other session is set up.
    Ready,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Open another session.
    Connect,
    /// The other session talks from now on; the reason is for the record.
    Switch {
        reason: String,
    },
    GiveUp(EngineError),
}

impl Renewal {
    /// `life`: how long the session that begins now may live.
    pub fn new(budget: Duration, life: Option<Duration>, now: Instant) -> Self {
        Self { budget, state: State::Steady, since: now, ends: life.map(|life| now + life), bad_sessions: 0 }
    }

    /// The session is gone, or of no use any more.
    pub fn lost(&mut self, error: EngineError, now: Instant) {
        let next = match &self.state {
            State::Steady => Next::TryAt(now),
            State::Preparing { next: next @ (Next::Trying | Next::Ready), .. } => *next,
            State::Preparing { .. } => Next::TryAt(now),
            // It was lost before; the first error tells the most.
            State::Lost { .. } => return,
        };
        self.bad_sessions = if now.saturating_duration_since(self.since) < GOOD { self.bad_sessions + 1 } else { 0 };
        self.state = State::Lost { since: now, error, next, tries: 0 };
    }

    /// The other session is set up.
    pub fn ready(&mut self) {
        match &mut self.state {
            State::Preparing { next, .. } | State::Lost { next, .. } => *next = Next::Ready,
            State::Steady => {}
        }
    }

    /// The other session could not be opened, or broke while it waited.
    pub fn failed(&mut self, now: Instant) {
        let (State::Preparing { next, tries, .. } | State::Lost { next, tries, .. }) = &mut self.state else { return };
        *tries += 1;
        let pause = PAUSES_MS.get(*tries).or(PAUSES_MS.last()).copied().unwrap_or_default();
        *next = Next::TryAt(now + Duration::from_millis(pause));
    }

    /// There is no session that talks.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost { .. })
    }

    pub fn deadline(&self) -> Option<Instant> {
        let at = |next: &Next, now_or_later: Option<Instant>| match next {
            Next::TryAt(time) => Some(*time),
            Next::Trying => now_or_later,
            Next::Ready => None,
        };
        match &self.state {
            State::Steady => self.renews_at(),
            State::Preparing { next, .. } => at(next, None),
            State::Lost { since, next, .. } => {
                let end = *since + self.budget;
                at(next, Some(end)).map(|time| time.min(end))
            }
        }
    }

    /// `quiet`: nobody would notice if the session changed now.
    pub fn step(&mut self, quiet: bool, now: Instant) -> Option<Step> {
        if matches!(self.state, State::Steady) && self.renews_at().is_some_and(|time| now >= time) {
            let reason = "its time is nearly over".to_owned();
            self.state = State::Preparing { reason, next: Next::TryAt(now), tries: 0 };
        }
        match &mut self.state {
            State::Steady => None,
            State::Lost { error, .. } if self.bad_sessions >= BAD_SESSIONS => Some(Step::GiveUp(error.clone())),
            State::Lost { since, error, next, .. } if *next != Next::Ready && now >= *since + self.budget => {
                Some(Step::GiveUp(error.clone()))
            }
            State::Preparing { next, .. } | State::Lost { next, .. } if matches!(*next, Next::TryAt(time) if now >= time) => {
                *next = Next::Trying;
                Some(Step::Connect)
            }
            State::Preparing { reason, next: Next::Ready, .. } if quiet => Some(Step::Switch { reason: reason.clone() }),
            State::Lost { error, next: Next::Ready, .. } => Some(Step::Switch { reason: error.to_string() }),
            State::Preparing { .. } | State::Lost { .. } => None,
        }
    }

    /// The other session talks now, and may live for `life`.
    pub fn switched(&mut self, life: Option<Duration>, now: Instant) {
        (self.state, self.since, self.ends) = (State::Steady, now, life.map(|life| now + life));
    }

    fn renews_at(&self) -> Option<Instant> {
        let ends = self.ends?;
        let life = ends.saturating_duration_since(self.since);
        Some(ends - LEAD.min(life / 4))
    }
}

#[cfg(test)]
#[path = "renewal/tests.rs"]
mod tests;
