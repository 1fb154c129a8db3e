//! What the service sends: read as it comes, borrowed from the frame, with whatever we do not know passed over.
//!
//! All events are read into one flat form, in which everything is optional: services that are only compatible leave things
//! out, and any of them may send events of next year. A field that has another type than we expect costs that field, not the
//! event: [`salvage`] reads around it.

use crate::realtime::frame;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;
use std::borrow::Cow;

/// One event; which fields it has depends on its kind. Absent texts are empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ServerEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub item_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub previous_item_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub response_id: Cow<'a, str>,
    /// Audio in base64, or words.
    #[serde(borrow, deserialize_with = "text")]
    pub delta: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub transcript: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub call_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub name: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "text")]
    pub arguments: Cow<'a, str>,
    pub item: Option<Item>,
    pub response: Option<Response>,
    pub error: Option<ErrorBody>,
    pub session: Option<Session>,
    pub rate_limits: Vec<RateLimit>,
}

/// An entry of the conversation.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Item {
    #[serde(deserialize_with = "owned")]
    pub id: String,
    /// `message`, `function_call`, `function_call_output` …
    #[serde(rename = "type", deserialize_with = "owned")]
    pub kind: String,
    #[serde(deserialize_with = "owned")]
    pub status: String,
    #[serde(deserialize_with = "owned")]
    pub role: String,
    #[serde(deserialize_with = "owned")]
    pub call_id: String,
    #[serde(deserialize_with = "owned")]
    pub name: String,
    #[serde(deserialize_with = "owned")]
    pub arguments: String,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Response {
    #[serde(deserialize_with = "owned")]
    pub id: String,
    /// `completed`, `cancelled`, `incomplete`, `failed`.
    #[serde(deserialize_with = "owned")]
    pub status: String,
    pub status_details: Option<StatusDetails>,
    pub output: Vec<Item>,
    pub usage: Option<Usage>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct StatusDetails {
    #[serde(deserialize_with = "owned")]
    pub reason: String,
    pub error: Option<ErrorBody>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    #[serde(rename = "type", deserialize_with = "owned")]
    pub kind: String,
    #[serde(deserialize_with = "owned")]
    pub code: String,
    #[serde(deserialize_with = "owned")]
    pub message: String,
    #[serde(deserialize_with = "owned")]
    pub param: String,
    /// Of the message of ours that caused it.
    #[serde(deserialize_with = "owned")]
    pub event_id: String,
}

/// Of one response. The whole conversation is its input.
#[derive(Debug, Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(default)]
pub struct Usage {
    pub total_tokens: Count,
    pub input_tokens: Count,
    pub output_tokens: Count,
    pub input_token_details: Option<TokenDetails>,
    pub output_token_details: Option<TokenDetails>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(default)]
pub struct TokenDetails {
    pub cached_tokens: Count,
    pub text_tokens: Count,
    pub audio_tokens: Count,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Seconds since 1970.
    pub expires_at: Count,
    pub audio: Option<SessionAudio>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct SessionAudio {
    pub input: Option<Direction>,
    pub output: Option<Direction>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct Direction {
    pub format: Option<AudioFormat>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct AudioFormat {
    #[serde(rename = "type", deserialize_with = "owned")]
    pub kind: String,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct RateLimit {
    #[serde(deserialize_with = "owned")]
    pub name: String,
    pub remaining: Option<f64>,
    pub reset_seconds: Option<f64>,
}

/// A whole number; whatever else stands there counts as nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Other(IgnoredAny),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Number(count) => count,
            Form::Other(_) => 0,
        }))
    }
}

/// `null` is an absent text.
fn text<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, str>, D::Error> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Borrowed<'a>>::deserialize(deserializer)?.map_or(Cow::Borrowed(""), |Borrowed(text)| text))
}

fn owned<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a frame. On an error try [`salvage`].
pub fn parse(frame: &[u8]) -> Result<ServerEvent<'_>, serde_json::Error> {
    frame::parse(frame)
}

/// What is left of an event when the fields that we cannot read are taken out; `None` when it is no JSON object at all.
pub fn salvage(frame: &[u8]) -> Option<Value> {
    frame::salvage(frame, "response", |value| ServerEvent::deserialize(value).is_ok())
}

#[cfg(test)]
mod tests;
