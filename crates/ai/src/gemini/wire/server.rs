//! What the service sends: read as it comes, borrowed from the frame, with whatever we do not know passed over.
//!
//! A field that has another type than we expect costs that field, not the message: [`salvage`] reads around it.

use crate::{realtime::frame, tools::Object};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;
use std::{borrow::Cow, time::Duration};

/// One message; any of its fields may be there together. Empty texts are absent ones.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerMessage<'a> {
    #[serde(alias = "setup_complete")]
    pub setup_complete: Option<IgnoredAny>,
    #[serde(borrow, alias = "server_content")]
    pub server_content: Option<ServerContent<'a>>,
    #[serde(alias = "tool_call")]
    pub tool_call: Option<ToolCall>,
    #[serde(alias = "tool_call_cancellation")]
    pub tool_call_cancellation: Option<ToolCallCancellation>,
    #[serde(alias = "usage_metadata")]
    pub usage_metadata: Option<UsageMetadata>,
    #[serde(alias = "session_resumption_update")]
    pub session_resumption_update: Option<SessionResumptionUpdate>,
    #[serde(alias = "go_away")]
    pub go_away: Option<GoAway>,
    /// Where the service hears the caller speak; the line hears it first.
    #[serde(alias = "voice_activity")]
    pub voice_activity: Option<IgnoredAny>,
}

impl ServerMessage<'_> {
    /// Nothing in it that we know, beside what need not be acted upon.
    pub fn is_unknown(&self) -> bool {
        let Self {
            setup_complete,
            server_content,
            tool_call,
            tool_call_cancellation,
            usage_metadata,
            session_resumption_update,
            go_away,
            voice_activity,
        } = self;
        setup_complete.is_none()
            && server_content.is_none()
            && tool_call.is_none()
            && tool_call_cancellation.is_none()
            && usage_metadata.is_none()
            && session_resumption_update.is_none()
            && go_away.is_none()
            && voice_activity.is_none()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServerContent<'a> {
    #[serde(borrow, alias = "model_turn")]
    pub model_turn: Option<ModelTurn<'a>>,
    pub interrupted: bool,
    #[serde(alias = "generation_complete")]
    pub generation_complete: bool,
    #[serde(alias = "turn_complete")]
    pub turn_complete: bool,
    #[serde(borrow, alias = "turn_complete_reason")]
    pub turn_complete_reason: Cow<'a, str>,
    /// `IDLE` once nothing more comes; other values mean that more does.
    #[serde(borrow, alias = "interaction_status")]
    pub interaction_status: Cow<'a, str>,
    #[serde(borrow, alias = "input_transcription")]
    pub input_transcription: Option<Transcription<'a>>,
    #[serde(borrow, alias = "output_transcription")]
    pub output_transcription: Option<Transcription<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ModelTurn<'a> {
    #[serde(borrow)]
    pub parts: Vec<Part<'a>>,
}

/// Text parts are no speech (they may be thoughts), so they are not even read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Part<'a> {
    #[serde(borrow, alias = "inline_data")]
    pub inline_data: Option<InlineData<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InlineData<'a> {
    #[serde(borrow, alias = "mime_type")]
    pub mime_type: Cow<'a, str>,
    #[serde(borrow)]
    pub data: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Transcription<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ToolCall {
    #[serde(alias = "function_calls")]
    pub function_calls: Vec<FunctionCall>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FunctionCall {
    pub id: Option<String>,
    pub name: String,
    pub args: Option<Object>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolCallCancellation {
    pub ids: Vec<String>,
}

/// Counts of one turn. They need not add up to the total.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageMetadata {
    #[serde(alias = "prompt_token_count")]
    pub prompt_token_count: Count,
    #[serde(alias = "tool_use_prompt_token_count")]
    pub tool_use_prompt_token_count: Count,
    #[serde(alias = "response_token_count", alias = "candidatesTokenCount", alias = "candidates_token_count")]
    pub response_token_count: Count,
    #[serde(alias = "thoughts_token_count")]
    pub thoughts_token_count: Count,
    #[serde(alias = "total_token_count")]
    pub total_token_count: Count,
    #[serde(alias = "cached_content_token_count")]
    pub cached_content_token_count: Count,
    #[serde(alias = "prompt_tokens_details")]
    pub prompt_tokens_details: Vec<ModalityCount>,
    #[serde(alias = "tool_use_prompt_tokens_details")]
    pub tool_use_prompt_tokens_details: Vec<ModalityCount>,
    #[serde(alias = "response_tokens_details", alias = "candidatesTokensDetails", alias = "candidates_tokens_details")]
    pub response_tokens_details: Vec<ModalityCount>,
}

/// How much of a count is of one kind: `AUDIO`, `TEXT` …
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModalityCount {
    pub modality: String,
    #[serde(alias = "token_count")]
    pub token_count: Count,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionResumptionUpdate {
    #[serde(alias = "new_handle")]
    pub new_handle: String,
    pub resumable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GoAway {
    /// A duration such as `50s`.
    #[serde(alias = "time_left")]
    pub time_left: String,
}

impl SessionResumptionUpdate {
    /// An update without one brings nothing: the last handle stays valid.
    pub fn handle(self) -> Option<String> {
        (self.resumable && !self.new_handle.is_empty()).then_some(self.new_handle)
    }
}

impl GoAway {
    /// Where it cannot be read it is better not to wait.
    const SHORT: Duration = Duration::from_secs(5);
    /// No service announces its end earlier.
    const LONG: Duration = Duration::from_secs(3_600);

    /// Proto3 JSON writes a duration as seconds with up to nine decimals, and an `s`.
    pub fn remaining(&self) -> Duration {
        let seconds = self.time_left.trim().strip_suffix('s').and_then(|text| text.parse().ok());
        let left = seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
        left.unwrap_or(Self::SHORT).min(Self::LONG)
    }
}

/// A count; proto3 JSON writes 64-bit ones as text.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Text(String),
            Other(IgnoredAny),
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Number(count) => count,
            Form::Text(text) => text.parse().unwrap_or(0),
            Form::Other(_) => 0,
        }))
    }
}

/// Reads a frame. On an error try [`salvage`].
pub fn parse(frame: &[u8]) -> Result<ServerMessage<'_>, serde_json::Error> {
    frame::parse(frame)
}

/// What is left of a message when the fields that we cannot read are taken out; `None` when it is no JSON object at all.
pub fn salvage(frame: &[u8]) -> Option<Value> {
    frame::salvage(frame, "serverContent", |value| ServerMessage::deserialize(value).is_ok())
}

#[cfg(test)]
mod tests;
