//! The tools at work in one conversation. Every call that is put on the bench leaves it once, with an answer: an unanswered one
//! makes a model deaf. Nobody waits here: what takes long is polled, and the caller is heard meanwhile.
//!
//! ```text
//!   call() ─ done at once ─▶ Used
//!      └───── at work ─▶ poll() ─▶ Used         overdue(): it took too long      cancel(): nobody wants it any more
//!                └─ filler(): the caller has waited in silence for a while
//! ```
//!
//! Time is an argument. An engine asks [`Bench::deadline`] when to come back, and whoever drops the bench stops the work; what
//! was at work is then found in [`Toolbox::take_abandoned`].

use super::{Behaviour, Object, Outcome, Toolbox, Work};
use crate::EngineEvent;
use callie_domain::record::{ToolEnd, ToolRequest};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::{
    fmt,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Tools at work at one time; more are refused. A model that uses so many at once has lost its way.
const PLACES: usize = 4;
/// The longest that any tool is waited for.
const LONGEST: Duration = Duration::from_secs(120);
/// So long may a tool take without a word, and so long after the last words.
const PAUSE: Duration = Duration::from_millis(1_200);
const PAUSE_AFTER_WORDS: Duration = Duration::from_secs(7);
/// Longest arguments and results kept for the record, bytes of JSON.
const RECORDED_BYTES: usize = 4_096;

/// A model uses a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The model's own name for this use of the tool.
    pub id: Option<String>,
    pub name: String,
    pub arguments: Object,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Used {
    pub call: ToolCall,
    /// For the model, unless [`ToolEnd::Cancelled`].
    pub outcome: Outcome,
    pub end: ToolEnd,
    pub took: Duration,
}

impl Used {
    /// Done at once.
    pub fn at_once(call: ToolCall, outcome: Outcome) -> Self {
        Self::after(call, outcome, Duration::ZERO)
    }

    fn after(call: ToolCall, outcome: Outcome, took: Duration) -> Self {
        let end = if outcome.is_error() { ToolEnd::Error } else { ToolEnd::Result };
        Self { call, outcome, end, took }
    }

    fn timed_out(call: ToolCall, took: Duration) -> Self {
        let error = format!("no answer within {} s", took.as_secs());
        Self { call, outcome: Outcome::error(error, true), end: ToolEnd::Timeout, took }
    }

    fn cancelled(call: ToolCall, took: Duration) -> Self {
        Self { call, outcome: Outcome::error("cancelled before it was done", false), end: ToolEnd::Cancelled, took }
    }

    pub fn record(&self) -> ToolUse {
        ToolUse {
            name: self.call.name.chars().take(128).collect(),
            arguments: recorded(&self.call.arguments),
            result: recorded(&self.outcome.result),
            end: self.end,
            took: self.took,
            requests: self.outcome.requests.clone(),
        }
    }

    /// The same, as the engine reports it.
    pub fn event(&self) -> EngineEvent {
        EngineEvent::ToolUsed(self.record())
    }
}

/// One use of a tool, for the record.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    pub name: String,
    /// JSON, as is the result; too long ones are only measured.
    pub arguments: String,
    pub result: String,
    pub end: ToolEnd,
    pub took: Duration,
    /// What it sent into the network.
    pub requests: Vec<ToolRequest>,
}

fn recorded(object: &Object) -> String {
    let text = Value::Object(object.clone()).to_string();
    if text.len() <= RECORDED_BYTES { text } else { json!({"shortened": text.len()}).to_string() }
}

struct AtWork {
    call: ToolCall,
    work: BoxFuture<'static, Outcome>,
    since: Instant,
    until: Instant,
    filler: Filler,
}

/// The words that cover the wait.
enum Filler {
    /// The model waits itself and cannot be asked to speak.
    None,
    Due {
        at: Instant,
        words: Option<String>,
    },
}

/// Owned by one conversation.
pub struct Bench {
    tools: Toolbox,
    at_work: Vec<AtWork>,
}

impl Bench {
    pub fn new(tools: Toolbox) -> Self {
        Self { tools, at_work: Vec::new() }
    }

    pub fn tools(&self) -> &Toolbox {
        &self.tools
    }

