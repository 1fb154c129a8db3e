//! The calls of a response. Every one is answered, whatever is wrong with it: an unanswered one makes a model deaf. Then the
//! service is asked to go on, once for all that was done at once, and for each that took its time when it is done. Meanwhile the
//! caller is heard and answered, and a wait is covered by a word ([`crate::tools::Bench::filler`]).

use super::{Conversation, responses::Wish};
use crate::{
    openai::wire::{client::Item, server},
    tools::{Effect, Object, Outcome, ToolCall, Used},
};
use serde_json::{Value, json};
use std::{
    task::{Context, Poll},
    time::Instant,
};

/// Longest arguments kept for other sessions and for the record, bytes of JSON.
const RECORDED_BYTES: usize = 4_096;
/// Calls of one response that are carried out; the rest is answered with an error.
const CALLS: usize = 16;

/// What follows from what was done.
#[derive(Debug, Default)]
struct Wants {
    end: bool,
    words: bool,
    answer: bool,
}

impl Conversation {
    /// The response is over and whole. `spoke`: there was speech in it. True when these were the last words.
    pub(super) fn use_tools(&mut self, calls: Vec<server::Item>, spoke: bool, now: Instant) -> bool {
        let mut wants = Wants::default();
        for (count, call) in calls.into_iter().enumerate() {
            self.remember(&call);
            let used = match arguments(&call.arguments) {
                _ if count >= CALLS => Some(refused(&call, "too many calls at once; make fewer")),
                Ok(arguments) => self.tools.call(ToolCall { arguments, ..asked(&call) }, now),
                Err(why) => Some(refused(&call, why)),
            };
            if let Some(used) = used {
                self.answer(used, &mut wants);
            }
        }
        if spoke {
            self.tools.agent_spoke(now);
        }
        self.go_on(&wants, spoke, now);
        wants.end && spoke
    }

    /// The caller spoke over the response: nothing was done.
    pub(super) fn decline_tools(&mut self, calls: Vec<server::Item>) {
        for call in calls.into_iter().filter(|call| call.status != "incomplete") {
            self.remember(&call);
            let used = refused(&call, "not done: the caller spoke; use it again if it is still wanted");
            self.answer(used, &mut Wants::default());
        }
    }

    /// Takes what tools have done; `true` when there was something. Wakes the task when there may be more.
    pub fn poll_tools(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        let Poll::Ready(used) = self.tools.poll(now, context) else { return false };
        self.is_done(used, now);
        self.settle(now);
        true
    }

    /// Stops what takes too long, and has waits covered.
    pub(super) fn watch_tools(&mut self, now: Instant) {
        while let Some(used) = self.tools.overdue(now) {
            self.is_done(used, now);
        }
        if let Some(text) = self.tools.filler(now).filter(|_| self.linked) {
            self.instruct(&text);
        }
    }

    fn is_done(&mut self, used: Used, now: Instant) {
        let mut wants = Wants::default();
        self.answer(used, &mut wants);
        self.go_on(&wants, false, now);
    }

    fn remember(&mut self, call: &server::Item) {
        let arguments = recorded(&call.arguments);
        self.items.told(Item::Call { call_id: call.call_id.clone(), name: call.name.chars().take(128).collect(), arguments });
    }

    fn answer(&mut self, used: Used, wants: &mut Wants) {
        self.events.push_back(used.event());
        let Used { call, outcome, .. } = used;
        wants.end |= outcome.ends_call;
        match &outcome.effect {
            Some(Effect::Transfer { .. }) => wants.words = true,
            // The human has been spoken to, and is to hear nothing more.
            Some(Effect::Decide { .. }) => {}
            Some(Effect::Message(_)) | None => wants.answer |= !outcome.ends_call,
        }
        let output = Item::Output { call_id: call.id.unwrap_or_default(), output: Value::Object(outcome.result).to_string() };
        let message = self.writer.item(&output);
        self.send(message);
        self.items.told(output);
        self.events.extend(outcome.effect.map(Into::into));
    }

    /// Asks the service for what is wanted now. `spoke`: there was speech beside the calls.
    fn go_on(&mut self, wants: &Wants, spoke: bool, now: Instant) {
        if wants.end {
            self.farewell.agent_hangs_up(now);
            if spoke {
                return;
            }
        }
        self.announces = wants.words && !spoke;
        if wants.answer || wants.end || self.announces {
            self.vigil.answer_is_due(now);
            self.responses.wish(Wish::Answer);
        } else {
            self.vigil.answered();
        }
    }
}

fn asked(call: &server::Item) -> ToolCall {
    ToolCall { id: Some(call.call_id.clone()), name: call.name.clone(), arguments: Object::new() }
}

/// Nothing was done.
fn refused(call: &server::Item, why: impl Into<String>) -> Used {
    let arguments = Object::from_iter([("as_sent".to_owned(), json!(recorded(&call.arguments)))]);
    Used::at_once(ToolCall { arguments, ..asked(call) }, Outcome::error(why, true))
}

/// A model writes them, and it may write anything.
fn arguments(text: &str) -> Result<Object, String> {
    if text.trim().is_empty() {
        return Ok(Object::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        Ok(_) => Err("the arguments are no JSON object; use the tool again with one".to_owned()),
        Err(error) => Err(format!("the arguments are no JSON ({error}); use the tool again with a JSON object")),
    }
}

fn recorded(text: &str) -> String {
    if text.len() <= RECORDED_BYTES { text.to_owned() } else { json!({"shortened": text.len()}).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_or_an_explanation() {
        for (text, fields) in [("", 0), (" ", 0), ("{}", 0), (r#"{"time_zone":"UTC"}"#, 1)] {
            assert_eq!(arguments(text).expect(text).len(), fields);
        }
        for text in ["{\"time_zone\":", "[]", "7", "\"x\"", "null", "{'a':1}"] {
            assert!(arguments(text).expect_err(text).contains("JSON"), "{text}");
        }
    }
}
