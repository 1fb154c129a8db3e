//! What a client sends, read and checked.

use super::terms::{Format, Refusal, only};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callie_media::codec::G711;
use callie_media::resample::{Down24To16, Up8To16};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug)]
pub(super) enum Input {
    /// Base64, not looked into.
    Audio(String),
    Event {
        kind: String,
        event: Value,
    },
}

/// The form of nearly all messages; what does not match it takes the long way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Append<'a> {
    #[serde(borrow, rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    audio: &'a str,
}

/// Reads a message. The refusal comes with the client's id of it.
pub(super) fn read(message: &[u8]) -> Result<Input, (Refusal, Option<String>)> {
    if let Ok(Append { kind: "input_audio_buffer.append", audio }) = serde_json::from_slice(message) {
        return Ok(Input::Audio(audio.to_owned()));
    }
    let event: Value =
        serde_json::from_slice(message).map_err(|_| (Refusal::new("invalid_json", "The event is no valid JSON."), None))?;
    let id = event["event_id"].as_str().map(str::to_owned);
    let kind = event["type"].as_str().unwrap_or_default().to_owned();
    match check(&kind, &event) {
        Ok(()) if kind == "input_audio_buffer.append" => Ok(Input::Audio(event["audio"].as_str().unwrap_or_default().to_owned())),
        Ok(()) => Ok(Input::Event { kind, event }),
        Err(refusal) => Err((refusal, id)),
    }
}

fn check(kind: &str, event: &Value) -> Result<(), Refusal> {
    let allowed: &[&str] = match kind {
        "session.update" => &["session"],
        "input_audio_buffer.append" => &["audio"],
        "input_audio_buffer.commit" | "input_audio_buffer.clear" => &[],
        "conversation.item.create" => &["item", "previous_item_id"],
        "conversation.item.truncate" => &["item_id", "content_index", "audio_end_ms"],
        "conversation.item.delete" | "conversation.item.retrieve" => &["item_id"],
        "response.create" => &["response"],
        "response.cancel" => &["response_id"],
        _ => return Err(Refusal::invalid("type", format!("Invalid value: '{kind}'."))),
    };
    let fields: Vec<&str> = allowed.iter().copied().chain(["type", "event_id"]).collect();
    let unknown = event.as_object().into_iter().flatten().find(|(name, _)| !fields.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(Refusal::unknown(name.clone()));
    }
    match kind {
        "conversation.item.create" => check_item(&event["item"]),
        "response.create" => only(
            "response",
            &event["response"],
            &[
                "instructions",
                "metadata",
                "conversation",
                "output_modalities",
                "audio",
                "tools",
                "tool_choice",
                "max_output_tokens",
                "input",
            ],
        ),
        _ => Ok(()),
    }
}

fn check_item(item: &Value) -> Result<(), Refusal> {
    let allowed: &[&str] = match item["type"].as_str() {
        Some("message") => &["role", "content"],
        Some("function_call") => &["call_id", "name", "arguments"],
        Some("function_call_output") => &["call_id", "output"],
        _ => return Err(Refusal::invalid("item.type", "Supported values are: message, function_call, function_call_output.")),
    };
    let fields: Vec<&str> = allowed.iter().copied().chain(["id", "type", "status", "object"]).collect();
    only("item", item, &fields)?;
    if let Some(missing) = allowed.iter().find(|name| item[**name].is_null()) {
        let message = format!("Missing required parameter: 'item.{missing}'.");
        return Err(Refusal::new("missing_required_parameter", message));
    }
    if item["type"] == "function_call_output" && !item["output"].is_string() {
        return Err(Refusal::invalid("item.output", "The output must be a string."));
    }
    let wanted = match item["role"].as_str() {
        Some("user" | "system") => "input_text",
        Some("assistant") => "output_text",
        None if item["type"] != "message" => return Ok(()),
        _ => return Err(Refusal::invalid("item.role", "Supported values are: user, assistant, system.")),
    };
    let parts = item["content"].as_array().into_iter().flatten();
    parts.enumerate().try_for_each(|(index, part)| {
        let place = format!("item.content[{index}]");
        let fits = part["type"] == wanted && part["text"].is_string();
        fits.then_some(())
            .ok_or_else(|| Refusal::invalid(&format!("{place}.type"), format!("Supported values are: '{wanted}'.")))?;
        only(&place, part, &["type", "text"])
    })
}

/// Turns what comes into samples of 16 kHz.
#[derive(Debug)]
pub(super) struct Ear {
    up: Up8To16,
    down: Down24To16,
    rest: Vec<f32>,
}

impl Ear {
    pub fn new() -> Self {
        Self { up: Up8To16::new(), down: Down24To16::new(), rest: Vec::new() }
    }

    /// The bytes, and what they sound like.
    pub fn hear(&mut self, audio: &str, format: Format) -> Result<(Vec<u8>, Vec<i16>), Refusal> {
        let invalid = || Refusal::invalid("audio", "Invalid 'audio'. Expected base64-encoded audio bytes.");
        let bytes = STANDARD.decode(audio).map_err(|_| invalid())?;
        let law = match format {
            Format::Pcmu => Some(G711::Pcmu),
            Format::Pcma => Some(G711::Pcma),
            Format::Pcm24 => None,
        };
        let wide = match law {
            Some(law) => self.narrow(&bytes, law),
            None => self.wide(&bytes),
        };
        Ok((bytes, wide.into_iter().map(|sample| sample as i16).collect()))
    }

    fn narrow(&mut self, codes: &[u8], law: G711) -> Vec<f32> {
        let mut narrow = vec![0.0; codes.len()];
        law.decode(codes, &mut narrow);
        let mut wide = vec![0.0; narrow.len() * 2];
        self.up.process(&narrow, &mut wide);
        wide
    }

    fn wide(&mut self, bytes: &[u8]) -> Vec<f32> {
        let samples = bytes.as_chunks::<2>().0.iter().map(|pair| f32::from(i16::from_le_bytes(*pair)));
        self.rest.extend(samples);
        let whole = self.rest.len() / 3 * 3;
        let input: Vec<f32> = self.rest.drain(..whole).collect();
        let mut output = vec![0.0; whole / 3 * 2];
        self.down.process(&input, &mut output);
        output
    }
}
