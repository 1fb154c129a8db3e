//! What services that speak OpenAI's protocol do differently, as data: `dialects.json`, compiled in, with its sources.
//!
//! The session that is asked for is a template in there. A text that begins with `$` stands for a value of the call; a field
//! whose value is not known is left out, and so is an object that consists of such fields only.

use callie_media::codec::G711;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const DIALECTS: &str = include_str!("dialects.json");

/// One service, or one kind of service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// For people.
    pub title: String,
    /// Where the rest of this was read.
    pub sources: Vec<String>,
    /// Up to `/v1`; `None`: everybody has another.
    pub base_url: Option<String>,
    /// Where nobody names one.
    pub model: Option<String>,
    pub voice: Option<String>,
    /// Those that are known; there may be others.
    #[serde(default)]
    pub voices: Vec<String>,
    #[serde(default)]
    pub models: Vec<String>,
    /// The model that writes down what the caller says.
    pub transcription: Option<String>,
    pub key: Key,
    pub input: Format,
    pub output: Format,
    /// What `session.update` asks for.
    session: Value,
    /// What may stand in it for `$turn_detection`, by name.
    turn_detection: Map<String, Value>,
    pub tools: ToolShape,
    /// The content type of what the agent has said, in an item that we create.
    pub spoken_text: String,
    /// As whom the telephone system speaks to the model.
    pub cue_role: String,
    /// Items can be added to the conversation; otherwise what is to be told goes into the instructions.
    pub takes_items: bool,
    /// `response.create` takes instructions of its own.
    pub takes_instructions: bool,
    /// `conversation.item.truncate` is understood.
    pub truncates: bool,
    /// `session.updated` can be relied upon.
    pub confirms_update: bool,
    /// How long a session lives, as far as it is known.
    pub session_minutes: Option<u32>,
}

/// How the key travels.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// In lower case.
    pub header: String,
    /// Before the key.
    pub scheme: String,
    pub required: bool,
}

/// How tools are declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolShape {
    /// `{"type": "function", "name": …}`
    Flat,
    /// `{"type": "function", "function": {"name": …}}`
    Nested,
}

/// How audio travels, in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pcmu,
    Pcma,
    /// Little-endian samples of 16 bits, at 16 kHz.
    Pcm16000,
    Pcm24000,
}

impl Format {
    pub fn hertz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Pcm16000 => 16_000,
            Self::Pcm24000 => 24_000,
        }
    }

    pub fn law(self) -> Option<G711> {
        match self {
            Self::Pcmu => Some(G711::Pcmu),
            Self::Pcma => Some(G711::Pcma),
            Self::Pcm16000 | Self::Pcm24000 => None,
        }
    }

    pub fn bytes_per_sample(self) -> usize {
        if self.law().is_some() { 1 } else { 2 }
    }
}

/// Values of a call for the templates, by name without the `$`.
pub type Values = BTreeMap<&'static str, Value>;

impl Dialect {
    /// That of OpenAI itself.
    pub const DEFAULT: &'static str = "openai";

    pub fn named(name: &str) -> Option<Self> {
        all().remove(name)
    }

    /// The names there are, in alphabetical order.
    pub fn names() -> Vec<String> {
        all().into_keys().collect()
    }

    /// The kinds of turn detection it knows, by name.
    pub fn turn_detections(&self) -> impl Iterator<Item = &str> {
        self.turn_detection.keys().map(String::as_str)
    }

    /// The session that is asked for has a place for it.
    pub fn takes_temperature(&self) -> bool {
        self.session.to_string().contains("\"$temperature\"")
    }

    /// The session to ask for. `None` when it does not know that kind of turn detection.
    pub fn session(&self, turn_detection: &str, mut values: Values) -> Option<Value> {
        let detection = filled(self.turn_detection.get(turn_detection)?, &values)?;
        values.insert("turn_detection", detection);
        filled(&self.session, &values)
    }
}

fn all() -> BTreeMap<String, Dialect> {
    // The file is part of the program, and a test reads it.
    serde_json::from_str(DIALECTS).unwrap_or_default()
}

fn filled(template: &Value, values: &Values) -> Option<Value> {
    match template {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => values.get(name).cloned(),
            None => Some(template.clone()),
        },
        Value::Object(fields) => {
            let kept: Map<_, _> =
                fields.iter().filter_map(|(name, field)| Some((name.clone(), filled(field, values)?))).collect();
            (!kept.is_empty() || fields.is_empty()).then_some(Value::Object(kept))
        }
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_dialect_is_whole() {
        assert_eq!(Dialect::names(), ["azure", "generic", "localai", "openai", "qwen", "xai"]);
        for name in Dialect::names() {
            let dialect = Dialect::named(&name).expect("there");
            assert!(dialect.sources.iter().all(|source| source.len() > 10), "{name}");
            assert!(dialect.takes_items || dialect.takes_instructions, "{name}: it can be told something");
            assert!(dialect.turn_detections().any(|kind| kind == "server_vad"), "{name}");
            let usual =
                |usual: &Option<String>, known: &[String]| known.is_empty() || usual.iter().all(|usual| known.contains(usual));
            assert!(
                usual(&dialect.voice, &dialect.voices) && usual(&dialect.model, &dialect.models),
                "{name}: its own are known"
            );
            assert_eq!(dialect.takes_temperature(), name == "qwen", "{name}");
            assert!(["system", "user"].contains(&dialect.cue_role.as_str()), "{name}");
            assert_eq!(dialect.key.header, dialect.key.header.to_lowercase(), "{name}");
            let known = dialect.session("server_vad", Values::new()).expect("a session");
            assert!(!known.to_string().contains('$'), "{name}: {known}");
        }
        assert!(Dialect::named("klingon").is_none());
    }

    /// What the audio is taken for must be what the session asks for.
    #[test]
    fn formats_agree_with_the_sessions() {
        for name in Dialect::names() {
            let dialect = Dialect::named(&name).expect("there");
            for (side, format) in [("input", dialect.input), ("output", dialect.output)] {
                let asked = match dialect.session.pointer(&format!("/audio/{side}/format")) {
                    Some(asked) => asked.clone(),
                    None => dialect.session[format!("{side}_audio_format")].clone(),
                };
                let expected = match format {
                    Format::Pcmu => json!({"type": "audio/pcmu"}),
                    Format::Pcma => json!({"type": "audio/pcma"}),
                    _ if asked.is_string() => json!("pcm"),
                    _ => json!({"type": "audio/pcm", "rate": format.hertz()}),
                };
                assert_eq!(asked, expected, "{name} {side}");
            }
        }
    }

    #[test]
    fn templates_are_filled_and_what_is_not_known_is_left_out() {
        let template = json!({"a": "$a", "b": {"c": "$c", "d": "$d"}, "e": {"f": "$f"}, "g": null, "h": "plain", "i": {}});
        let values = Values::from([("a", json!([1])), ("c", json!("x"))]);
        assert_eq!(filled(&template, &values), Some(json!({"a": [1], "b": {"c": "x"}, "g": null, "h": "plain", "i": {}})));
    }
}
