//! A frame of a service as a message of its kind, or what is left of it where parts cannot be read.

use serde::{Deserialize, de::Error as _};
use serde_json::{Value, json};

pub fn parse<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, serde_json::Error> {
    // A derived reader would take a list for an object without names.
    if frame.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(serde_json::Error::custom("no object"));
    }
    serde_json::from_slice(frame)
}

/// What is left of a message when the fields that are not readable are taken out, those of `nested` one by one; `None` when it
/// is no JSON object at all.
pub fn salvage(frame: &[u8], nested: &str, is_readable: impl Fn(&Value) -> bool) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(frame).ok()?;
    let message = value.as_object_mut()?;
    if let Some(inner) = message.get_mut(nested).and_then(Value::as_object_mut) {
        inner.retain(|name, field| is_readable(&json!({nested: {name: field}})));
    }
    message.retain(|name, field| is_readable(&json!({name: field})));
    Some(value)
}
