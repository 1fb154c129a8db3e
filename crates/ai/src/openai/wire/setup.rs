//! The first message of a session, from the dialect's template and what the call wants.

use crate::{
    openai::dialect::{Dialect, ToolShape, Values},
    tools::{Tool, Toolbox},
};
use serde_json::{Value, json};

/// What a call wants of its session.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    pub dialect: &'a Dialect,
    pub instructions: &'a str,
    /// The dialect's own where the user wants none.
    pub voice: Option<&'a str>,
    /// BCP 47.
    pub language: Option<&'a str>,
    pub tools: &'a Toolbox,
    pub turn_detection: &'a str,
    /// Silence after which the service takes the caller's turn for finished, milliseconds.
    pub end_of_speech_ms: u32,
    /// 0 to 2.
    pub temperature: Option<f64>,
}

/// Of the message; the answer to a faulty one names it.
pub const EVENT_ID: &str = "callie-setup";

impl Setup<'_> {
    /// The whole message; `None` when the dialect does not know the kind of turn detection.
    pub fn message(&self) -> Option<String> {
        let session = self.dialect.session(self.turn_detection, self.values())?;
        Some(json!({"type": "session.update", "event_id": EVENT_ID, "session": session}).to_string())
    }

    fn values(&self) -> Values {
        let tools: Vec<Value> = self.tools.iter().map(|tool| declaration(tool, self.dialect.tools)).collect();
        let mut values = Values::from([
            ("instructions", json!(self.instructions)),
            ("silence_ms", json!(self.end_of_speech_ms)),
            ("tools", json!(tools)),
        ]);
        let voice = self.voice.or(self.dialect.voice.as_deref());
        let words = [
            ("voice", voice),
            ("transcription", self.dialect.transcription.as_deref()),
            ("language_tag", self.language),
            // ISO 639-1, as the transcribing models want it.
            ("language", self.language.and_then(|tag| tag.split('-').next()).filter(|language| language.len() == 2)),
        ];
        values.extend(words.into_iter().filter_map(|(name, word)| Some((name, json!(word?)))));
        values.extend(self.temperature.map(|temperature| ("temperature", json!(temperature))));
        values
    }
}

fn declaration(tool: &dyn Tool, shape: ToolShape) -> Value {
    let mut function = json!({"name": tool.name(), "description": tool.description(), "parameters": tool.parameters()});
    match shape {
        ToolShape::Flat => {
            function["type"] = json!("function");
            function
        }
        ToolShape::Nested => json!({"type": "function", "function": function}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(dialect: &str, turn_detection: &str) -> Value {
        let (dialect, tools) = (Dialect::named(dialect).expect("known"), Toolbox::default());
        let setup = Setup {
            dialect: &dialect,
            instructions: "You answer the phone.",
            voice: None,
            language: Some("de-DE"),
            tools: &tools,
            turn_detection,
            end_of_speech_ms: 500,
            temperature: Some(0.75),
        };
        serde_json::from_str(&setup.message().expect("known")).expect("JSON")
    }

    /// One golden file for each dialect: what they differ in is the point.
    #[test]
    fn a_session_for_each_dialect() {
        for dialect in Dialect::names() {
            insta::assert_json_snapshot!(dialect.as_str(), session(&dialect, "server_vad"));
        }
    }

    #[test]
    fn turn_detection_is_the_operators_choice() {
        let detection = |kind| session("openai", kind)["session"]["audio"]["input"]["turn_detection"].clone();
        assert_eq!(detection("semantic_vad")["eagerness"], "auto");
        assert_eq!(detection("server_vad")["silence_duration_ms"], 500);
        assert!(Dialect::named("xai").expect("known").session("semantic_vad", Values::new()).is_none());
    }

    #[test]
    fn a_language_of_three_letters_is_not_passed_to_who_knows_two() {
        let (dialect, tools) = (Dialect::named("openai").expect("known"), Toolbox::new(Vec::new()));
        let setup = Setup {
            dialect: &dialect,
            instructions: "",
            voice: Some("cedar"),
            language: Some("gsw-CH"),
            tools: &tools,
            turn_detection: "server_vad",
            end_of_speech_ms: 500,
            temperature: None,
        };
        let message: Value = serde_json::from_str(&setup.message().expect("known")).expect("JSON");
        assert_eq!(message["session"]["audio"]["input"]["transcription"], json!({"model": "gpt-transcribe"}));
        assert_eq!(message["session"]["audio"]["output"]["voice"], "cedar");
        assert_eq!(message["session"]["tools"], json!([]));
    }
}
