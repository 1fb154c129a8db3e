//! What a client asked for, and what it may ask for. An update with anything wrong in it is refused as a whole.

use serde_json::{Value, json};
use std::time::Duration;

/// Why an event is not accepted; the session lives on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: String,
    pub message: String,
    pub param: Option<String>,
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), param: None }
    }

    pub fn unknown(param: String) -> Self {
        Self { message: format!("Unknown parameter: '{param}'."), param: Some(param), code: "unknown_parameter".to_owned() }
    }

    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.to_owned()), ..Self::new("invalid_value", message) }
    }
}

/// How audio travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Pcm24,
    Pcmu,
    Pcma,
}

/// What a session goes by.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    session: Value,
    pub input: Format,
    pub output: Format,
    pub detects: bool,
    /// After so much received silence the caller's turn is over.
    pub silence: Duration,
    pub creates_response: bool,
    pub interrupts: bool,
    pub transcribes: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            session: json!({}),
            input: Format::Pcm24,
            output: Format::Pcm24,
            detects: true,
            silence: Duration::from_millis(500),
            creates_response: true,
            interrupts: true,
            transcribes: false,
        }
    }
}

const VOICES: [&str; 10] = ["alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"];
const SERVER_VAD: [&str; 7] =
    ["type", "threshold", "prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response", "idle_timeout_ms"];
const SEMANTIC_VAD: [&str; 4] = ["type", "eagerness", "create_response", "interrupt_response"];

/// The fields that an object at this place may have; `None` where anything goes.
fn fields(place: &str) -> Option<&'static [&'static str]> {
    Some(match place {
        "session" => &[
            "type",
            "model",
            "instructions",
            "output_modalities",
            "audio",
            "tools",
            "tool_choice",
            "max_output_tokens",
            "include",
            "prompt",
            "reasoning",
            "parallel_tool_calls",
            "tracing",
            "truncation",
        ],
        "session.audio" => &["input", "output"],
        "session.audio.input" => &["format", "noise_reduction", "transcription", "turn_detection"],
        "session.audio.output" => &["format", "voice", "speed"],
        "session.audio.input.format" | "session.audio.output.format" => &["type", "rate"],
        "session.audio.input.noise_reduction" => &["type", "strength"],
        "session.audio.input.transcription" => &["model", "language", "languages", "prompt", "keywords", "delay"],
        "session.truncation" => &["type", "retention_ratio", "token_limits"],
        "session.truncation.token_limits" => &["post_instructions"],
        _ => return None,
    })
}

impl Terms {
    /// Takes an update, or nothing of it.
    pub fn update(&mut self, session: &Value) -> Result<(), Refusal> {
        check_fields("session", session)?;
        let at = |place: &str| session.pointer(place);
        if at("/type").and_then(Value::as_str) != Some("realtime") {
            return Err(Refusal {
                param: Some("session.type".to_owned()),
                ..Refusal::new("missing_required_parameter", "Missing required parameter: 'session.type'.")
            });
        }
        if at("/model").is_some() {
            return Err(Refusal::invalid("session.model", "Cannot change the model of a session."));
        }
        let mut next = self.clone();
        merge(&mut next.session, session);
        next.read(session)?;
        *self = next;
        Ok(())
    }

    /// The whole session, as `session.updated` shows it.
    pub fn shown(&self) -> Value {
        self.session.clone()
    }

    fn read(&mut self, session: &Value) -> Result<(), Refusal> {
        let at = |place: &str| session.pointer(place);
        if let Some(format) = at("/audio/input/format") {
            self.input = format_of("session.audio.input.format", format)?;
        }
        if let Some(format) = at("/audio/output/format") {
            self.output = format_of("session.audio.output.format", format)?;
        }
        if let Some(voice) = at("/audio/output/voice").and_then(Value::as_str)
            && !VOICES.contains(&voice)
        {
            let message = format!("Invalid value: '{voice}'. Supported values are: {}.", VOICES.join(", "));
            return Err(Refusal::invalid("session.audio.output.voice", message));
        }
        if at("/output_modalities").is_some_and(|modalities| *modalities != json!(["audio"]) && *modalities != json!(["text"])) {
            return Err(Refusal::invalid("session.output_modalities", "Supported combinations are: ['text'] and ['audio']."));
        }
        if let Some(tokens) = at("/max_output_tokens") {
            let fits = tokens.as_u64().is_some_and(|tokens| (1..=4_096).contains(&tokens)) || tokens == "inf";
            fits.then_some(()).ok_or_else(|| Refusal::invalid("session.max_output_tokens", "Out of range."))?;
        }
        if let Some(transcription) = at("/audio/input/transcription") {
            self.transcribes = !transcription.is_null();
        }
        if let Some(detection) = at("/audio/input/turn_detection") {
            self.read_detection(detection)?;
        }
        at("/tools").and_then(Value::as_array).into_iter().flatten().try_for_each(check_tool)
    }

