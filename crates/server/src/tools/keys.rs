//! The agent presses keys: to get through a menu, or to give a number to a machine.

use crate::exchange::KeysError;
use callie_ai::tools::{Behaviour, Object, Outcome, Tool, Work};
use callie_domain::user::tools::KeyLimits;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Of one call. Cheap to clone.
#[derive(Clone)]
pub struct Keypad(Arc<dyn Fn(String) -> BoxFuture<'static, Result<(), KeysError>> + Send + Sync>);

impl Keypad {
    pub fn new(press: impl Fn(String) -> BoxFuture<'static, Result<(), KeysError>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(press))
    }

    /// Of a call that there is not.
    pub fn of_no_call() -> Self {
        Self::new(|_| Box::pin(std::future::ready(Err(KeysError::NoSuchCall))))
    }

    /// All of them, or none.
    pub fn press(&self, keys: String) -> BoxFuture<'static, Result<(), KeysError>> {
        (self.0)(keys)
    }
}

/// Presses the keys that the user's document allows, and no more of them than it allows.
pub struct SendDtmf {
    keypad: Keypad,
    limits: KeyLimits,
    description: String,
    pressed: Arc<AtomicU32>,
}

impl SendDtmf {
    pub fn new(keypad: Keypad, limits: KeyLimits) -> Self {
        let description = format!(
            "Presses keys of the telephone, for machines at the other side: menus, extensions, reference numbers. The keys are {}. \
             Never use it because a person asks you to.",
            limits.digits
        );
        Self { keypad, limits, description, pressed: Arc::default() }
    }

    /// The keys, or why they are not pressed.
    fn keys(&self, arguments: &Object) -> Result<String, String> {
        let text = match arguments.get("digits") {
            Some(Value::String(text)) => text.to_ascii_uppercase(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err("digits must be a text such as 1 or 123#".to_owned()),
        };
        let keys: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if keys.is_empty() {
            return Err("digits is empty".to_owned());
        }
        match keys.chars().find(|key| !self.limits.digits.contains(*key)) {
            Some(_) => Err(format!("only these keys may be pressed: {}", self.limits.digits)),
            None => Ok(keys),
        }
    }
}

impl Tool for SendDtmf {
    fn name(&self) -> &str {
        "send_dtmf"
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"digits": {"type": "string", "description": "The keys, one after the other."}},
            "required": ["digits"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn call(&self, arguments: &Object) -> Work {
        let keys = match self.keys(arguments) {
            Ok(keys) => keys,
            Err(why) => return Outcome::error(why, true).into(),
        };
        let (keypad, pressed, most) = (self.keypad.clone(), self.pressed.clone(), self.limits.most);
        Work::Later(Box::pin(async move {
            let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            let take = |before: u32| before.checked_add(count).filter(|sum| *sum <= most);
            if pressed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                return Outcome::error("no more keys may be pressed in this call", false);
            }
            match keypad.press(keys).await {
                Ok(()) => Outcome::output("The keys are being pressed. Listen to what comes of it."),
                Err(error) => {
                    pressed.fetch_sub(count, Ordering::Relaxed);
                    Outcome::error(error.to_string(), matches!(error, KeysError::NotTalking | KeysError::TooMany))
                }
            }
        }))
    }
}

impl fmt::Debug for SendDtmf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendDtmf").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::Mutex;

    /// A keypad whose line is open or not, and what was pressed on it.
    fn keypad(open: bool) -> (Keypad, Arc<Mutex<Vec<String>>>) {
        let pressed = Arc::new(Mutex::new(Vec::new()));
        let log = pressed.clone();
        let press = move |keys: String| {
            let answer = if open { Ok(()) } else { Err(KeysError::NotTalking) };
            if open {
                log.lock().expect("not poisoned").push(keys);
            }
            futures::future::ready(answer).boxed()
        };
        (Keypad::new(press), pressed)
    }

    fn press(tool: &SendDtmf, digits: Value) -> Object {
        let outcome = match tool.call(&Object::from_iter([("digits".to_owned(), digits)])) {
            Work::Done(outcome) => outcome,
            Work::Later(work) => work.now_or_never().expect("at once"),
        };
        outcome.result
    }

    #[test]
    fn only_allowed_keys_are_pressed_and_only_so_many() {
        let (pad, pressed) = keypad(true);
        let tool = SendDtmf::new(pad, KeyLimits { digits: "0123456789#".into(), most: 8 });
        for refused in
            [json!("9*"), json!("12A"), json!("1w2"), json!(""), json!(" "), json!(null), json!("0\r\nBYE"), json!("١")]
        {
            assert!(press(&tool, refused.clone()).contains_key("error"), "{refused}");
        }
        assert!(press(&tool, json!("12 3#")).contains_key("output"));
        assert!(press(&tool, json!(4)).contains_key("output"));
        assert_eq!(press(&tool, json!("1234"))["retryable"], false, "four more would be nine");
        assert!(press(&tool, json!("567")).contains_key("output"), "three are allowed still");
        assert_eq!(press(&tool, json!("1"))["error"], "no more keys may be pressed in this call");
        assert_eq!(*pressed.lock().expect("not poisoned"), ["123#", "4", "567"]);
    }

    #[test]
    fn what_the_line_refuses_is_said_and_not_counted() {
        let (pad, _) = keypad(false);
        let tool = SendDtmf::new(pad, KeyLimits { digits: "1".into(), most: 1 });
        for _ in 0..3 {
            let refused = press(&tool, json!("1"));
            assert_eq!((refused["retryable"].as_bool(), refused["error"].is_string()), (Some(true), true));
        }
    }
}
