//! What a tool is. Tools answer at once; one that has to wait for the outside world needs another seam.

use serde_json::{Map, Value, json};
use std::fmt;

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
}

/// What a tool asks of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Hand the caller over to the target of that name.
    Transfer { target: String },
    /// The human to whom the agent speaks takes the caller, or does not.
    Decide { accepted: bool },
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

    fn of(key: &str, value: Value) -> Self {
        Self { result: Object::from_iter([(key.to_owned(), value)]), ends_call: false, effect: None }
    }
}

/// One thing an agent can do.
pub trait Tool: Send + Sync + fmt::Debug {
    /// `[A-Za-z_][A-Za-z0-9_]*`, unique in its [`super::Toolbox`].
    fn name(&self) -> &'static str;

    /// For the model: what it does and when to use it.
    fn description(&self) -> &'static str;

    /// JSON Schema of the arguments: an object.
    fn parameters(&self) -> Value;

    fn behaviour(&self) -> Behaviour;

    /// `arguments` come from the model and may be anything. Must return in microseconds: it runs in the call's task.
    fn call(&self, arguments: &Object) -> Outcome;
}
