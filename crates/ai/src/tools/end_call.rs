//! The agent hangs up.

use super::{Behaviour, Object, Outcome, Tool, Work};
use serde_json::{Value, json};

/// Ends the call once the agent's last words have been played.
#[derive(Debug, Clone, Copy)]
pub struct EndCall;

impl EndCall {
    pub const NAME: &'static str = "end_call";
}

impl Tool for EndCall {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Hangs up the phone. First say goodbye aloud, then use this. Use it only when the conversation is over: the other \
         side said goodbye, has what they wanted, or asked you to end the call."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"reason": {"type": "string", "description": "Why the call ends, in a few words."}},
            "required": ["reason"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn call(&self, _arguments: &Object) -> Work {
        let text = "The call ends as soon as your last words have been played. If you have not said goodbye yet, say it now, \
                    in one short sentence; otherwise say nothing more.";
        Outcome { ends_call: true, ..Outcome::output(text) }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_the_call_whatever_the_arguments() {
        assert!(EndCall.call(&Object::new()).done().ends_call);
        assert!(!EndCall.call(&Object::new()).done().result.is_empty());
    }
}
