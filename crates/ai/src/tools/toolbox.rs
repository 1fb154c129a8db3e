//! The tools of one call.

use super::{
    Object, Outcome, Tool, Used, Work,
    current_time::CurrentTime,
    end_call::EndCall,
    transfer::{CompleteTransfer, TransferCall},
};
use std::sync::{Arc, Mutex, PoisonError};

/// Cheap to clone; the clones are the same toolbox.
#[derive(Debug, Clone)]
pub struct Toolbox {
    tools: Arc<[Arc<dyn Tool>]>,
    /// What was at work when its engine went away. A few at most: a bench has few places.
    abandoned: Arc<Mutex<Vec<Used>>>,
}

impl Default for Toolbox {
    fn default() -> Self {
        Self::new(vec![Arc::new(EndCall), Arc::new(CurrentTime::default())])
    }
}

impl PartialEq for Toolbox {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.abandoned, &other.abandoned)
    }
}

impl Toolbox {
    /// Of several tools of one name the first counts.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Self {
        let mut kept: Vec<Arc<dyn Tool>> = Vec::new();
        for tool in tools {
            if !kept.iter().any(|known| known.name() == tool.name()) {
                kept.push(tool);
            }
        }
        Self { tools: kept.into(), abandoned: Arc::default() }
    }

    /// Another toolbox: with these tools too.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        Self::new(self.tools.iter().cloned().chain(more).collect())
    }

    /// Another toolbox: with what it takes to hand the caller over to these, if there are any.
    #[must_use]
    pub fn for_call(&self, transfer_targets: &[String]) -> Self {
        if transfer_targets.is_empty() {
            return self.clone();
        }
        self.with([Arc::new(TransferCall::new(transfer_targets)) as Arc<dyn Tool>, Arc::new(CompleteTransfer)])
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn Tool> {
        self.tools.iter().map(AsRef::as_ref)
    }

    pub fn find(&self, name: &str) -> Option<&dyn Tool> {
        self.iter().find(|tool| tool.name() == name)
    }

    /// Uses the tool of that name; a name that is not there is answered with an error.
    pub fn call(&self, name: &str, arguments: &Object) -> Work {
        match self.find(name) {
            Some(tool) => tool.call(arguments),
            None => Outcome::error(self.unknown(), false).into(),
        }
    }

    fn unknown(&self) -> String {
        let names: Vec<_> = self.iter().map(Tool::name).collect();
        format!("there is no such tool; there are: {}", names.join(", "))
    }

    /// What was stopped because its engine went away, for the record.
    pub fn take_abandoned(&self) -> Vec<Used> {
        std::mem::take(&mut *self.abandoned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn abandon(&self, used: Used) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_tool_is_answered_with_what_there_is() {
        let Work::Done(outcome) = Toolbox::default().call("fly", &Object::new()) else { panic!("at once") };
        assert!(!outcome.ends_call && outcome.is_error());
        assert_eq!(
            serde_json::Value::from(outcome.result),
            json!({"error": "there is no such tool; there are: end_call, current_time", "retryable": false})
        );
    }

    #[test]
    fn who_may_hand_nobody_over_has_no_tool_for_it() {
        let names = |targets: &[String]| Toolbox::default().for_call(targets).iter().count();
        assert_eq!((names(&[]), names(&["sales".into()])), (2, 4));
    }

    #[test]
    fn nothing_takes_the_name_of_what_is_there() {
        let toolbox = Toolbox::default().with([Arc::new(EndCall) as Arc<dyn Tool>]);
        assert_eq!(toolbox.iter().count(), 2);
    }

    #[test]
    fn names_fit_what_models_accept() {
        for tool in Toolbox::default().for_call(&["sales".into()]).iter() {
            assert!(tool.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", tool.name());
            assert_eq!(tool.parameters()["type"], "object", "{}", tool.name());
        }
    }
}
