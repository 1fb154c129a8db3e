//! A text model behind the endpoint that everybody speaks (`POST …/chat/completions`): answers what it is told to, and fails on cue.

use crate::receiver::{Manner, Receiver};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// What it is asked for besides words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub model: String,
    pub system: String,
    pub request: String,
    /// Of the header `Authorization`.
    pub key: Option<String>,
}

/// A running one. Dropping it closes its port.
#[derive(Debug)]
pub struct TextModel(Receiver);

impl TextModel {
    pub async fn start() -> io::Result<Self> {
        Ok(Self(Receiver::start().await?))
    }

    /// Up to `/v1`.
    pub fn url(&self) -> String {
        self.0.url("/v1")
    }

    /// An answer of these words, which cost 1,000 tokens of input and 100 of output.
    pub fn saying(text: &str) -> Manner {
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": "text-1",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100},
        });
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Manner::Answer { status: 200, headers, body: body.to_string() }
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        self.0.behave(manner);
    }

    /// The next questions one after the other; those behind them as before.
    pub fn behave_next(&self, next: impl IntoIterator<Item = Manner>) {
        self.0.behave_next(next);
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.0.received().iter().map(|received| asked(&received.json(), received.header("authorization"))).collect()
    }

    /// Waits until so many questions have come; gives what there is when the time is over.
    pub async fn wait_for(&self, count: usize, patience: Duration) -> Vec<Asked> {
        self.0.wait_for(count, patience).await;
        self.asked()
    }
}

fn asked(body: &Value, key: Option<&str>) -> Asked {
    let of = |role: &str| {
        let mut messages = body["messages"].as_array().into_iter().flatten();
        let message = messages.find(|message| message["role"] == role).and_then(|message| message["content"].as_str());
        message.unwrap_or_default().to_owned()
    };
    Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        system: of("system"),
        request: of("user"),
        key: key.and_then(|key| key.strip_prefix("Bearer ")).map(str::to_owned),
    }
}
