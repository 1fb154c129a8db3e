//! The messages that are no audio, as the service writes them.

use super::record::Sent;
use super::speech::Piece;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// Something to be sent, and what the record says of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub body: Bytes,
    pub sent: Sent,
}

impl Reply {
    fn new(message: &Value, sent: Sent) -> Self {
        Self { body: message.to_string().into(), sent }
    }

    pub fn setup_complete(vertex: bool) -> Self {
        // Indented, as the service does it.
        let body = if vertex {
            "{\n  \"setupComplete\": {\n    \"sessionId\": \"1\"\n  }\n}\n"
        } else {
            "{\n  \"setupComplete\": {}\n}\n"
        };
        Self { body: body.into(), sent: Sent::SetupComplete }
    }

    pub fn audio(piece: &Piece) -> Self {
        Self { body: piece.body.clone(), sent: Sent::Audio { samples: piece.samples } }
    }

    pub fn heard(words: &str) -> Self {
        Self::new(&json!({"serverContent": {"inputTranscription": {"text": words}}}), Sent::Heard(words.to_owned()))
    }

    pub fn interrupted() -> Self {
        Self::new(&json!({"serverContent": {"interrupted": true}}), Sent::Interrupted)
    }

    pub fn generation_complete() -> Self {
        Self::new(&json!({"serverContent": {"generationComplete": true}}), Sent::GenerationComplete)
    }

    /// Usage in the same message; its details do not add up to the total, as those of the service.
    pub fn turn_complete(reason: Option<&str>, prompt_tokens: u64, response_tokens: u64) -> Self {
        let mut content = json!({"turnComplete": true, "interactionStatus": "IDLE"});
        if let Some(reason) = reason {
            content["turnCompleteReason"] = json!(reason);
        }
        let usage = json!({
            "promptTokenCount": prompt_tokens,
            "responseTokenCount": response_tokens,
            "totalTokenCount": prompt_tokens + response_tokens + 17,
        });
        Self::new(&json!({"serverContent": content, "usageMetadata": usage}), Sent::TurnComplete)
    }

    /// Calls as (id, name, arguments).
    pub fn tool_call(calls: &[(String, String, Value)]) -> Self {
        let written: Vec<Value> = calls.iter().map(|(id, name, args)| json!({"id": id, "name": name, "args": args})).collect();
        let names = calls.iter().map(|(id, name, _)| (name.clone(), id.clone())).collect();
        Self::new(&json!({"toolCall": {"functionCalls": written}}), Sent::ToolCall(names))
    }

    pub fn tool_cancellation(ids: &[String]) -> Self {
        Self::new(&json!({"toolCallCancellation": {"ids": ids}}), Sent::ToolCancel(ids.to_vec()))
    }

    pub fn resumption(handle: &str) -> Self {
        Self::new(&json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}}), Sent::Handle(handle.to_owned()))
    }

    pub fn go_away(time_left: Duration) -> Self {
        Self::new(&json!({"goAway": {"timeLeft": format!("{}s", time_left.as_secs_f64())}}), Sent::GoAway)
    }

    pub fn huge(bytes: usize) -> Self {
        Self::new(&json!({"serverContent": {"fieldOfNextYear": "x".repeat(bytes)}}), Sent::Other)
    }

    pub fn junk(bytes: Vec<u8>) -> Self {
        Self { body: bytes.into(), sent: Sent::Other }
    }

    pub fn raw(text: &str) -> Self {
        Self { body: text.to_owned().into(), sent: Sent::Other }
    }
}
