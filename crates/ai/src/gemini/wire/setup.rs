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
    /// With or without `models/` before it.
    pub model: &'a str,
    pub instruction: &'a str,
    pub voice: Option<&'a str>,
    /// Only where the operator asked for it: native-audio models choose the language by themselves.
    pub language_code: Option<&'a str>,
    pub tools: &'a Toolbox,
    /// Silence after which the service takes the caller's turn for finished, milliseconds.
    pub end_of_speech_ms: u32,
    /// 0 to 2.
    pub temperature: Option<f64>,
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
            "model": qualified(self.model),
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
        let tools: Vec<Value> = self.tools.iter().map(|tool| declaration(tool, family)).collect();
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

fn qualified(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
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

fn declaration(tool: &dyn Tool, family: Family) -> Value {
    let waits = tool.behaviour() == Behaviour::Waits && !family.tools_only_beside();
    json!({
        "name": tool.name(),
        "description": tool.description(),
        "behavior": if waits { "BLOCKING" } else { "NON_BLOCKING" },
        "parameters": openapi(tool.parameters()),
    })
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
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(model: &str) -> Value {
        let tools = Toolbox::default();
        let setup = Setup {
            model,
            instruction: "You answer the phone.",
            voice: Some("Kore"),
            language_code: None,
            tools: &tools,
            end_of_speech_ms: 600,
            temperature: None,
        };
        serde_json::from_str(&setup.message()).expect("JSON")
    }

    /// One golden file for each family: what they differ in is the point.
    #[test]
    fn a_setup_for_each_family() {
        for model in [
            "gemini-3.8-live",
            "gemini-3.8-live-extended-thinking",
            "gemini-3.1-flash-live-preview",
            "gemini-2.5-flash-native-audio-preview-12-2025",
            "gemini-9-live",
        ] {
            insta::assert_json_snapshot!(model, setup(model));
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_sent() {
        let tools = Toolbox::new(Vec::new());
        let bare = Setup {
            model: "projects/p/locations/l/publishers/google/models/m",
            instruction: "",
            voice: None,
            language_code: Some("de-DE"),
            tools: &tools,
            end_of_speech_ms: 600,
            temperature: Some(0.7),
        };
        let bare: Value = serde_json::from_str(&bare.message()).expect("JSON");
        assert_eq!(bare["setup"]["model"], "projects/p/locations/l/publishers/google/models/m");
        assert_eq!(bare["setup"]["generationConfig"]["speechConfig"], json!({"languageCode": "de-DE"}));
        assert_eq!(bare["setup"]["generationConfig"]["temperature"], 0.7);
        assert_eq!(setup("gemini-9-live")["setup"]["generationConfig"].get("temperature"), None);
        assert_eq!(bare["setup"].get("tools"), None);
    }
}
