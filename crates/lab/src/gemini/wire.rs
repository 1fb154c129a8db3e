//! What a client may send, field by field, as the service reads proto3 JSON: canonical or snake_case names, nothing unknown,
//! nothing of a wrong type. Which of it a model understands is in `setup`.

use crate::realtime::End;
use serde_json::{Map, Value};

/// Why the socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: u16,
    pub reason: String,
}

impl Refusal {
    /// 1007: what was sent makes no sense.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self { code: 1007, reason: reason.into() }
    }
}

impl From<Refusal> for End {
    fn from(Refusal { code, reason }: Refusal) -> Self {
        Self::Closes { code, reason }
    }
}

enum Kind {
    Message(&'static [Field]),
    List(&'static Kind),
    /// Any names, values of one kind.
    Named(&'static Kind),
    Text,
    Number,
    Flag,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Any JSON object.
    Object,
    /// Any JSON value.
    Any,
}

struct Field(&'static str, &'static Kind);

use Kind::{Any, Choice, Flag, List, Message, Named, Number, Object, Text};

static CLIENT_MESSAGE: Kind = Message(&[
    Field("setup", &SETUP),
    Field("clientContent", &CLIENT_CONTENT),
    Field("realtimeInput", &REALTIME_INPUT),
    Field("toolResponse", &TOOL_RESPONSE),
    Field("contextUpdate", &CONTEXT_UPDATE),
]);

static SETUP: Kind = Message(&[
    Field("model", &Text),
    Field("generationConfig", &GENERATION),
    Field("systemInstruction", &CONTENT),
    Field("tools", &List(&TOOL)),
    Field("realtimeInputConfig", &REALTIME_CONFIG),
    Field("inputAudioTranscription", &TRANSCRIPTION),
    Field("outputAudioTranscription", &TRANSCRIPTION),
    Field("contextWindowCompression", &COMPRESSION),
    Field("sessionResumption", &Message(&[Field("handle", &Text), Field("transparent", &Flag)])),
    Field("proactivity", &Message(&[Field("proactiveAudio", &Flag)])),
    Field("historyConfig", &Message(&[Field("initialHistoryInClientContent", &Flag)])),
    Field("safetySettings", &List(&Object)),
    Field("labels", &Named(&Text)),
]);

static GENERATION: Kind = Message(&[
    Field("responseModalities", &List(&Choice(&["AUDIO", "TEXT", "IMAGE"]))),
    Field("temperature", &Number),
    Field("topP", &Number),
    Field("topK", &Number),
    Field("candidateCount", &Number),
    Field("maxOutputTokens", &Number),
    Field("presencePenalty", &Number),
    Field("frequencyPenalty", &Number),
    Field("seed", &Number),
    Field("mediaResolution", &Text),
    Field("speechConfig", &SPEECH),
    Field("thinkingConfig", &THINKING),
    Field("enableAffectiveDialog", &Flag),
    Field("translationConfig", &Object),
]);

static SPEECH: Kind = Message(&[
    Field("languageCode", &Text),
    Field("voiceConfig", &Message(&[Field("prebuiltVoiceConfig", &Message(&[Field("voiceName", &Choice(VOICES))]))])),
]);

static VOICES: &[&str] = &[
    "Zephyr",
    "Puck",
    "Charon",
    "Kore",
    "Fenrir",
    "Leda",
    "Orus",
    "Aoede",
    "Callirrhoe",
    "Autonoe",
    "Enceladus",
    "Iapetus",
    "Umbriel",
    "Algieba",
    "Despina",
    "Erinome",
    "Algenib",
    "Rasalgethi",
    "Laomedeia",
    "Achernar",
    "Alnilam",
    "Schedar",
    "Gacrux",
    "Pulcherrima",
    "Achird",
    "Zubenelgenubi",
    "Vindemiatrix",
    "Sadachbia",
    "Sadaltager",
    "Sulafat",
];

static THINKING: Kind = Message(&[
    Field("thinkingLevel", &Choice(&["MINIMAL", "LOW", "MEDIUM", "HIGH", "minimal", "low", "medium", "high"])),
    Field("thinkingBudget", &Number),
    Field("includeThoughts", &Flag),
]);

static CONTENT: Kind = Message(&[
    Field("role", &Text),
    Field("parts", &List(&Message(&[Field("text", &Text), Field("inlineData", &BLOB), Field("thought", &Flag)]))),
]);

static BLOB: Kind = Message(&[Field("mimeType", &Text), Field("data", &Text)]);

static TOOL: Kind = Message(&[Field("functionDeclarations", &List(&FUNCTION)), Field("googleSearch", &Message(&[]))]);

static FUNCTION: Kind = Message(&[
    Field("name", &Text),
    Field("description", &Text),
    Field("behavior", &Choice(&["BLOCKING", "NON_BLOCKING"])),
    Field("parameters", &SCHEMA),
    Field("parametersJsonSchema", &Any),
    Field("response", &SCHEMA),
    Field("responseJsonSchema", &Any),
]);

static SCHEMA: Kind = Message(&[
    Field("type", &Choice(&["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"])),
    Field("format", &Text),
    Field("title", &Text),
    Field("description", &Text),
    Field("nullable", &Flag),
    Field("enum", &List(&Text)),
    Field("items", &SCHEMA),
    Field("minItems", &Number),
    Field("maxItems", &Number),
    Field("properties", &Named(&SCHEMA)),
    Field("required", &List(&Text)),
    Field("propertyOrdering", &List(&Text)),
    Field("minimum", &Number),
    Field("maximum", &Number),
    Field("minLength", &Number),
    Field("maxLength", &Number),
    Field("pattern", &Text),
    Field("default", &Any),
    Field("example", &Any),
    Field("anyOf", &List(&SCHEMA)),
]);

static REALTIME_CONFIG: Kind = Message(&[
    Field(
        "automaticActivityDetection",
        &Message(&[
            Field("disabled", &Flag),
            Field("startOfSpeechSensitivity", &Choice(&["START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"])),
            Field("endOfSpeechSensitivity", &Choice(&["END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"])),
            Field("prefixPaddingMs", &Number),
            Field("silenceDurationMs", &Number),
        ]),
    ),
    Field("activityHandling", &Choice(&["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"])),
    Field(
        "turnCoverage",
        &Choice(&["TURN_INCLUDES_ONLY_ACTIVITY", "TURN_INCLUDES_ALL_INPUT", "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"]),
    ),
]);

static TRANSCRIPTION: Kind = Message(&[
    Field("languageCodes", &List(&Text)),
    Field("customVocabulary", &Any),
    Field("adaptationPhrases", &List(&Text)),
    Field("wordTimestamp", &Flag),
    Field("diarization", &Any),
    Field("mode", &Text),
]);

static COMPRESSION: Kind =
    Message(&[Field("triggerTokens", &Number), Field("slidingWindow", &Message(&[Field("targetTokens", &Number)]))]);

static CLIENT_CONTENT: Kind = Message(&[Field("turns", &List(&CONTENT)), Field("turnComplete", &Flag)]);

static REALTIME_INPUT: Kind = Message(&[
    Field("audio", &BLOB),
    Field("video", &BLOB),
    Field("text", &Text),
    Field("mediaChunks", &List(&BLOB)),
    Field("audioStreamEnd", &Flag),
    Field("activityStart", &Message(&[])),
    Field("activityEnd", &Message(&[])),
]);

static TOOL_RESPONSE: Kind = Message(&[Field(
    "functionResponses",
    &List(&Message(&[
        Field("id", &Text),
        Field("name", &Text),
        Field("response", &Object),
        Field("scheduling", &Choice(&["SILENT", "WHEN_IDLE", "INTERRUPT"])),
        Field("willContinue", &Flag),
    ])),
)]);

static CONTEXT_UPDATE: Kind =
    Message(&[Field("systemInstruction", &CONTENT), Field("tools", &Message(&[Field("tools", &List(&TOOL))]))]);

/// Reads a client message: its one field by its canonical name, and what is in it with canonical names.
pub(super) fn read(text: &[u8]) -> Result<(String, Value), Refusal> {
    let message: Value =
        serde_json::from_slice(text).map_err(|error| Refusal::invalid(format!("Invalid JSON payload received. {error}")))?;
    let Value::Object(fields) = checked(message, &CLIENT_MESSAGE, "")? else {
        return Err(Refusal::invalid("Invalid JSON payload received. An object is expected"));
    };
    let mut fields = fields.into_iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => Ok(field),
        (None, _) => Err(Refusal::invalid("Invalid value: the oneof 'message_type' is not set")),
        (Some((first, _)), Some((second, _))) => {
            Err(Refusal::invalid(format!("Invalid value: oneof field 'message_type' is already set: '{first}' and '{second}'")))
        }
    }
}

/// The value with canonical names and without nulls.
fn checked(value: Value, kind: &Kind, path: &str) -> Result<Value, Refusal> {
    match (kind, value) {
        (Message(fields), Value::Object(object)) => message(object, fields, path),
        (List(inner), Value::Array(items)) => {
            let item = |(index, item)| checked(item, inner, &format!("{path}[{index}]"));
            items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Value::Array)
        }
        (Named(inner), Value::Object(object)) => {
            let entry = |(name, value): (String, Value)| checked(value, inner, &join(path, &name)).map(|value| (name, value));
            object.into_iter().map(entry).collect::<Result<_, _>>().map(Value::Object)
        }
        (Choice(names), Value::String(name)) if names.contains(&name.as_str()) => Ok(Value::String(name)),
        (Number, Value::String(digits)) if digits.parse::<i64>().is_ok() => Ok(Value::String(digits)),
        (Any, value)
        | (Text, value @ Value::String(_))
        | (Flag, value @ Value::Bool(_))
        | (Number, value @ Value::Number(_))
        | (Object, value @ Value::Object(_)) => Ok(value),
        (_, value) => Err(Refusal::invalid(format!("Invalid value at '{path}': {}", clipped(&value.to_string())))),
    }
}

fn message(object: Map<String, Value>, fields: &[Field], path: &str) -> Result<Value, Refusal> {
    let mut read = Map::new();
    for (name, value) in object {
        let canonical = camel_case(&name);
        let Some(Field(_, kind)) = fields.iter().find(|Field(known, _)| *known == canonical) else {
            let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            return Err(Refusal::invalid(format!(
                "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
            )));
        };
        if !value.is_null() {
            let value = checked(value, kind, &join(path, &canonical))?;
            read.insert(canonical, value);
        }
    }
    Ok(Value::Object(read))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut whole, part| {
        let mut letters = part.chars();
        whole.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        whole.push_str(letters.as_str());
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(message: Value, wanted: Result<&str, &str>) {
        let read = read(message.to_string().as_bytes());
        match (&read, wanted) {
            (Ok((name, _)), Ok(wanted)) => assert_eq!(name, wanted),
            (Err(refusal), Err(part)) => {
                assert!(refusal.code == 1007 && refusal.reason.contains(part), "{refusal:?} for {message}");
            }
            _ => panic!("{read:?} for {message}"),
        }
    }

    #[test]
    fn known_fields_pass_in_either_spelling() {
        check(json!({"realtimeInput": {"text": "hi"}}), Ok("realtimeInput"));
        check(json!({"realtime_input": {"audio": {"mime_type": "audio/pcm", "data": ""}}}), Ok("realtimeInput"));
        check(json!({"toolResponse": {"functionResponses": [{"id": "1", "response": {"any": ["thing"]}}]}}), Ok("toolResponse"));
        check(json!({"setup": {"model": "models/x", "labels": {"a_b": "c"}, "tools": null}}), Ok("setup"));
        let (_, setup) = read(br#"{"setup": {"generation_config": {"max_output_tokens": "7"}}}"#).expect("valid");
        assert_eq!(setup, json!({"generationConfig": {"maxOutputTokens": "7"}}));
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        check(json!({"audio": {}}), Err("\"audio\""));
        check(json!({"setup": {"generationConfig": {"voice": "Kore"}}}), Err("\"voice\" at 'setup.generationConfig'"));
        check(json!({"setup": {"tools": [{"codeExecution": {}}]}}), Err("\"codeExecution\" at 'setup.tools[0]'"));
        check(json!({"setup": {"explicitVadSignal": true}}), Err("\"explicitVadSignal\""));
        check(json!({"setup": {"systemInstruction": "text"}}), Err("'setup.systemInstruction'"));
        check(json!({"setup": {"model": 7}}), Err("'setup.model'"));
        check(json!({"realtimeInput": {"text": "a"}, "setup": {}}), Err("already set"));
        check(json!({}), Err("not set"));
        check(json!([]), Err("''"));
        assert!(read(b"{\"setup\"").is_err_and(|refusal| refusal.code == 1007));
    }
}
