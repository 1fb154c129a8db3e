//! What is made of a call when it is over: the map `ai.after_call`.

use super::field::Field;
use super::tools::http::read_schema;
use crate::Faults;
use serde_json::Value;

/// By a text model, where the server has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AfterCall {
    /// A few sentences about the call.
    pub summary: bool,
    /// JSON Schema of what is to be read out of the call: an object.
    pub fields: Option<Value>,
    /// By the endpoint's own name for it; empty means the server's.
    pub model: Option<String>,
}

impl AfterCall {
    pub fn is_wanted(&self) -> bool {
        self.summary || self.fields.is_some()
    }
}

/// Reads the whole map: what is not named is as usual.
pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<AfterCall> {
    let Some(map) = field.value.as_object() else {
        faults.add(field.path, "must be an object with summary, fields, model");
        return None;
    };
    let before = faults.0.len();
    let mut read = AfterCall::default();
    for (key, value) in map {
        let path = format!("{}.{key}", field.path);
        let field = Field { path: &path, value };
        match key.as_str() {
            "summary" => read.summary = field.boolean(faults).unwrap_or_default(),
            "fields" => read.fields = field.optional(|field| read_schema(field, faults)).flatten(),
            "model" => read.model = field.optional(|field| field.text(faults, 1, 128)).flatten(),
            _ => faults.add(path, "is not a known field"),
        }
    }
    (faults.0.len() == before).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::super::input::UserInput;
    use super::super::user_of_tests;
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn put(after_call: Value) -> Result<AfterCall, Faults> {
        let body = json!({"ai": {"after_call": after_call}});
        Ok(UserInput::from_json(&body)?.apply(&user_of_tests(), Timestamp::UNIX_EPOCH)?.ai.after_call)
    }

    #[test]
    fn the_map_is_read_whole() {
        let schema = json!({"type": "object", "properties": {"topic": {"type": "string"}}});
        let all = put(json!({"summary": true, "fields": schema, "model": "m-1"})).expect("valid");
        assert_eq!(all, AfterCall { summary: true, fields: Some(schema), model: Some("m-1".to_owned()) });
        assert!(all.is_wanted());
        for nothing in [json!(null), json!({}), json!({"fields": null, "model": null, "summary": false})] {
            let read = put(nothing.clone()).expect("valid");
            assert!(read == AfterCall::default() && !read.is_wanted(), "{nothing}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (after_call, want) in [
            (json!(5), "ai.after_call"),
            (json!({"summary": "yes"}), "ai.after_call.summary"),
            (json!({"fields": {"type": "string"}}), "ai.after_call.fields"),
            (json!({"fields": {"type": "object", "x": "y".repeat(20_000)}}), "ai.after_call.fields"),
            (json!({"model": 5}), "ai.after_call.model"),
            (json!({"colour": 1}), "ai.after_call.colour"),
        ] {
            let faults = put(after_call.clone()).expect_err("faulty");
            assert_eq!(faults.0.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [want], "{after_call}");
        }
    }
}
