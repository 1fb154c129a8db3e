//! The agent takes a message for its user.

use super::{Behaviour, Effect, Object, Outcome, Tool, Work};
use callie_domain::record::Message;
use serde_json::{Value, json};

/// Longest message and longest name or number, characters.
const LONGEST_TEXT: usize = 2_000;
const LONGEST_NAME: usize = 128;

/// Notes a message, once the model knows what it is about.
#[derive(Debug, Clone, Copy)]
pub struct TakeMessage;

impl TakeMessage {
    pub const NAME: &'static str = "take_message";
}

impl Tool for TakeMessage {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Notes a message for the one you speak for. Use it once you know who calls and what about, and have read it back. Only \
         what you give to this tool is passed on."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "message": {"type": "string", "description": "What is to be passed on, in full sentences."},
                "name": {"type": "string", "description": "Who left it."},
                "number": {"type": "string", "description": "Where they want to be called back, if they named a number."}
            },
            "required": ["message"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn call(&self, arguments: &Object) -> Work {
        let text = |name: &str, longest| {
            let text = arguments.get(name).and_then(Value::as_str).unwrap_or_default();
            one_line(text, longest)
        };
        let Some(message) = text("message", LONGEST_TEXT) else {
            return Outcome::error("message is empty: say what is to be passed on", true).into();
        };
        let message =
            Message { name: text("name", LONGEST_NAME), number: text("number", LONGEST_NAME), text: message, listen: false };
        let effect = Some(Effect::Message(message));
        Outcome { effect, ..Outcome::output("The message is noted and will be passed on.") }.into()
    }
}

/// Without control characters, and no longer than that; `None` when nothing is left.
fn one_line(text: &str, longest: usize) -> Option<String> {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean: String = clean.trim().chars().take(longest).collect();
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(arguments: Value) -> Option<Message> {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        match TakeMessage.call(&arguments).done() {
            Outcome { effect: Some(Effect::Message(message)), .. } => Some(message),
            outcome => {
                assert!(outcome.is_error());
                None
            }
        }
    }

    #[test]
    fn a_message_needs_words_and_nothing_else() {
        let message = taken(json!({"message": " The boiler\r\nleaks. ", "name": "Maria", "number": ""}));
        let wanted = Message { name: Some("Maria".into()), text: "The boiler  leaks.".into(), ..Message::default() };
        assert_eq!(message, Some(wanted));
        for empty in [json!({}), json!({"message": " \n"}), json!({"message": 7, "name": "Maria"})] {
            assert_eq!(taken(empty), None);
        }
        let long = taken(json!({"message": "ä".repeat(5_000), "name": "n".repeat(5_000)})).expect("taken");
        assert_eq!((long.text.chars().count(), long.name.map(|name| name.len())), (LONGEST_TEXT, Some(LONGEST_NAME)));
    }
}