    /// Something is at work.
    pub fn is_busy(&self) -> bool {
        !self.at_work.is_empty()
    }

    /// Uses a tool; `None` when it is at work now, or was already under this id.
    pub fn call(&mut self, call: ToolCall, now: Instant) -> Option<Used> {
        if call.id.is_some() && self.at_work.iter().any(|at_work| at_work.call.id == call.id) {
            return None;
        }
        let Some(tool) = self.tools.find(&call.name).filter(|_| self.at_work.len() < PLACES) else {
            let outcome = match self.tools.call(&call.name, &call.arguments) {
                // Nothing of it has been done: work begins when it is polled.
                Work::Later(_) => Outcome::error("too many tools are at work; wait for what they give", true),
                Work::Done(outcome) => outcome,
            };
            return Some(Used::at_once(call, outcome));
        };
        let work = match tool.call(&call.arguments) {
            Work::Done(outcome) => return Some(Used::at_once(call, outcome)),
            Work::Later(work) => work,
        };
        let filler = match tool.behaviour() {
            Behaviour::Waits => Filler::None,
            Behaviour::TalksOn => Filler::Due { at: now + PAUSE, words: tool.filler().map(str::to_owned) },
        };
        let until = now + tool.patience().min(LONGEST);
        self.at_work.push(AtWork { call, work, since: now, until, filler });
        None
    }

    /// The service wants no answer any more. `None` when it was answered already.
    pub fn cancel(&mut self, id: &str, now: Instant) -> Option<Used> {
        let place = self.at_work.iter().position(|at_work| at_work.call.id.as_deref() == Some(id))?;
        let AtWork { call, since, .. } = self.at_work.remove(place);
        Some(Used::cancelled(call, now.saturating_duration_since(since)))
    }

    /// What is done. Wakes the task when there may be more.
    pub fn poll(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<Used> {
        for place in 0..self.at_work.len() {
            if let Some(at_work) = self.at_work.get_mut(place)
                && let Poll::Ready(outcome) = at_work.work.as_mut().poll(context)
            {
                let AtWork { call, since, .. } = self.at_work.remove(place);
                return Poll::Ready(Used::after(call, outcome, now.saturating_duration_since(since)));
            }
        }
        Poll::Pending
    }

    /// When to ask for [`Self::overdue`] and [`Self::filler`].
    pub fn deadline(&self) -> Option<Instant> {
        let filler = |at_work: &AtWork| match &at_work.filler {
            Filler::None => None,
            Filler::Due { at, .. } => Some(*at),
        };
        self.at_work.iter().flat_map(|at_work| filler(at_work).into_iter().chain([at_work.until])).min()
    }

    /// What took too long, and is stopped.
    pub fn overdue(&mut self, now: Instant) -> Option<Used> {
        let place = self.at_work.iter().position(|at_work| now >= at_work.until)?;
        let AtWork { call, since, .. } = self.at_work.remove(place);
        Some(Used::timed_out(call, now.saturating_duration_since(since)))
    }

    /// The agent has said something, which covers the wait for a while.
    pub fn agent_spoke(&mut self, now: Instant) {
        for at_work in &mut self.at_work {
            if let Filler::Due { at, .. } = &mut at_work.filler {
                *at = now + PAUSE_AFTER_WORDS;
            }
        }
    }

    /// The caller has heard nothing for so long that the model is to be told this.
    pub fn filler(&mut self, now: Instant) -> Option<String> {
        let due = self.at_work.iter().find_map(|at_work| match &at_work.filler {
            Filler::Due { at, words } if now >= *at => Some(words.clone()),
            _ => None,
        })?;
        self.agent_spoke(now);
        Some(match due {
            Some(words) => format!("(This takes a moment. Say exactly: {words} Then wait; the result comes by itself.)"),
            None => {
                "(This takes a moment. Tell the other side so in a few words, then wait; the result comes by itself.)".to_owned()
            }
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for AtWork { call, since, .. } in self.at_work.drain(..) {
            self.tools.abandon(Used::cancelled(call, since.elapsed()));
        }
    }
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_work: Vec<_> = self.at_work.iter().map(|at_work| &at_work.call).collect();
        f.debug_struct("Bench").field("at_work", &at_work).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
