//! What comes of the model's calls of tools. Each is answered once, at once or later, save those that the service takes back. While
//! something is at work no answer is due: the wait is covered by a word ([`crate::tools::Bench::filler`]).
//!
//! A session that is gone takes no answer, and the next knows nothing of the call: it is told the result as a text.

use super::Conversation;
use crate::{
    gemini::wire::{
        client::{FunctionResponse, tool_response},
        server::{FunctionCall, ToolCallCancellation},
    },
    realtime::instruction::renewal,
    tools::{Bench, Outcome, ToolCall, Used},
};
use std::{
    task::{Context, Poll},
    time::Instant,
};

impl Conversation {
    /// A message with calls, or with ids of calls that are taken back. What is done at once is answered in one message.
    pub(super) fn use_tools(&mut self, calls: Vec<FunctionCall>, cancelled: &ToolCallCancellation, now: Instant) {
        for id in &cancelled.ids {
            if let Some(used) = self.tools.cancel(id, now) {
                self.events.push_back(used.event());
            }
        }
        let wanted = calls.into_iter().filter(|call| call.id.as_ref().is_none_or(|id| !cancelled.ids.contains(id)));
        let responses: Vec<_> = wanted.filter_map(|call| self.use_tool(call, now)).collect();
        self.respond(responses);
        if self.turn.has_spoken() {
            self.tools.agent_spoke(now);
        }
    }

    fn use_tool(&mut self, call: FunctionCall, now: Instant) -> Option<FunctionResponse> {
        let call = ToolCall { id: call.id, name: call.name, arguments: call.args.unwrap_or_default() };
        self.ledger.on_content();
        self.turn.used_tool();
        let used = self.tools.call(call, now);
        if used.is_none() {
            self.vigil.answered();
        }
        used.map(|used| self.take_used(used, now))
    }

    /// Takes what tools have done; `true` when there was something. Wakes the task when there may be more. `connected`: there is
    /// a session to tell.
    pub fn poll_tools(&mut self, connected: bool, now: Instant, context: &mut Context<'_>) -> bool {
        if self.over {
            return false;
        }
        if let Poll::Ready(used) = self.tools.poll(now, context) {
            self.tell_used(used, connected, now);
            return true;
        }
        let former = self.former_tools.iter_mut().find_map(|bench| match bench.poll(now, context) {
            Poll::Ready(used) => Some(used),
            Poll::Pending => None,
        });
        former.is_some_and(|used| {
            self.tell_former(used, now);
            true
        })
    }

    /// Stops what takes too long, and has waits covered.
    pub(super) fn watch_tools(&mut self, connected: bool, now: Instant) {
        while let Some(used) = self.tools.overdue(now) {
            self.tell_used(used, connected, now);
        }
        while let Some(used) = self.former_tools.iter_mut().find_map(|bench| bench.overdue(now)) {
            self.tell_former(used, now);
        }
        if !connected {
            return;
        }
        let benches = std::iter::once(&mut self.tools).chain(&mut self.former_tools);
        let fillers: Vec<String> = benches.filter_map(|bench| bench.filler(now)).collect();
        fillers.iter().for_each(|text| self.tell(text));
    }

    pub(super) fn tools_deadline(&self) -> Option<Instant> {
        self.benches().filter_map(Bench::deadline).min()
    }

    pub(super) fn tools_are_busy(&self) -> bool {
        self.benches().any(Bench::is_busy)
    }

    fn benches(&self) -> impl Iterator<Item = &Bench> {
        std::iter::once(&self.tools).chain(&self.former_tools)
    }

    /// What is at work goes on, and the session that asked for it is gone.
    pub(super) fn keep_tools(&mut self) {
        self.former_tools.retain(Bench::is_busy);
        if self.tools.is_busy() {
            let bench = Bench::new(self.tools.tools().clone());
            self.former_tools.push(std::mem::replace(&mut self.tools, bench));
        }
    }

    /// Done later, or stopped. Without a session its result is owed to the next.
    fn tell_used(&mut self, used: Used, connected: bool, now: Instant) {
        let response = self.take_used(used, now);
        if connected {
            self.respond(vec![response]);
        }
    }

    fn tell_former(&mut self, used: Used, now: Instant) {
        let wants_answer = wants_answer(&used.outcome);
        let record = used.record();
        self.take_used(used, now);
        if wants_answer {
            self.tell(&renewal::tool_used(&record.name, &record.result));
        }
    }

    fn take_used(&mut self, used: Used, now: Instant) -> FunctionResponse {
        self.events.push_back(used.event());
        if wants_answer(&used.outcome) {
            let record = used.record();
            self.vigil.answer_is_due(now);
            self.owe_tool_result(&record.name, &record.result);
        } else {
            self.answered();
        }
        let Used { call, outcome, .. } = used;
        if outcome.ends_call {
            self.farewell.agent_hangs_up(now);
        }
        self.events.extend(outcome.effect.map(Into::into));
        FunctionResponse { id: call.id, name: call.name, response: outcome.result }
    }

    fn respond(&mut self, responses: Vec<FunctionResponse>) {
        if !responses.is_empty() {
            self.messages.push_back(tool_response(responses));
        }
    }
}

/// After what the call does about it the model may say something more, and need not.
fn wants_answer(outcome: &Outcome) -> bool {
    !outcome.leaves()
}
