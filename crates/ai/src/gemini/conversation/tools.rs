//! What comes of the model's calls of tools. Each is answered once, at once or later, save those that the service takes back. While
//! something is at work no answer is due: the wait is covered by a word ([`crate::tools::Bench::filler`]).

use super::Conversation;
use crate::{
    gemini::wire::{
        client::{FunctionResponse, tool_response},
        server::{FunctionCall, ToolCallCancellation},
    },
    tools::{ToolCall, Used},
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

    /// Takes what tools have done; `true` when there was something. Wakes the task when there may be more.
    pub fn poll_tools(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let Poll::Ready(used) = self.tools.poll(now, context) else { return false };
        let response = self.take_used(used, now);
        self.respond(vec![response]);
        true
    }

    /// Stops what takes too long, and has waits covered.
    pub(super) fn watch_tools(&mut self, now: Instant) {
        while let Some(used) = self.tools.overdue(now) {
            let response = self.take_used(used, now);
            self.respond(vec![response]);
        }
        if let Some(text) = self.tools.filler(now) {
            self.tell(&text);
        }
    }

    fn take_used(&mut self, used: Used, now: Instant) -> FunctionResponse {
        self.events.push_back(used.event());
        let Used { call, outcome, .. } = used;
        if outcome.ends_call {
            self.farewell.agent_hangs_up(now);
            self.vigil.answered();
        } else if outcome.effect.is_some() {
            // It may say something more, and need not.
            self.vigil.answered();
        } else {
            self.vigil.answer_is_due(now);
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
