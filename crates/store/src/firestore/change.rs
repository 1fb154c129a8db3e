//! What changes in a document, as Firestore is told it: the paths that differ and their new values. What is not named stays,
//! also what this program does not know.

use super::value::{Fields, Unwritable, as_plain_map, body_of, is_our_time, value_at};
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::{MapValue, Value as ProtoValue};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The difference between a stored document and what it shall be.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Change {
    /// The new values, in their maps.
    pub fields: Fields,
    /// Each path that is set or, when `fields` has nothing there, deleted.
    pub mask: Vec<String>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.mask.is_empty()
    }
}

/// What must be written so that `stored` becomes `wanted`. One of our times that is stored as a text becomes a time.
pub(super) fn between(stored: &Fields, wanted: &Map<String, Value>) -> Result<Change, Unwritable> {
    let mut change = Change::default();
    if let Value::Object(old) = body_of(stored) {
        compare(&mut change, &[], &old, Some(stored), wanted)?;
    }
    Ok(change)
}

fn compare(
    change: &mut Change,
    above: &[&str],
    old: &Map<String, Value>,
    stored: Option<&Fields>,
    new: &Map<String, Value>,
) -> Result<(), Unwritable> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names {
        let path: Vec<&str> = above.iter().copied().chain([name.as_str()]).collect();
        let stored = stored.and_then(|fields| fields.get(name));
        let Some(value) = new.get(name) else {
            change.mask.push(quoted(&path));
            continue;
        };
        match (old.get(name).and_then(as_plain_map), as_plain_map(value)) {
            (Some(old), Some(new)) => compare(change, &path, old, stored.and_then(inner), new)?,
            _ if old.get(name) == Some(value) && !is_text_of_time(&path, stored) => {}
            _ => {
                put(&mut change.fields, &path, value_at(&path, value)?);
                change.mask.push(quoted(&path));
            }
        }
    }
    Ok(())
}

fn inner(value: &ProtoValue) -> Option<&Fields> {
    match &value.value_type {
        Some(ValueType::MapValue(map)) => Some(&map.fields),
        _ => None,
    }
}

fn is_text_of_time(path: &[&str], stored: Option<&ProtoValue>) -> bool {
    match stored.and_then(|value| value.value_type.as_ref()) {
        Some(ValueType::StringValue(text)) => is_our_time(path, text),
        _ => false,
    }
}

fn put(fields: &mut Fields, path: &[&str], value: ProtoValue) {
    match path {
        [] => {}
        [name] => drop(fields.insert((*name).to_owned(), value)),
        [name, below @ ..] => {
            let slot = fields
                .entry((*name).to_owned())
                .or_insert_with(|| ProtoValue { value_type: Some(ValueType::MapValue(MapValue::default())) });
            if let Some(ValueType::MapValue(map)) = &mut slot.value_type {
                put(&mut map.fields, below, value);
            }
        }
    }
}

/// A field path: what is no plain identifier stands in backquotes.
pub(super) fn quoted(path: &[&str]) -> String {
    let segments: Vec<_> =
        path.iter().map(|name| if is_plain(name) { (*name).to_owned() } else { in_backquotes(name) }).collect();
    segments.join(".")
}

fn is_plain(name: &str) -> bool {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn in_backquotes(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[cfg(test)]
mod tests;
