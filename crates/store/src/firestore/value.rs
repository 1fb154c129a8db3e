//! Firestore's values into JSON and back, without losing any.
//!
//! | in Firestore | in JSON |
//! |---|---|
//! | null, boolean, string, array, map | the same |
//! | integer, double | a number; a double keeps its fraction (`1.0`) |
//! | one of our times (`sip.created_at` …) | RFC 3339 text |
//! | any other time | `{"$timestamp": "2026-01-15T10:30:00Z"}` |
//! | bytes | `{"$bytes": "<base64>"}` |
//! | reference | `{"$ref": "projects/…"}` |
//! | point | `{"$geo": [latitude, longitude]}` |
//! | NaN, infinities | `{"$double": "NaN"}` |
//! | a map with one field whose name begins with `$` | `{"$map": {…}}` |
//! | a type that is newer than this program | `{"$unknown": null}`, which is never written |

use crate::Revision;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::{ArrayValue, Document, MapValue, Value as ProtoValue};
use gcloud_sdk::google::r#type::LatLng;
use gcloud_sdk::prost_types::Timestamp as ProtoTime;
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Number, Value, json};
use std::collections::HashMap;

/// The times in `sip` that are ours: times in Firestore, texts in the documents that we read and write.
const TIMES: [&str; 3] = ["created_at", "updated_at", "password_encrypted_at"];

pub(super) type Fields = HashMap<String, ProtoValue>;

/// A document as it lies in Firestore, in the form that [`crate::doc`] reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RawDocument {
    /// The last segment of its path.
    pub name: String,
    /// Its update time in microseconds since 1970.
    pub revision: Revision,
    pub body: Value,
}

impl From<Document> for RawDocument {
    fn from(document: Document) -> Self {
        let name = document.name.rsplit('/').next().unwrap_or_default().to_owned();
        let revision = document.update_time.as_ref().map_or(0, revision_of);
        Self { name, revision, body: body_of(&document.fields) }
    }
}

/// A body that Firestore cannot hold.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the field {field} cannot be stored in Firestore: {cause}")]
pub(super) struct Unwritable {
    pub field: String,
    pub cause: &'static str,
}

/// Microseconds since 1970: Firestore's times have no finer ones.
pub(super) fn revision_of(time: &ProtoTime) -> Revision {
    let micros = time.seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.nanos / 1_000));
    micros.unsigned_abs()
}

/// A document's fields as one JSON object.
pub(super) fn body_of(fields: &Fields) -> Value {
    let read = |(name, value): (&String, &ProtoValue)| {
        let value = match &value.value_type {
            Some(ValueType::MapValue(map)) if name == "sip" => sip_of(map),
            _ => json_of(value),
        };
        (name.clone(), value)
    };
    Value::Object(fields.iter().map(read).collect())
}

fn sip_of(map: &MapValue) -> Value {
    let read = |(name, value): (&String, &ProtoValue)| {
        let ours = TIMES.contains(&name.as_str());
        let text = ours.then(|| time_text(value)).flatten().map(Value::String);
        (name.clone(), text.unwrap_or_else(|| json_of(value)))
    };
    escaped(map.fields.iter().map(read).collect())
}

/// The text of a time; `None` when the value is not a time.
fn time_text(value: &ProtoValue) -> Option<String> {
    match &value.value_type {
        Some(ValueType::TimestampValue(time)) => Timestamp::new(time.seconds, time.nanos).ok().map(|t| t.to_string()),
        _ => None,
    }
}

fn json_of(value: &ProtoValue) -> Value {
    match &value.value_type {
        Some(ValueType::NullValue(_)) => Value::Null,
        Some(ValueType::BooleanValue(on)) => Value::Bool(*on),
        Some(ValueType::IntegerValue(number)) => json!(number),
        Some(ValueType::DoubleValue(number)) => match Number::from_f64(*number) {
            Some(number) => Value::Number(number),
            None => json!({"$double": number.to_string()}),
        },
        Some(ValueType::StringValue(text)) => json!(text),
        Some(ValueType::TimestampValue(_)) => time_text(value).map_or_else(unknown, |text| json!({"$timestamp": text})),
        Some(ValueType::BytesValue(bytes)) => json!({"$bytes": STANDARD.encode(bytes)}),
        Some(ValueType::ReferenceValue(path)) => json!({"$ref": path}),
        Some(ValueType::GeoPointValue(point)) => json!({"$geo": [point.latitude, point.longitude]}),
        Some(ValueType::ArrayValue(array)) => array.values.iter().map(json_of).collect(),
        Some(ValueType::MapValue(map)) => {
            escaped(map.fields.iter().map(|(name, value)| (name.clone(), json_of(value))).collect())
        }
        _ => unknown(),
    }
}

fn unknown() -> Value {
    json!({"$unknown": null})
}

/// A map that would pass for one of the tags is wrapped.
fn escaped(map: Map<String, Value>) -> Value {
    if tag(&map).is_some() { json!({"$map": map}) } else { Value::Object(map) }
}

