//! What a tool is, and what comes of using one.

use crate::EngineEvent;
use callie_domain::record::{Message, ToolRequest};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::{fmt, time::Duration};

/// A JSON object.
pub type Object = Map<String, Value>;

/// Whether the model waits for the result before it goes on talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    Waits,
    TalksOn,
}

/// What comes of using a tool. The result is always an object that says something: a model retries what comes back empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub result: Object,
    /// The call is to end once the agent has spoken its last words.
    pub ends_call: bool,
    /// What the call is to do.
    pub effect: Option<Effect>,
    /// What was sent into the network for it.
    pub requests: Vec<ToolRequest>,
}

/// What a tool asks of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Hand the caller over to the target of that name.
    Transfer { target: String },
    /// The human to whom the agent speaks takes the caller, or does not.
    Decide { accepted: bool },
    /// Keep this message for the user.
    Message(Message),
}

impl From<Effect> for EngineEvent {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Transfer { target } => Self::Transfer { target },
            Effect::Decide { accepted } => Self::TransferDecision { accepted },
            Effect::Message(message) => Self::MessageTaken(message),
        }
    }
}

impl Outcome {
    /// `{"output": …}`
    pub fn output(output: impl Into<Value>) -> Self {
        Self::of("output", output.into())
    }

    /// `{"error": …, "retryable": …}`; `error` is a sentence the model can act on.
    pub fn error(error: impl Into<String>, retryable: bool) -> Self {
        let mut outcome = Self::of("error", Value::String(error.into()));
        outcome.result.insert("retryable".into(), json!(retryable));
        outcome
    }

    /// It may be that nothing is to be said about it: the agent is leaving, in one way or another.
    pub fn leaves(&self) -> bool {
        self.ends_call || matches!(self.effect, Some(Effect::Transfer { .. } | Effect::Decide { .. }))
    }

    pub fn is_error(&self) -> bool {
        self.result.contains_key("error")
    }

    fn of(key: &str, value: Value) -> Self {
        Self { result: Object::from_iter([(key.to_owned(), value)]), ends_call: false, effect: None, requests: Vec::new() }
    }
}

/// A tool at work.
pub enum Work {
    /// It was done at once.
    Done(Outcome),
    /// It waits for the world outside. Whoever drops it stops it.
    Later(BoxFuture<'static, Outcome>),
}

#[cfg(test)]
impl Work {
    /// Of a tool that is quick.
    pub fn done(self) -> Outcome {
        match self {
            Self::Done(outcome) => outcome,
            Self::Later(_) => panic!("not done at once"),
        }
    }
}

impl From<Outcome> for Work {
    fn from(outcome: Outcome) -> Self {
        Self::Done(outcome)
    }
}

/// One thing an agent can do.
pub trait Tool: Send + Sync + fmt::Debug {
    /// `[A-Za-z_][A-Za-z0-9_]*`, at most 64 of them, unique in its [`super::Toolbox`].
    fn name(&self) -> &str;

    /// For the model: what it does and when to use it.
    fn description(&self) -> &str;

    /// JSON Schema of the arguments: an object.
    fn parameters(&self) -> Value;

    /// What may take long should let the model talk on.
    fn behaviour(&self) -> Behaviour;

    /// How long its work may take; then it is stopped and answered with an error.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// What the agent says when the work takes longer than a pause; `None` leaves the words to the agent.
    fn filler(&self) -> Option<&str> {
        None
    }

    /// `arguments` come from the model and may be anything. Must return in microseconds, as must each poll of what it returns:
    /// both run in the call's task.
    fn call(&self, arguments: &Object) -> Work;
}
