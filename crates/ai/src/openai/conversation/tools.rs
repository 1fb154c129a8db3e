//! The calls of a response. Every one is answered, whatever is wrong with it: an unanswered one makes a model deaf. Then the
//! service is asked to go on, once.

use super::{Conversation, responses::Wish};
use crate::{
    EngineEvent,
    openai::wire::{client::Item, server},
    tools::{Effect, Object, Outcome},
};
use serde_json::Value;
use std::time::Instant;

/// Longest arguments and results kept for the record, bytes of JSON.
const RECORDED_BYTES: usize = 4_096;
/// Calls of one response that are carried out; the rest is answered with an error.
const CALLS: usize = 16;

impl Conversation {
    /// The response is over and whole. `spoke`: there was speech in it.
    pub(super) fn use_tools(&mut self, calls: Vec<server::Item>, spoke: bool, now: Instant) {
        let (mut ends, mut wants_words, mut wants_answer) = (false, false, false);
        for (count, call) in calls.into_iter().enumerate() {
            let outcome = match arguments(&call.arguments) {
                _ if count >= CALLS => Outcome::error("too many calls at once; make fewer", true),
                Ok(arguments) => self.tools.call(&call.name, &arguments),
                Err(why) => Outcome::error(why, true),
            };
            ends |= outcome.ends_call;
            match &outcome.effect {
                Some(Effect::Transfer { .. }) => wants_words = true,
                // The human has been spoken to, and is to hear nothing more.
                Some(Effect::Decide { .. }) => {}
                None => wants_answer |= !outcome.ends_call,
            }
            self.answer(&call, outcome);
        }
        if ends {
            self.farewell.agent_hangs_up(now);
            if spoke {
                return self.goodbye();
            }
            wants_answer = true;
        }
        self.announces = wants_words && !spoke;
        if wants_answer || self.announces {
            self.vigil.answer_is_due(now);
            self.responses.wish(Wish::Answer);
        } else {
            self.vigil.answered();
        }
    }

    /// The caller spoke over the response: nothing was done.
    pub(super) fn decline_tools(&mut self, calls: Vec<server::Item>) {
        for call in calls.into_iter().filter(|call| call.status != "incomplete") {
            let outcome = Outcome::error("not done: the caller spoke; use it again if it is still wanted", true);
            self.answer(&call, outcome);
        }
    }

    fn answer(&mut self, call: &server::Item, outcome: Outcome) {
        let name: String = call.name.chars().take(128).collect();
        let result = Value::Object(outcome.result).to_string();
        let output = Item::Output { call_id: call.call_id.clone(), output: result.clone() };
        let message = self.writer.item(&output);
        self.send(message);
        self.items.told(Item::Call { call_id: call.call_id.clone(), name: name.clone(), arguments: recorded(&call.arguments) });
        self.items.told(output);
        self.events.push_back(EngineEvent::ToolUsed { name, arguments: recorded(&call.arguments), result: recorded(&result) });
        self.events.extend(outcome.effect.map(|effect| match effect {
            Effect::Transfer { target } => EngineEvent::Transfer { target },
            Effect::Decide { accepted } => EngineEvent::TransferDecision { accepted },
        }));
    }
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

fn recorded(json: &str) -> String {
    if json.len() <= RECORDED_BYTES { json.to_owned() } else { serde_json::json!({"shortened": json.len()}).to_string() }
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
