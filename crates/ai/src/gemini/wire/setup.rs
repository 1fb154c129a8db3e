//! The first message of a session, built by model family: optional fields that a family refuses are left out, and where
//! defaults differ between families the wanted value is spelled out.

use crate::{
    gemini::family::Family,
    tools::{Behaviour, Tool, Toolbox},
};
use serde_json::{Map, Value, json};

/// What a session is set up with.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Its full name: `models/…`, or a resource of Vertex.
    pub model: &'a str,
    /// The session is Vertex's.
    pub vertex: bool,
    pub instruction: &'a str,
    pub voice: Option<&'a str>,
    /// Only where the operator asked for it: native-audio models choose the language by themselves.
    pub language_code: Option<&'a str>,
    pub tools: &'a Toolbox,
    /// Silence after which the service takes the caller's turn for finished, milliseconds.
    pub end_of_speech_ms: u32,
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// The session whose context this one takes up.
    pub resume: Option<&'a str>,
    /// The first `clientContent` is what was said before, and not to be answered.
    pub history: bool,
}

/// Tokens of context at which the service starts to drop the oldest, and what it keeps: the whole context is billed again
/// with each turn.
const COMPRESS_ABOVE: u32 = 25_600;
const COMPRESS_TO: u32 = 12_800;

impl Setup<'_> {
    /// The whole message.
    pub fn message(&self) -> String {
        let family = Family::of(self.model);
        let mut setup = json!({
            "model": self.model,
            "generationConfig": self.generation(family),
            "systemInstruction": {"parts": [{"text": self.instruction}]},
            "realtimeInputConfig": self.realtime_input(family),
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "contextWindowCompression": {
                "triggerTokens": COMPRESS_ABOVE,
                "slidingWindow": {"targetTokens": COMPRESS_TO},
            },
            "sessionResumption": {},
        });
        if let Some(handle) = self.resume {
            setup["sessionResumption"] = json!({"handle": handle});
        }
        if self.history {
            setup["historyConfig"] = json!({"initialHistoryInClientContent": true});
        }
        let behaves = !(self.vertex && family == Family::V25);
        let tools: Vec<Value> = self.tools.iter().map(|tool| declaration(tool, family, behaves)).collect();
        if !tools.is_empty() {
            setup["tools"] = json!([{"functionDeclarations": tools}]);
        }
        json!({"setup": setup}).to_string()
    }

    fn generation(&self, family: Family) -> Value {
        let mut generation = json!({"responseModalities": ["AUDIO"]});
        let mut speech = Map::new();
        if let Some(voice) = self.voice {
            speech.insert("voiceConfig".into(), json!({"prebuiltVoiceConfig": {"voiceName": voice}}));
        }
        if let Some(language) = self.language_code {
            speech.insert("languageCode".into(), json!(language));
        }
        if !speech.is_empty() {
            generation["speechConfig"] = Value::Object(speech);
        }
        if let Some(temperature) = self.temperature {
            generation["temperature"] = json!(temperature);
        }
        if let Some(thinking) = thinking(family) {
            generation["thinkingConfig"] = thinking;
        }
        generation
    }

    fn realtime_input(&self, family: Family) -> Value {
        let mut config = json!({
            "automaticActivityDetection": {
                "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
                "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH",
                "prefixPaddingMs": 100,
                "silenceDurationMs": self.end_of_speech_ms,
            },
            "activityHandling": "START_OF_ACTIVITY_INTERRUPTS",
        });
        if family != Family::Unknown {
            config["turnCoverage"] = json!("TURN_INCLUDES_ONLY_ACTIVITY");
        }
        config
    }
}

/// As little as the family allows: on a phone a second of silence is long.
fn thinking(family: Family) -> Option<Value> {
    match family {
        Family::V25 => Some(json!({"thinkingBudget": 0})),
        Family::V31 => Some(json!({"thinkingLevel": "MINIMAL"})),
        Family::V38Thinking => Some(json!({"thinkingLevel": "LOW"})),
        Family::V38 | Family::Unknown => None,
    }
}

/// `behaves`: the model knows that there are tools to wait for and tools to talk beside; without it all are waited for.
fn declaration(tool: &dyn Tool, family: Family, behaves: bool) -> Value {
    let waits = tool.behaviour() == Behaviour::Waits && !family.tools_only_beside();
    let mut declaration = json!({"name": tool.name(), "description": tool.description()});
    let parameters = tool.parameters();
    if is_in_subset(&parameters) {
        declaration["parameters"] = openapi(parameters);
    } else {
        declaration["parametersJsonSchema"] = parameters;
    }
    if behaves {
        declaration["behavior"] = json!(if waits { "BLOCKING" } else { "NON_BLOCKING" });
    }
    declaration
}

/// What the service's own subset of JSON Schema knows. One word more, and the session is refused (1007).
const SUBSET: [&str; 16] = [
    "type",
    "title",
    "description",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "default",
    "anyOf",
];

