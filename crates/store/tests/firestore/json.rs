//! Firestore's values as JSON and back, written apart from the store's own conversion so that it can judge it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue, Value as Field};
use gcloud_sdk::google::r#type::LatLng;
use gcloud_sdk::prost_types::Timestamp as ProtoTime;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;

pub type Fields = HashMap<String, Field>;

pub fn field(value: ValueType) -> Field {
    Field { value_type: Some(value) }
}

pub fn time(text: &str) -> Field {
    let time: Timestamp = text.parse().expect("a time");
    field(ValueType::TimestampValue(ProtoTime { seconds: time.as_second(), nanos: time.subsec_nanosecond() }))
}

/// An object's fields; RFC 3339 texts in `sip.*_at` are times, as the store writes them.
pub fn fields(object: &Value) -> Fields {
    let named = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Object(sip) if name == "sip" => {
                let sip = sip.iter().map(|(name, value)| match value.as_str() {
                    Some(text) if name.ends_with("_at") => (name.clone(), time(text)),
                    _ => (name.clone(), to_field(value)),
                });
                field(ValueType::MapValue(MapValue { fields: sip.collect() }))
            }
            value => to_field(value),
        };
        (name.clone(), value)
    };
    object.as_object().expect("an object").iter().map(named).collect()
}

fn to_field(value: &Value) -> Field {
    field(match value {
        Value::Null => ValueType::NullValue(0),
        Value::Bool(on) => ValueType::BooleanValue(*on),
        Value::Number(number) if number.is_f64() => ValueType::DoubleValue(number.as_f64().expect("a double")),
        Value::Number(number) => ValueType::IntegerValue(number.as_i64().expect("an integer")),
        Value::String(text) => ValueType::StringValue(text.clone()),
        Value::Array(values) => ValueType::ArrayValue(ArrayValue { values: values.iter().map(to_field).collect() }),
        Value::Object(map) => match (map.len(), map.iter().next()) {
            (1, Some((tag, content))) if tag.starts_with('$') => tagged(tag, content),
            _ => ValueType::MapValue(MapValue { fields: map.iter().map(|(n, v)| (n.clone(), to_field(v))).collect() }),
        },
    })
}

fn tagged(tag: &str, content: &Value) -> ValueType {
    let text = content.as_str().unwrap_or_default();
    match tag {
        "$timestamp" => time(text).value_type.expect("a time"),
        "$bytes" => ValueType::BytesValue(STANDARD.decode(text).expect("base64")),
        "$ref" => ValueType::ReferenceValue(text.to_owned()),
        "$geo" => ValueType::GeoPointValue(LatLng {
            latitude: content[0].as_f64().expect("a number"),
            longitude: content[1].as_f64().expect("a number"),
        }),
        other => panic!("{other} is not a tag that these tests use"),
    }
}

/// Fields as an object, in the form that the store shows them.
pub fn object(fields: &Fields) -> Value {
    fields.iter().map(|(name, value)| (name.clone(), of_field(name == "sip", value))).collect()
}

fn of_field(is_sip: bool, value: &Field) -> Value {
    match value.value_type.as_ref().expect("a value") {
        ValueType::NullValue(_) => Value::Null,
        ValueType::BooleanValue(on) => json!(on),
        ValueType::IntegerValue(number) => json!(number),
        ValueType::DoubleValue(number) => json!(number),
        ValueType::StringValue(text) => json!(text),
        ValueType::TimestampValue(time) => json!({"$timestamp": text_of(time)}),
        ValueType::BytesValue(bytes) => json!({"$bytes": STANDARD.encode(bytes)}),
        ValueType::ReferenceValue(path) => json!({"$ref": path}),
        ValueType::GeoPointValue(at) => json!({"$geo": [at.latitude, at.longitude]}),
        ValueType::ArrayValue(array) => array.values.iter().map(|value| of_field(false, value)).collect(),
        ValueType::MapValue(map) => {
            let named = |(name, value): (&String, &Field)| match &value.value_type {
                Some(ValueType::TimestampValue(time)) if is_sip && name.ends_with("_at") => (name.clone(), json!(text_of(time))),
                _ => (name.clone(), of_field(false, value)),
            };
            map.fields.iter().map(named).collect()
        }
        other => panic!("{other:?} is not stored by these tests"),
    }
}

fn text_of(time: &ProtoTime) -> String {
    Timestamp::new(time.seconds, time.nanos).expect("a time").to_string()
}
