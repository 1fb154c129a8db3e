//! JSON as Firestore's fields.

use callie_lab::firestore::{ArrayValue, MapValue, Value as Field, ValueType};
use serde_json::Value;
use std::collections::HashMap;

pub fn fields(body: &Value) -> HashMap<String, Field> {
    body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), field(value))).collect()
}

pub fn field(value: &Value) -> Field {
    Field {
        value_type: Some(match value {
            Value::Bool(truth) => ValueType::BooleanValue(*truth),
            Value::String(text) => ValueType::StringValue(text.clone()),
            Value::Number(number) => ValueType::IntegerValue(number.as_i64().expect("a whole number")),
            Value::Null => ValueType::NullValue(0),
            Value::Array(values) => ValueType::ArrayValue(ArrayValue { values: values.iter().map(field).collect() }),
            Value::Object(_) => ValueType::MapValue(MapValue { fields: fields(value) }),
        }),
    }
}

/// The map at a field.
pub fn map_at<'a>(fields: &'a mut HashMap<String, Field>, name: &str) -> &'a mut HashMap<String, Field> {
    match fields.get_mut(name).and_then(|field| field.value_type.as_mut()) {
        Some(ValueType::MapValue(map)) => &mut map.fields,
        other => panic!("{name} is no map: {other:?}"),
    }
}
