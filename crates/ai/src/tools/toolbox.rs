//! The tools of one engine. Every use gets an answer: an unanswered one makes a model deaf.

use super::{
    Object, Outcome, Tool,
    current_time::CurrentTime,
    end_call::EndCall,
    transfer::{CompleteTransfer, TransferCall},
};
use std::sync::Arc;

/// Cheap to clone; shared by the calls of an engine.
#[derive(Debug, Clone)]
pub struct Toolbox {
    tools: Vec<Arc<dyn Tool>>,
}

impl Default for Toolbox {
    fn default() -> Self {
        Self::new(vec![Arc::new(EndCall), Arc::new(CurrentTime::default())])
    }
}

impl Toolbox {
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        Self { tools }
    }

    /// The tools of a call whose agent may hand the caller over to these.
    #[must_use]
    pub fn for_call(&self, transfer_targets: &[String]) -> Self {
        let mut toolbox = self.clone();
        if !transfer_targets.is_empty() {
            toolbox.tools.push(Arc::new(TransferCall::new(transfer_targets)));
            toolbox.tools.push(Arc::new(CompleteTransfer));
        }
        toolbox
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn Tool> {
        self.tools.iter().map(AsRef::as_ref)
    }

    /// Uses the tool of that name; a name that is not there is answered with an error.
    pub fn call(&self, name: &str, arguments: &Object) -> Outcome {
        match self.iter().find(|tool| tool.name() == name) {
            Some(tool) => tool.call(arguments),
            None => Outcome::error(self.unknown(), false),
        }
    }

    fn unknown(&self) -> String {
        let names: Vec<_> = self.iter().map(Tool::name).collect();
        format!("there is no such tool; there are: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_tool_is_answered_with_what_there_is() {
        let outcome = Toolbox::default().call("fly", &Object::new());
        assert_eq!(
            serde_json::Value::from(outcome.result),
            json!({"error": "there is no such tool; there are: end_call, current_time", "retryable": false})
        );
        assert!(!outcome.ends_call);
    }

    #[test]
    fn who_may_hand_nobody_over_has_no_tool_for_it() {
        let names = |targets: &[String]| Toolbox::default().for_call(targets).iter().count();
        assert_eq!((names(&[]), names(&["sales".into()])), (2, 4));
    }

    #[test]
    fn names_fit_what_models_accept() {
        for tool in Toolbox::default().for_call(&["sales".into()]).iter() {
            assert!(tool.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", tool.name());
            assert_eq!(tool.parameters()["type"], "object", "{}", tool.name());
        }
    }
}