/// The name and the content of a map's only field, when it begins with `$`.
fn tag(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut fields = map.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) if name.starts_with('$') => Some((name, value)),
        _ => None,
    }
}

/// Whether the JSON is a map in Firestore too, and not a tagged value.
pub(super) fn as_plain_map(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|map| tag(map).is_none())
}

/// A JSON object as a document's fields.
pub(super) fn fields_of(body: &Map<String, Value>) -> Result<Fields, Unwritable> {
    body.iter().map(|(name, value)| Ok((name.clone(), value_at(&[name], value)?))).collect()
}

/// The value of the field at `path`.
pub(super) fn value_at(path: &[&str], value: &Value) -> Result<ProtoValue, Unwritable> {
    let refused = |cause| Unwritable { field: path.join("."), cause };
    let value_type = match value {
        Value::Null => ValueType::NullValue(0),
        Value::Bool(on) => ValueType::BooleanValue(*on),
        Value::Number(number) => match (number.as_i64(), number.is_f64()) {
            (Some(number), _) => ValueType::IntegerValue(number),
            (None, true) => ValueType::DoubleValue(number.as_f64().unwrap_or_default()),
            (None, false) => return Err(refused("the number is above 9223372036854775807")),
        },
        Value::String(text) => match our_time(path, text) {
            Some(time) => ValueType::TimestampValue(time),
            None => ValueType::StringValue(text.clone()),
        },
        Value::Array(values) if values.iter().any(Value::is_array) => {
            return Err(refused("an array stands directly in another one"));
        }
        Value::Array(values) => {
            let values = values.iter().map(|value| value_at(path, value)).collect::<Result<_, _>>()?;
            ValueType::ArrayValue(ArrayValue { values })
        }
        Value::Object(map) => match tag(map) {
            Some((name, content)) => tagged(path, name, content)?,
            None => ValueType::MapValue(map_at(path, map)?),
        },
    };
    Ok(ProtoValue { value_type: Some(value_type) })
}

fn map_at(path: &[&str], map: &Map<String, Value>) -> Result<MapValue, Unwritable> {
    let write = |(name, value): (&String, &Value)| {
        let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
        Ok((name.clone(), value_at(&path, value)?))
    };
    Ok(MapValue { fields: map.iter().map(write).collect::<Result<_, _>>()? })
}

fn tagged(path: &[&str], name: &str, content: &Value) -> Result<ValueType, Unwritable> {
    let refused = || Unwritable { field: path.join("."), cause: "a value tagged with $ is not one that Firestore has" };
    let text = content.as_str();
    let value = match name {
        "$timestamp" => text.and_then(parse_time).map(ValueType::TimestampValue),
        "$bytes" => text.and_then(|text| STANDARD.decode(text).ok()).map(ValueType::BytesValue),
        "$ref" => text.map(|text| ValueType::ReferenceValue(text.to_owned())),
        "$double" => text.and_then(|text| text.parse().ok()).map(ValueType::DoubleValue),
        "$geo" => point(content).map(ValueType::GeoPointValue),
        "$map" => match content.as_object() {
            Some(map) => Some(ValueType::MapValue(map_at(path, map)?)),
            None => None,
        },
        _ => None,
    };
    value.ok_or_else(refused)
}

fn point(content: &Value) -> Option<LatLng> {
    let [latitude, longitude] = content.as_array()?.as_slice() else { return None };
    Some(LatLng { latitude: latitude.as_f64()?, longitude: longitude.as_f64()? })
}

/// The time that a text at one of our times' places stands for.
fn our_time(path: &[&str], text: &str) -> Option<ProtoTime> {
    match path {
        ["sip", field] if TIMES.contains(field) => parse_time(text),
        _ => None,
    }
}

/// The body as it will be read again: our times as Firestore keeps them.
pub(super) fn normal(body: &Map<String, Value>) -> Map<String, Value> {
    let mut body = body.clone();
    let sip = body.get_mut("sip").and_then(Value::as_object_mut);
    for (_, value) in sip.into_iter().flatten().filter(|(name, _)| TIMES.contains(&name.as_str())) {
        let stored =
            value.as_str().and_then(parse_time).map(|time| ProtoValue { value_type: Some(ValueType::TimestampValue(time)) });
        if let Some(text) = stored.as_ref().and_then(time_text) {
            *value = Value::String(text);
        }
    }
    body
}

/// The body as it would be read again, had it been written.
pub(super) fn as_stored(body: &Map<String, Value>) -> Result<Value, Unwritable> {
    Ok(body_of(&fields_of(body)?))
}

/// Whether a text there would be written as a time.
pub(super) fn is_our_time(path: &[&str], text: &str) -> bool {
    our_time(path, text).is_some()
}

/// RFC 3339; a time without an offset is UTC. Finer than microseconds is cut off, as Firestore does.
fn parse_time(text: &str) -> Option<ProtoTime> {
    let plain = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(plain)?;
    let micros = time.as_microsecond();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).ok()?;
    Some(ProtoTime { seconds: micros.div_euclid(1_000_000), nanos })
}

#[cfg(test)]
mod tests;
