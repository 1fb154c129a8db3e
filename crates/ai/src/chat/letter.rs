//! One answer as a whole, for what is written when nobody waits on the line.

use super::ChatOptions;
use super::client::{Message, TokenCount, chain, refusal, shortened};
use crate::{EngineCause, EngineError, Usage};
use reqwest::{Client, Response};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

const CONNECT: Duration = Duration::from_secs(4);
/// Of an answer that is read, bytes.
const LONGEST_ANSWER: usize = 256 * 1_024;

/// Asks a text model; cheap to clone, connections are shared.
#[derive(Debug, Clone)]
pub struct Writer {
    http: Client,
    options: Arc<ChatOptions>,
}

/// What it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    pub usage: Usage,
}

/// What it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'a> {
    /// The server's own when `None`.
    pub model: Option<&'a str>,
    pub system: String,
    pub request: String,
    pub most_tokens: u32,
    /// From the question to the end of the answer.
    pub within: Duration,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    max_tokens: u32,
    messages: &'a [Message],
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<TokenCount>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    message: Content,
}

#[derive(Debug, Deserialize)]
struct Content {
    content: Option<String>,
}

impl Writer {
    /// # Errors
    /// When the address is none that can be asked.
    pub fn new(options: ChatOptions) -> Result<Self, EngineError> {
        // The same rules, said in the same words.
        super::ChatClient::new(options.clone())?;
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .build()
            .map_err(|e| EngineError::new(EngineCause::Internal, format!("no HTTP client: {e}")))?;
        Ok(Self { http, options: Arc::new(options) })
    }

    /// Of questions that name none.
    pub fn model(&self) -> &str {
        &self.options.model
    }

    pub async fn write(&self, question: Question<'_>) -> Result<Written, EngineError> {
        let within = question.within;
        let late =
            || EngineError::new(EngineCause::Stalled, format!("the text model gave no answer within {} s", within.as_secs()));
        tokio::time::timeout(within, self.ask(question)).await.map_err(|_| late())?
    }

    async fn ask(&self, question: Question<'_>) -> Result<Written, EngineError> {
        let Question { model, system, request, most_tokens, .. } = question;
        let messages = [Message { role: "system", content: system }, Message { role: "user", content: request }];
        let model = model.unwrap_or(&self.options.model);
        let body = Request { model, stream: false, max_tokens: most_tokens, messages: &messages };
        let url = format!("{}/chat/completions", self.options.base_url.trim_end_matches('/'));
        let mut asked = self.http.post(url).json(&body);
        if let Some(key) = &self.options.api_key {
            asked = asked.bearer_auth(key.expose());
        }
        let response = asked.send().await.map_err(|e| {
            let cause = if e.is_connect() || e.is_timeout() { EngineCause::Unreachable } else { EngineCause::ConnectionLost };
            EngineError::new(cause, format!("the chat endpoint: {}", chain(e)))
        })?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        read(&body_of(response).await?)
    }
}

async fn body_of(mut response: Response) -> Result<Vec<u8>, EngineError> {
    let mut body = Vec::new();
    loop {
        let lost = |e| EngineError::new(EngineCause::ConnectionLost, format!("the chat answer broke off: {}", chain(e)));
        let Some(chunk) = response.chunk().await.map_err(lost)? else { return Ok(body) };
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(EngineError::new(EngineCause::ServiceFailed, "the chat answer is longer than any that was asked for"));
        }
        body.extend_from_slice(&chunk);
    }
}

fn read(body: &[u8]) -> Result<Written, EngineError> {
    let failed = |detail: String| EngineError::new(EngineCause::ServiceFailed, detail);
    let answer: Answer = serde_json::from_slice(body).map_err(|e| {
        failed(format!("the chat endpoint answered something else: {e}: {}", shortened(&String::from_utf8_lossy(body))))
    })?;
    let text = answer.choices.into_iter().find_map(|choice| choice.message.content).unwrap_or_default();
    Ok(Written { text, usage: answer.usage.map(TokenCount::usage).unwrap_or_default() })
}
