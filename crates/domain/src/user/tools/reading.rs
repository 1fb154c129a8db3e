//! Lists and small things that both kinds of outside tool are described with.

use super::super::field::Field;
use crate::Faults;
use serde_json::{Map, Value};

/// A list of objects with a name each; `null` is the empty list.
pub(super) fn list<T>(
    field: &Field<'_>,
    faults: &mut Faults,
    most: usize,
    read_one: impl Fn(&str, &Map<String, Value>, &mut Faults) -> Option<T>,
    name: impl Fn(&T) -> &str,
) -> Option<Vec<T>> {
    let entries = match field.value {
        Value::Null => return Some(Vec::new()),
        Value::Array(entries) if entries.len() <= most => entries,
        _ => {
            faults.add(field.path, format!("must be a list of at most {most}"));
            return None;
        }
    };
    let before = faults.0.len();
    let mut read: Vec<T> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("{}[{index}]", field.path);
        let Some(map) = entry.as_object() else {
            faults.add(path, "must be an object");
            continue;
        };
        let Some(one) = read_one(&path, map, faults) else { continue };
        if read.iter().any(|earlier| name(earlier) == name(&one)) {
            faults.add(format!("{path}.name"), "names another one already");
        }
        read.push(one);
    }
    (faults.0.len() == before).then_some(read)
}

/// Some of the known words, each once.
pub(super) fn words<T: Copy + PartialEq>(
    field: &Field<'_>,
    faults: &mut Faults,
    known: &[T],
    name: impl Fn(T) -> &'static str,
) -> Option<Vec<T>> {
    let find = |item: &Value| {
        let word = item.as_str()?.trim();
        known.iter().copied().find(|one| name(*one) == word)
    };
    let read: Option<Vec<T>> = field.value.as_array().and_then(|items| items.iter().map(find).collect());
    let Some(mut read) = read else {
        let known: Vec<_> = known.iter().map(|one| name(*one)).collect();
        faults.add(field.path, format!("must be a list of some of {}", known.join(", ")));
        return None;
    };
    let all = read.clone();
    let mut index = 0;
    read.retain(|one| {
        index += 1;
        !all[..index - 1].contains(one)
    });
    Some(read)
}

impl Field<'_> {
    /// What a model calls it by: small letters, digits and `_`.
    pub(super) fn tool_name(&self, faults: &mut Faults, longest: usize) -> Option<String> {
        let name = self.text(faults, 1, longest)?;
        let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if fits {
            return Some(name);
        }
        self.refuse(faults, "must begin with a small letter and have small letters, digits and _ only")
    }

    pub(super) fn refuse<T>(&self, faults: &mut Faults, problem: &str) -> Option<T> {
        faults.add(self.path, problem);
        None
    }
}

pub(super) fn require(path: &str, map: &Map<String, Value>, keys: &[&str], faults: &mut Faults) {
    for key in keys.iter().filter(|key| !map.contains_key(**key)) {
        faults.add(format!("{path}.{key}"), "is required");
    }
}
