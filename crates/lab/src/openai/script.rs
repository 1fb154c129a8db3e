//! What a session of the fake does: its half of a conversation.

use crate::gemini::Speech;
use serde_json::{Value, json};
use std::time::Duration;

/// The greeting, then one exchange for each of the caller's utterances.
#[derive(Clone, Debug, Default)]
pub struct Converse {
    /// Said to the first `response.create` of a call.
    pub greeting: Option<Speech>,
    pub exchanges: Vec<Exchange>,
    /// Said to every utterance beyond the exchanges, and to every `response.create` that nothing else answers.
    pub beyond: Option<Speech>,
    /// Answers to what the client has told, by item or by instructions, that contains these words; the first match counts.
    pub texts: Vec<(String, Exchange)>,
    pub pace: Pace,
    /// Pieces of 100 ms of a cancelled response that still arrive.
    pub late_pieces: usize,
}

/// How fast speech is sent, in pieces of 100 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// One every 10 ms.
    #[default]
    Fast,
    /// All at once.
    Burst,
    Every(Duration),
}

impl Pace {
    pub(super) fn between(self) -> Duration {
        match self {
            Self::Fast => Duration::from_millis(10),
            Self::Burst => Duration::ZERO,
            Self::Every(pause) => pause,
        }
    }
}

/// What the fake does about one utterance of the caller.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The caller's words.
    pub heard: String,
    pub hearing: Hearing,
    /// Without steps the response is empty.
    pub steps: Vec<Step>,
}

impl Exchange {
    /// The caller says `heard`, the fake says `speech`.
    pub fn new(heard: &str, speech: Speech) -> Self {
        Self::of(heard, vec![Step::Say(speech)])
    }

    pub fn of(heard: &str, steps: Vec<Step>) -> Self {
        Self { heard: heard.to_owned(), hearing: Hearing::Early, steps }
    }

    pub fn empty(heard: &str) -> Self {
        Self::of(heard, Vec::new())
    }

    /// Calls `end_call` in the same response, after the last words.
    pub fn then_end_call(mut self) -> Self {
        self.steps.push(Step::Call(vec![ToolCall::new("end_call", &json!({"reason": "the caller said goodbye"}))]));
        self
    }

    #[must_use]
    pub fn hearing(mut self, hearing: Hearing) -> Self {
        self.hearing = hearing;
        self
    }
}

/// When the caller's words are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// In pieces, before the answer.
    Early,
    /// In one piece, so long after the utterance.
    Late(Duration),
    Failed,
    Never,
}

#[derive(Clone, Debug)]
pub enum Step {
    Say(Speech),
    /// Uses tools. The response ends with it; what follows is the next one, once all calls are answered and it is asked for.
    Call(Vec<ToolCall>),
    Pause(Duration),
    /// This text as a message of its own, whatever it is.
    Raw(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    pub name: String,
    /// As the model writes them: a JSON object, or not.
    pub arguments: String,
}

impl ToolCall {
    pub fn new(name: &str, arguments: &Value) -> Self {
        Self::raw(name, &arguments.to_string())
    }

    pub fn raw(name: &str, arguments: &str) -> Self {
        Self { name: name.to_owned(), arguments: arguments.to_owned() }
    }
}