/// Whether every model takes it as `parameters`. Others go as `parametersJsonSchema`, whole.
fn is_in_subset(schema: &Value) -> bool {
    let is_known = |(name, value): (&String, &Value)| match name.as_str() {
        "type" => value.is_string(),
        "enum" => value.as_array().is_some_and(|values| values.iter().all(Value::is_string)),
        "items" => is_in_subset(value),
        "properties" => value.as_object().is_some_and(|named| named.values().all(is_in_subset)),
        "anyOf" => value.as_array().is_some_and(|schemas| schemas.iter().all(is_in_subset)),
        name => SUBSET.contains(&name),
    };
    schema.as_object().is_some_and(|fields| fields.iter().all(is_known))
}

/// JSON Schema to the service's own subset, which every model takes: the types are written in capitals.
fn openapi(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(kind) if name == "type" => (name, Value::String(kind.to_ascii_uppercase())),
                value => (name, openapi(value)),
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(openapi).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least that a session can be set up with.
    fn bare<'a>(model: &'a str, tools: &'a Toolbox) -> Setup<'a> {
        Setup {
            model,
            vertex: model.starts_with("projects/"),
            instruction: "You answer the phone.",
            voice: None,
            language_code: None,
            tools,
            end_of_speech_ms: 600,
            temperature: None,
            resume: None,
            history: false,
        }
    }

    fn value(setup: &Setup<'_>) -> Value {
        let message: Value = serde_json::from_str(&setup.message()).expect("JSON");
        message["setup"].clone()
    }

    /// One golden file for each family: what they differ in is the point.
    #[test]
    fn a_setup_for_each_family() {
        let tools = Toolbox::default();
        for model in [
            "models/gemini-3.8-live",
            "models/gemini-3.8-live-extended-thinking",
            "models/gemini-3.1-flash-live-preview",
            "models/gemini-2.5-flash-native-audio-preview-12-2025",
            "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio",
            "models/gemini-9-live",
        ] {
            let setup = Setup { voice: Some("Kore"), ..bare(model, &tools) };
            let name = if setup.vertex { "vertex" } else { model.trim_start_matches("models/") };
            insta::assert_json_snapshot!(name, json!({"setup": value(&setup)}));
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_sent() {
        let tools = Toolbox::new(Vec::new());
        let setup = Setup { language_code: Some("de-DE"), temperature: Some(0.7), ..bare("projects/p/models/m", &tools) };
        let setup = value(&setup);
        assert_eq!(setup["model"], "projects/p/models/m");
        assert_eq!(setup["generationConfig"]["speechConfig"], json!({"languageCode": "de-DE"}));
        assert_eq!(setup["generationConfig"]["temperature"], 0.7);
        let setup = value(&bare("models/gemini-9-live", &tools));
        assert_eq!(setup["generationConfig"], json!({"responseModalities": ["AUDIO"]}));
        assert_eq!((setup.get("tools"), setup.get("historyConfig")), (None, None));
    }

    #[test]
    fn compression_and_handles_are_asked_for_whatever_the_model() {
        let tools = Toolbox::default();
        for model in ["models/gemini-3.8-live", "models/gemini-live-2.5-flash", "projects/p/models/x", "models/other"] {
            let setup = value(&bare(model, &tools));
            assert!(setup["contextWindowCompression"]["slidingWindow"].is_object(), "{model}");
            assert_eq!(setup["sessionResumption"], json!({}), "{model}");
        }
    }

    #[test]
    fn schemas_that_the_subset_does_not_know_go_whole() {
        let object = |properties: Value| json!({"type": "object", "properties": properties});
        for (schema, is_known) in [
            (object(json!({})), true),
            (
                object(json!({"type": {"type": "string", "enum": ["a"]}, "n": {"type": "array", "items": {"type": "number"}}})),
                true,
            ),
            (object(json!({"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}})), true),
            (json!({"type": "object", "additionalProperties": false}), false),
            (json!({"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema"}), false),
            (object(json!({"a": {"type": ["string", "null"]}})), false),
            (object(json!({"a": {"enum": [1, 2]}})), false),
            (object(json!({"a": {"$ref": "#/$defs/A"}})), false),
            (object(json!({"a": {"type": "array", "items": true}})), false),
            (object(json!({"a": {"anyOf": [{"const": 1}]}})), false),
            (object(json!({"a": {"type": "string", "format": "uri"}})), false),
        ] {
            assert_eq!(is_in_subset(&schema), is_known, "{schema}");
        }
        let either = object(json!({"a": {"anyOf": [{"type": "string"}, {"type": "null"}], "enum": ["string"]}}));
        let property = json!({"anyOf": [{"type": "STRING"}, {"type": "NULL"}], "enum": ["string"]});
        assert_eq!(openapi(either), json!({"type": "OBJECT", "properties": {"a": property}}));
    }

    #[test]
    fn a_session_is_taken_up_or_told_of() {
        let tools = Toolbox::default();
        let resumed = value(&Setup { resume: Some("h-1"), ..bare("models/gemini-3.8-live", &tools) });
        assert_eq!(resumed["sessionResumption"], json!({"handle": "h-1"}));
        let told = value(&Setup { history: true, ..bare("models/gemini-3.8-live", &tools) });
        assert_eq!(told["historyConfig"], json!({"initialHistoryInClientContent": true}));
        assert_eq!(told["sessionResumption"], json!({}));
    }
}