    fn read_detection(&mut self, detection: &Value) -> Result<(), Refusal> {
        let place = "session.audio.input.turn_detection";
        self.detects = !detection.is_null();
        let allowed: &[&str] = match detection["type"].as_str() {
            Some("server_vad") => &SERVER_VAD,
            Some("semantic_vad") => &SEMANTIC_VAD,
            None if detection.is_null() => return Ok(()),
            _ => return Err(Refusal::invalid(&format!("{place}.type"), "Supported values are: server_vad, semantic_vad.")),
        };
        only(place, detection, allowed)?;
        let flag = |name: &str| detection[name].as_bool().unwrap_or(true);
        (self.creates_response, self.interrupts) = (flag("create_response"), flag("interrupt_response"));
        let silence_ms = detection["silence_duration_ms"].as_u64().unwrap_or(500);
        self.silence = Duration::from_millis(silence_ms);
        Ok(())
    }
}

fn check_fields(place: &str, value: &Value) -> Result<(), Refusal> {
    let Some(allowed) = fields(place) else { return Ok(()) };
    only(place, value, allowed)?;
    value.as_object().into_iter().flatten().try_for_each(|(name, field)| check_fields(&format!("{place}.{name}"), field))
}

/// No other fields than these.
pub(super) fn only(place: &str, value: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    let unknown = value.as_object().into_iter().flatten().find(|(name, _)| !allowed.contains(&name.as_str()));
    unknown.map_or(Ok(()), |(name, _)| Err(Refusal::unknown(format!("{place}.{name}"))))
}

fn format_of(place: &str, format: &Value) -> Result<Format, Refusal> {
    match (format["type"].as_str(), &format["rate"]) {
        (Some("audio/pcm"), rate) if *rate == 24_000 => Ok(Format::Pcm24),
        (Some("audio/pcm"), _) => Err(Refusal::invalid(&format!("{place}.rate"), "The sample rate must be 24000.")),
        (Some("audio/pcmu"), Value::Null) => Ok(Format::Pcmu),
        (Some("audio/pcma"), Value::Null) => Ok(Format::Pcma),
        (Some("audio/pcmu" | "audio/pcma"), _) => Err(Refusal::unknown(format!("{place}.rate"))),
        _ => Err(Refusal::invalid(&format!("{place}.type"), "Supported values are: audio/pcm, audio/pcmu, audio/pcma.")),
    }
}

fn check_tool(tool: &Value) -> Result<(), Refusal> {
    match tool["type"].as_str() {
        Some("function") => {
            only("session.tools", tool, &["type", "name", "description", "parameters"])?;
            let named = tool["name"].as_str().is_some_and(|name| !name.is_empty());
            named
                .then_some(())
                .ok_or_else(|| Refusal::new("missing_required_parameter", "Missing required parameter: 'session.tools[0].name'."))
        }
        Some("mcp") => Ok(()),
        _ => Err(Refusal::invalid("session.tools.type", "Supported values are: function, mcp.")),
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, field) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), field);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn check(session: Value, wanted: Option<(&str, Option<&str>)>) {
        let refused = Terms::default().update(&session).err();
        let refused = refused.as_ref().map(|refusal| (refusal.code.as_str(), refusal.param.as_deref()));
        assert_eq!(refused, wanted, "{session}");
    }

    #[test]
    fn updates_are_taken_whole_or_not_at_all() {
        let unknown = |param| Some(("unknown_parameter", Some(param)));
        check(json!({"type": "realtime", "instructions": "x"}), None);
        check(json!({"instructions": "x"}), Some(("missing_required_parameter", Some("session.type"))));
        check(json!({"type": "realtime", "temperature": 0.8}), unknown("session.temperature"));
        check(json!({"type": "realtime", "voice": "marin"}), unknown("session.voice"));
        check(json!({"type": "realtime", "modalities": ["audio"]}), unknown("session.modalities"));
        check(json!({"type": "realtime", "model": "m"}), Some(("invalid_value", Some("session.model"))));
        let input = |input: Value| json!({"type": "realtime", "audio": {"input": input}});
        check(input(json!({"format": {"type": "audio/pcmu"}})), None);
        check(input(json!({"format": {"type": "audio/pcmu", "rate": 8000}})), unknown("session.audio.input.format.rate"));
        check(
            input(json!({"format": {"type": "audio/pcm", "rate": 16_000}})),
            Some(("invalid_value", Some("session.audio.input.format.rate"))),
        );
        check(input(json!({"sample_rate": 8000})), unknown("session.audio.input.sample_rate"));
        check(
            input(json!({"turn_detection": {"type": "server_vad", "eagerness": "low"}})),
            unknown("session.audio.input.turn_detection.eagerness"),
        );
        check(
            input(json!({"turn_detection": {"type": "semantic_vad", "threshold": 0.5}})),
            unknown("session.audio.input.turn_detection.threshold"),
        );
        check(input(json!({"turn_detection": null})), None);
        check(
            json!({"type": "realtime", "audio": {"output": {"voice": "Kore"}}}),
            Some(("invalid_value", Some("session.audio.output.voice"))),
        );
        check(json!({"type": "realtime", "tools": [{"type": "function", "function": {}}]}), unknown("session.tools.function"));
    }

    #[test]
    fn partial_updates_are_merged() {
        let mut terms = Terms::default();
        terms.update(&json!({"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}})).expect("taken");
        terms.update(&json!({"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcma"}}}})).expect("taken");
        assert_eq!((terms.input, terms.output), (Format::Pcmu, Format::Pcma));
        assert_eq!(terms.shown().pointer("/audio/input/format/type"), Some(&json!("audio/pcmu")));
    }
}
