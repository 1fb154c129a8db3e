//! The agent hands the caller over to somebody whom its user has named.
//!
//! The tools only say what the agent wants: whether and how it is done is the call's. Nobody can be reached who is not in the
//! list, whatever the caller talks the agent into.

use super::{Behaviour, Effect, Object, Outcome, Tool, Work};
use serde_json::{Value, json};
use std::sync::Arc;

/// Hands the caller over to one of the targets.
#[derive(Debug, Clone)]
pub struct TransferCall {
    targets: Arc<[String]>,
}

impl TransferCall {
    pub const NAME: &'static str = "transfer_call";

    pub fn new(targets: &[String]) -> Self {
        Self { targets: targets.into() }
    }
}

impl Tool for TransferCall {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Connects the caller to one of the people or departments listed under target. Use it only when the caller wants to be \
         connected, or when you cannot help them and one of these can. Nobody else can be reached. If it comes to nothing you \
         will be told, and the caller is still with you."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"target": {
                "type": "string",
                "enum": &*self.targets,
                "description": "Whom to connect the caller to."
            }},
            "required": ["target"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn call(&self, arguments: &Object) -> Work {
        let wanted = arguments.get("target").and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
        let outcome = match self.targets.iter().find(|target| target.to_lowercase() == wanted) {
            Some(target) => Outcome {
                effect: Some(Effect::Transfer { target: target.clone() }),
                ..Outcome::output(
                    "The caller is connected as soon as your words have been played. Say in one short sentence that you connect \
                     them now, unless you have said so already, and then say nothing more.",
                )
            },
            None => Outcome::error(format!("nobody of that name can be reached; there are: {}", self.targets.join(", ")), true),
        };
        outcome.into()
    }
}

/// Tells what the human, to whom the agent speaks while the caller waits, has decided.
#[derive(Debug, Clone, Copy)]
pub struct CompleteTransfer;

impl CompleteTransfer {
    pub const NAME: &'static str = "complete_transfer";
}

impl Tool for CompleteTransfer {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Only while the telephone system has told you that you speak to the person to whom a caller is to be connected: tells \
         whether they take the call."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"accepted": {"type": "boolean", "description": "Whether they take the call."}},
            "required": ["accepted"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn call(&self, arguments: &Object) -> Work {
        let outcome = match arguments.get("accepted").and_then(Value::as_bool) {
            Some(accepted) => {
                Outcome { effect: Some(Effect::Decide { accepted }), ..Outcome::output("Understood. Say nothing more to them.") }
            }
            None => Outcome::error("accepted must be true or false", true),
        };
        outcome.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(tool: &dyn Tool, arguments: Value) -> Option<Effect> {
        let Value::Object(arguments) = arguments else { panic!("an object") };
        let outcome = tool.call(&arguments).done();
        assert!(!outcome.ends_call && !outcome.result.is_empty());
        outcome.effect
    }

    #[test]
    fn only_who_is_in_the_list_can_be_reached() {
        let tool = TransferCall::new(&["Sales".into(), "the boss".into()]);
        let sales = Some(Effect::Transfer { target: "Sales".into() });
        assert_eq!(effect(&tool, json!({"target": " sales "})), sales);
        for elsewhere in [json!({"target": "+4990012345"}), json!({"target": 5}), json!({}), json!({"target": "sip:x@evil"})] {
            assert_eq!(effect(&tool, elsewhere.clone()), None, "{elsewhere}");
        }
        assert_eq!(tool.parameters()["properties"]["target"]["enum"], json!(["Sales", "the boss"]));
    }

    #[test]
    fn a_decision_is_yes_or_no() {
        assert_eq!(effect(&CompleteTransfer, json!({"accepted": true})), Some(Effect::Decide { accepted: true }));
        assert_eq!(effect(&CompleteTransfer, json!({"accepted": "yes"})), None);
    }
}
