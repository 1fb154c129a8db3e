//! Which session of the service carries the conversation, and when the next takes over. No socket, no clock: endings,
//! announcements and handles in, what is to be dialled, switched and hung up out.
//!
//! ```text
//!              goAway                    quiet, or 5 s before the end
//!   Steady ──────────────▶ Leaving ─────────────────────────────────────▶ Steady (the next session)
//!     │                     │  a second session is made ready beside the first
//!     │ closed, broken,     │ the first ends before the second is ready
//!     │ stalled             ▼
//!     └─────────────────▶ Broken ── 0, 0.25, 0.5, 1, 2, 4, 4 … s ── dialled ──▶ Steady
//!                           │ what cannot be mended, or 30 s
//!                           ▼
//!                          Over
//! ```
//!
//! The next session takes up the newest handle, as long as the service lets it and the handle knows of everything that was said;
//! otherwise it is told what was said ([`handles`]).
//!
//! A caller's speech that a break swallows is heard again by the next session, two seconds of it; the agent's words that are here
//! already are played on. So what a caller notices of a break is the time that connecting takes: half a second with a service that
//! is well. Each attempt has the patience of [`super::GeminiOptions`] (8 s), all together 30 s; what trying again cannot mend
//! ends at once.

pub mod backoff;
pub mod handles;
pub mod leaving;

use super::refusal::{Course, Ending};
use crate::{EngineCause, EngineError};
use backoff::Outage;
use handles::Handles;
use leaving::{End, Memory, Next, Plan};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A session that has lived so long was well: its end is a new outage.
const WELL: Duration = Duration::from_secs(10);
const ANNOUNCED: &str = "the service had announced the end of the session";

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Open another session: the next one.
    Dial(Dial),
    /// Forget the next session, or the attempt to open it.
    DropNext,
    /// Hang up the current session.
    HangUp,
    /// The next session is the current one from now on.
    Switch { reason: String, dial: Dial },
    /// No session will carry the conversation any more.
    Fail(EngineError),
}

/// How a session is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// The session whose context it takes up; without one it is told what was said.
    pub handle: Option<String>,
    /// What was said goes into the instruction, for a service that takes no history.
    pub plain: bool,
}

#[derive(Debug)]
enum State {
    Steady,
    Leaving { end: End, next: Next },
    Broken { why: EngineError, next: Next },
    Over,
}

#[derive(Debug)]
pub struct Continuity {
    state: State,
    handles: Handles,
    memory: Memory,
    outage: Option<Outage>,
    budget: Duration,
    session: Session,
    /// A session without context was the answer to a refusal; a second refusal is final.
    tried_anew: bool,
    steps: VecDeque<Step>,
}

/// What is known of the current session.
#[derive(Debug)]
struct Session {
    resumed: bool,
    since: Instant,
    /// It has answered so that it could be heard.
    sound: bool,
}

impl Continuity {
    /// The first session is there.
    pub fn new(budget: Duration, memory: Memory, now: Instant) -> Self {
        Self {
            state: State::Steady,
            handles: Handles::default(),
            memory,
            outage: None,
            budget,
            session: Session { resumed: false, since: now, sound: false },
            tried_anew: false,
            steps: VecDeque::new(),
        }
    }

