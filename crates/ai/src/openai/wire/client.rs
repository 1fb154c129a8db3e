//! What goes up beside audio. Every message has an id of its own, which comes back in the `error` that it may cause.

use crate::openai::dialect::Dialect;
use serde_json::{Value, json};

/// What a message was for, as its id tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Instruct,
    Item,
    Respond,
    Cancel,
    Truncate,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::Instruct, Self::Item, Self::Respond, Self::Cancel, Self::Truncate];

    fn name(self) -> &'static str {
        match self {
            Self::Instruct => "instruct",
            Self::Item => "item",
            Self::Respond => "respond",
            Self::Cancel => "cancel",
            Self::Truncate => "truncate",
        }
    }

    /// Of the message with that id; `None` for ids that are not ours.
    pub fn of(event_id: &str) -> Option<Self> {
        let name = event_id.strip_prefix("callie-")?.split('-').next()?;
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// One entry of a conversation, as it is told to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Caller(String),
    Agent(String),
    /// Of the telephone system.
    Cue(String),
    Call {
        call_id: String,
        name: String,
        /// JSON.
        arguments: String,
    },
    Output {
        call_id: String,
        /// JSON.
        output: String,
    },
}

/// Writes messages and numbers them.
#[derive(Debug)]
pub struct Writer {
    spoken_text: String,
    cue_role: String,
    count: u64,
}

impl Writer {
    pub fn new(dialect: &Dialect) -> Self {
        Self { spoken_text: dialect.spoken_text.clone(), cue_role: dialect.cue_role.clone(), count: 0 }
    }

    pub fn item(&mut self, item: &Item) -> String {
        let message = |role: &str, content: Value| json!({"type": "message", "role": role, "content": [content]});
        let item = match item {
            Item::Caller(text) => message("user", json!({"type": "input_text", "text": text})),
            Item::Cue(text) => message(&self.cue_role, json!({"type": "input_text", "text": text})),
            Item::Agent(text) => message("assistant", json!({"type": self.spoken_text, "text": text})),
            Item::Call { call_id, name, arguments } => {
                json!({"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments})
            }
            Item::Output { call_id, output } => {
                json!({"type": "function_call_output", "call_id": call_id, "output": output})
            }
        };
        self.write(Purpose::Item, json!({"type": "conversation.item.create", "item": item}))
    }

    /// `instructions` take the place of the session's for this one response.
    pub fn respond(&mut self, instructions: Option<&str>) -> String {
        let mut message = json!({"type": "response.create"});
        if let Some(instructions) = instructions {
            message["response"] = json!({"instructions": instructions});
        }
        self.write(Purpose::Respond, message)
    }

    /// From now on the session has these instructions.
    pub fn instruct(&mut self, instructions: &str) -> String {
        self.write(Purpose::Instruct, json!({"type": "session.update", "session": {"instructions": instructions}}))
    }

    pub fn cancel(&mut self) -> String {
        self.write(Purpose::Cancel, json!({"type": "response.cancel"}))
    }

    /// So much of the item was heard.
    pub fn truncate(&mut self, item_id: &str, heard_ms: u64) -> String {
        let message =
            json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": heard_ms});
        self.write(Purpose::Truncate, message)
    }

    fn write(&mut self, purpose: Purpose, mut message: Value) -> String {
        self.count += 1;
        message["event_id"] = json!(format!("callie-{}-{}", purpose.name(), self.count));
        message.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(dialect: &str) -> Writer {
        Writer::new(&Dialect::named(dialect).expect("known"))
    }

    #[test]
    fn messages() {
        let mut writer = writer("openai");
        let call = Item::Call { call_id: "c-1".into(), name: "end_call".into(), arguments: "{}".into() };
        let output = Item::Output { call_id: "c-1".into(), output: r#"{"output":"done"}"#.into() };
        let written = [
            writer.item(&Item::Caller("A table \"for\" two".into())),
            writer.item(&Item::Agent("At eight?".into())),
            writer.item(&Item::Cue("(The caller pressed 5.)".into())),
            writer.item(&call),
            writer.item(&output),
            writer.respond(None),
            writer.respond(Some("Greet.")),
            writer.truncate("item_7", 1_840),
            writer.cancel(),
            writer.instruct("You are under way."),
        ];
        let written: Vec<Value> = written.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect();
        insta::assert_json_snapshot!(written);
    }

    #[test]
    fn dialects_differ_in_what_they_call_things() {
        let mut writer = writer("xai");
        assert!(writer.item(&Item::Agent("Hi".into())).contains(r#"{"text":"Hi","type":"text"}"#));
        assert!(writer.item(&Item::Cue("(…)".into())).contains(r#""role":"user""#));
    }

    #[test]
    fn an_id_tells_what_its_message_was_for() {
        for (id, purpose) in [
            ("callie-respond-12", Some(Purpose::Respond)),
            ("callie-truncate-1", Some(Purpose::Truncate)),
            ("callie-setup", None),
            ("event_12", None),
            ("", None),
        ] {
            assert_eq!(Purpose::of(id), purpose, "{id}");
        }
    }
}
