//! A tool whose work a test ends when it likes.

use super::{Behaviour, Object, Outcome, Tool, Toolbox, Work};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::oneshot;

/// Looks something up, for as long as the test wants.
#[derive(Debug, Clone)]
pub struct Slow {
    pub behaviour: Behaviour,
    /// Of what was begun, in order.
    ends: Arc<Mutex<VecDeque<oneshot::Sender<Outcome>>>>,
}

impl Slow {
    pub const NAME: &'static str = "lookup";

    pub fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, ends: Arc::default() }
    }

    /// With the tools that every agent has.
    pub fn toolbox(&self) -> Toolbox {
        Toolbox::default().with([Arc::new(self.clone()) as Arc<dyn Tool>])
    }

    /// The work that began first is done; `false` when nobody waits for it any more.
    pub fn end_first(&self, outcome: Outcome) -> bool {
        let end = self.ends.lock().unwrap_or_else(PoisonError::into_inner).pop_front().expect("something was begun");
        end.send(outcome).is_ok()
    }
}

impl Tool for Slow {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Takes its time."
    }

    fn parameters(&self) -> Value {
        json!({"type": "object"})
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    fn filler(&self) -> Option<&str> {
        Some("One moment, please.")
    }

    fn call(&self, _arguments: &Object) -> Work {
        let (end, ended) = oneshot::channel();
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).push_back(end);
        Work::Later(Box::pin(async move { ended.await.unwrap_or_else(|_| Outcome::error("gone", false)) }))
    }
}