    pub fn next_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// There is a session that can be talked to.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Steady | State::Leaving { .. })
    }

    /// The service has announced the end of the current session.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    /// The current session has given a handle.
    pub fn on_handle(&mut self, handle: String) {
        self.handles.on_handle(handle);
    }

    /// The current session has gone beyond its last handle.
    pub fn on_content(&mut self) {
        self.handles.on_content();
    }

    /// The model has answered: this session works, and so does its context.
    pub fn on_sound_turn(&mut self) {
        self.session.sound = true;
        self.tried_anew = false;
        self.outage = None;
        self.handles.works();
    }

    pub fn on_go_away(&mut self, time_left: Duration, now: Instant) {
        let told = End::after(time_left, now);
        match &mut self.state {
            State::Steady => self.state = State::Leaving { end: told, next: Next::Due(now) },
            State::Leaving { end, .. } => *end = told,
            State::Broken { .. } | State::Over => {}
        }
    }

    /// The conversation needs no session any more.
    pub fn retire(&mut self) {
        if !matches!(self.state, State::Over) {
            self.state = State::Over;
            self.steps.push_back(Step::DropNext);
        }
    }

    /// The current session has ended.
    pub fn on_lost(&mut self, ending: Ending, now: Instant) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Steady => self.break_off(ending, Next::Due(now), now),
            State::Leaving { next: Next::Ready(dial), .. } => self.switch(ANNOUNCED.to_owned(), dial, now),
            State::Leaving { next: next @ Next::Dialling(_), .. } => self.break_off(ending, next, now),
            State::Leaving { .. } => self.break_off(ending, Next::Due(now), now),
            state @ (State::Broken { .. } | State::Over) => self.state = state,
        }
    }

    /// The current session is of no use any more.
    pub fn renew(&mut self, why: EngineError, now: Instant) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Leaving { next: Next::Ready(dial), .. } => self.switch(why.to_string(), dial, now),
            State::Leaving { next: next @ Next::Dialling(_), .. } => {
                self.steps.push_back(Step::HangUp);
                self.break_off(why.into(), next, now);
            }
            State::Steady | State::Leaving { .. } => {
                self.steps.push_back(Step::HangUp);
                self.break_off(why.into(), Next::Due(now), now);
            }
            state @ (State::Broken { .. } | State::Over) => self.state = state,
        }
    }

    /// The next session is set up.
    pub fn on_next_ready(&mut self, now: Instant) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Leaving { end, next: Next::Dialling(dial) } => {
                self.state = State::Leaving { end, next: Next::Ready(dial) };
            }
            State::Broken { why, next: Next::Dialling(dial) } => self.switch(why.to_string(), dial, now),
            state => self.state = state,
        }
    }

    /// The next session could not be opened, or ended before it was needed.
    pub fn on_next_lost(&mut self, ending: Ending, now: Instant) {
        let (next, broken) = match &self.state {
            State::Leaving { next, .. } => (next, false),
            State::Broken { next, .. } => (next, true),
            State::Steady | State::Over => return,
        };
        let (Next::Dialling(dial) | Next::Ready(dial)) = next.clone() else { return };
        let refused = matches!(ending.course, Course::WithoutHandle | Course::Anew);
        match dial.handle {
            Some(_) if refused && !broken => return self.set_next(Next::Alone),
            Some(_) if refused => {
                self.handles.forget();
                return self.set_next(Next::Due(now));
            }
            None if refused && !dial.plain => {
                self.memory.takes_history = false;
                return self.set_next(Next::Due(now));
            }
            Some(_) if ending.course == Course::Resume => self.handles.failed(),
            Some(_) | None => {}
        }
        if broken && (refused || ending.course == Course::GiveUp) {
            return self.fail(ending.error);
        }
        if let State::Broken { why, .. } = &mut self.state {
            *why = EngineError::new(ending.error.cause, both(&why.detail, &ending.error.detail));
        }
        let pause = self.outage.get_or_insert_with(|| Outage::new(now)).next_pause();
        self.set_next(Next::Due(now + pause));
    }

    /// When [`Self::tick`] has something to do. `quiet_at`: from when on nobody speaks, as it looks now.
    pub fn deadline(&self, quiet_at: Option<Instant>, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Leaving { end, next } => match end.plan(next, &self.handles, self.memory, quiet_at, now) {
                Plan::Wait(until) => until,
                _ => Some(now),
            },
            State::Broken { next, .. } => {
                let given_up = self.outage.as_ref().map(|outage| outage.since + self.budget);
                let due = if let Next::Due(at) = next { Some(*at) } else { None };
                given_up.into_iter().chain(due).min()
            }
            State::Steady | State::Over => None,
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, quiet_at: Option<Instant>, now: Instant) {
        match &self.state {
            State::Leaving { end, next } => {
                let plan = end.plan(next, &self.handles, self.memory, quiet_at, now);
                self.carry_out(plan, now);
            }
            State::Broken { why, next } => {
                let given_up = self.outage.as_ref().is_some_and(|outage| now >= outage.since + self.budget);
                if given_up {
                    let detail = format!("{}; no session for {} s", why.detail, self.budget.as_secs());
                    return self.fail(EngineError::new(why.cause, detail));
                }
                if matches!(next, Next::Due(at) if now >= *at) {
                    let handle = self.handles.usable().map(str::to_owned);
                    self.dial(handle);
                }
            }
            State::Steady | State::Over => {}
        }
    }

    fn carry_out(&mut self, plan: Plan, now: Instant) {
        match plan {
            Plan::Wait(_) => {}
            Plan::WaitAlone => self.set_next(Next::Alone),
            Plan::Dial(handle) => self.dial(handle),
            Plan::Redial(handle) => {
                self.steps.push_back(Step::DropNext);
                self.dial(handle);
            }
            Plan::Switch => {
                if let State::Leaving { next: Next::Ready(dial), .. } = std::mem::replace(&mut self.state, State::Over) {
                    self.switch(ANNOUNCED.to_owned(), dial, now);
                }
            }
            Plan::HangUpAndDial => {
                self.steps.push_back(Step::HangUp);
                let why = EngineError::new(EngineCause::SessionExpired, ANNOUNCED);
                self.state = State::Over;
                self.break_off(why.into(), Next::Due(now), now);
            }
        }
    }

    /// There is no session any more; another one may mend it.
    fn break_off(&mut self, ending: Ending, next: Next, now: Instant) {
        let Session { resumed, since, sound } = self.session;
        let hopeless = match ending.course {
            Course::GiveUp => true,
            Course::WithoutHandle => self.tried_anew || !resumed,
            Course::Anew => self.tried_anew,
            Course::Again | Course::Resume => false,
        };
        if hopeless {
            return self.fail(ending.error);
        }
        let mut next = next;
        if matches!(ending.course, Course::Anew | Course::WithoutHandle) {
            self.tried_anew = true;
            self.handles.forget();
            if matches!(&next, Next::Dialling(dial) if dial.handle.is_some()) {
                self.steps.push_back(Step::DropNext);
                next = Next::Due(now);
            }
        } else if resumed && !sound {
            self.handles.failed();
        }
        if now.saturating_duration_since(since) >= WELL {
            self.outage = None;
        }
        let pause = self.outage.get_or_insert_with(|| Outage::new(now)).next_pause();
        if let Next::Due(at) = &mut next {
            *at = now + pause;
        }
        self.state = State::Broken { why: ending.error, next };
    }

    fn switch(&mut self, reason: String, dial: Dial, now: Instant) {
        self.session = Session { resumed: dial.handle.is_some(), since: now, sound: false };
        if dial.handle.is_none() {
            self.handles.forget();
        }
        self.state = State::Steady;
        self.steps.push_back(Step::Switch { reason, dial });
    }

    fn dial(&mut self, handle: Option<String>) {
        let dial = Dial { handle, plain: !self.memory.takes_history };
        self.set_next(Next::Dialling(dial.clone()));
        self.steps.push_back(Step::Dial(dial));
    }

    fn set_next(&mut self, to: Next) {
        if let State::Leaving { next, .. } | State::Broken { next, .. } = &mut self.state {
            *next = to;
        }
    }

    fn fail(&mut self, error: EngineError) {
        self.state = State::Over;
        self.steps.push_back(Step::DropNext);
        self.steps.push_back(Step::Fail(error));
    }
}

/// The first reason, and the last.
fn both(first: &str, last: &str) -> String {
    let first = first.split(BETWEEN).next().unwrap_or_default();
    format!("{first}{BETWEEN}{last}")
}

const BETWEEN: &str = "; not reached again: ";

#[cfg(test)]
mod tests;
