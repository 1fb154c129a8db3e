//! One request to a chat endpoint, its answer as it streams, its failures with their causes.

use super::{ChatOptions, sse::EventLines};
use crate::{EngineCause, EngineError, Usage};
use futures::stream::{self, BoxStream, StreamExt};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// From the question to the first words.
const FIRST_WORDS: Duration = Duration::from_secs(8);
/// Between two pieces of an answer.
const NEXT_WORDS: Duration = Duration::from_secs(8);
const CONNECT: Duration = Duration::from_secs(4);
/// Tokens of one answer: two minutes of talk are too many.
const MOST_TOKENS: u32 = 400;
/// Of an error's text that is kept, in characters.
const EVIDENCE: usize = 200;

/// A line of the conversation, as the endpoint wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub role: &'static str,
    pub content: String,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    model: &'a str,
    stream: bool,
    max_tokens: u32,
    messages: &'a [Message],
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    Text(String),
    Usage(Usage),
}

/// Ends after a failure.
pub type Deltas = BoxStream<'static, Result<Delta, EngineError>>;

/// Asks one model; cheap to clone, connections are shared.
#[derive(Debug, Clone)]
pub struct ChatClient {
    http: Client,
    options: Arc<ChatOptions>,
    most_tokens: u32,
}

impl ChatClient {
    /// # Errors
    /// When the address is none that can be asked.
    pub fn new(options: ChatOptions) -> Result<Self, EngineError> {
        let config = |detail: String| EngineError::new(EngineCause::Config, detail);
        let url = reqwest::Url::parse(&options.base_url)
            .map_err(|e| config(format!("the chat endpoint's address (CALLIE_CHAT_URL) is not a URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(config(format!("the chat endpoint (CALLIE_CHAT_URL) is asked over http or https, not {}", url.scheme())));
        }
        let http = Client::builder()
            .connect_timeout(CONNECT)
            .build()
            .map_err(|e| EngineError::new(EngineCause::Internal, format!("no HTTP client: {e}")))?;
        Ok(Self { http, options: Arc::new(options), most_tokens: MOST_TOKENS })
    }

    /// With another bound of one answer.
    pub fn with_most_tokens(self, most_tokens: u32) -> Self {
        Self { most_tokens, ..self }
    }

    pub fn model(&self) -> &str {
        &self.options.model
    }

    /// The answer to `messages`, asked when it is first polled, abandoned when it is dropped.
    pub fn answer(&self, messages: &[Message]) -> Deltas {
        let url = format!("{}/chat/completions", self.options.base_url.trim_end_matches('/'));
        let body = Request { model: &self.options.model, stream: true, max_tokens: self.most_tokens, messages };
        let mut request = self.http.post(url).json(&body);
        if let Some(key) = &self.options.api_key {
            request = request.bearer_auth(key.expose());
        }
        stream::unfold(Progress::Asking(Box::new(request)), step).boxed()
    }
}

enum Progress {
    Asking(Box<RequestBuilder>),
    Reading(Box<Reading>),
    Over,
}

struct Reading {
    response: Response,
    lines: EventLines,
    ready: VecDeque<Delta>,
    /// Words have come.
    spoken: bool,
    done: bool,
}

async fn step(progress: Progress) -> Option<(Result<Delta, EngineError>, Progress)> {
    let mut reading = match progress {
        Progress::Over => return None,
        Progress::Reading(reading) => reading,
        Progress::Asking(request) => match ask(*request).await {
            Ok(response) => {
                Box::new(Reading { response, lines: EventLines::default(), ready: VecDeque::new(), spoken: false, done: false })
            }
            Err(error) => return Some((Err(error), Progress::Over)),
        },
    };
    loop {
        if let Some(delta) = reading.ready.pop_front() {
            return Some((Ok(delta), Progress::Reading(reading)));
        }
        if reading.done {
            return None;
        }
        if let Err(error) = reading.read().await {
            return Some((Err(error), Progress::Over));
        }
    }
}

async fn ask(request: RequestBuilder) -> Result<Response, EngineError> {
    let response = tokio::time::timeout(FIRST_WORDS, request.send()).await.map_err(|_| silent(FIRST_WORDS))?;
    let response = response.map_err(|e| {
        let cause = if e.is_connect() || e.is_timeout() { EngineCause::Unreachable } else { EngineCause::ConnectionLost };
        EngineError::new(cause, format!("the chat endpoint: {}", chain(e)))
    })?;
    if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
}

impl Reading {
    async fn read(&mut self) -> Result<(), EngineError> {
        let patience = if self.spoken { NEXT_WORDS } else { FIRST_WORDS };
        let chunk = tokio::time::timeout(patience, self.response.chunk()).await.map_err(|_| silent(patience))?;
        let lost = |detail: String| EngineError::new(EngineCause::ConnectionLost, detail);
        let Some(chunk) = chunk.map_err(|e| lost(format!("the chat answer broke off: {}", chain(e))))? else {
            return if std::mem::replace(&mut self.done, true) || self.spoken {
                Ok(())
            } else {
                Err(EngineError::new(EngineCause::ServiceFailed, "the chat endpoint closed without an answer"))
            };
        };
        for payload in self.lines.push(&chunk) {
            self.take(&payload)?;
        }
        Ok(())
    }

    fn take(&mut self, payload: &str) -> Result<(), EngineError> {
        if payload == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        // Whatever is no event of a chat is not for us.
        let Ok(event) = serde_json::from_str::<Event>(payload) else { return Ok(()) };
        if let Some(error) = event.error {
            let detail = format!("the chat model failed: {}", shortened(&error.to_string()));
            return Err(EngineError::new(EngineCause::ServiceFailed, detail));
        }
        for choice in event.choices {
            if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
                self.spoken = true;
                self.ready.push_back(Delta::Text(text));
            }
        }
        if let Some(usage) = event.usage {
            self.ready.push_back(Delta::Usage(usage.usage()));
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct Event {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<TokenCount>,
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Content,
}

#[derive(Debug, Default, Deserialize)]
struct Content {
    content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenCount {
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl TokenCount {
    pub fn usage(self) -> Usage {
        Usage {
            input_tokens: self.prompt_tokens,
            output_tokens: self.completion_tokens,
            total_tokens: self.prompt_tokens.saturating_add(self.completion_tokens),
            text_input_tokens: self.prompt_tokens,
            text_output_tokens: self.completion_tokens,
            ..Usage::default()
        }
    }
}

pub(super) async fn refusal(response: Response) -> EngineError {
    let status = response.status();
    let cause = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => EngineCause::KeyRefused,
        StatusCode::NOT_FOUND => EngineCause::ModelUnknown,
        StatusCode::PAYMENT_REQUIRED | StatusCode::TOO_MANY_REQUESTS => EngineCause::QuotaExceeded,
        status if status.is_client_error() => EngineCause::SetupRefused,
        _ => EngineCause::ServiceFailed,
    };
    let body = tokio::time::timeout(Duration::from_secs(1), first_chunk(response)).await.unwrap_or_default();
    EngineError::new(cause, format!("the chat endpoint answered {status}: {}", shortened(&body)))
}

async fn first_chunk(mut response: Response) -> String {
    let chunk = response.chunk().await.ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&chunk).into_owned()
}

fn silent(patience: Duration) -> EngineError {
    EngineError::new(EngineCause::Stalled, format!("the chat model has been silent for {} s", patience.as_secs()))
}

/// The innermost cause tells most; the address may hold a secret and is left out.
pub(super) fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut texts = vec![error.to_string()];
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts.dedup();
    texts.join(": ")
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EVIDENCE).collect()
}
