//! What differs between two documents, as paths and values.

use super::*;
use crate::firestore::value::fields_of;
use serde_json::json;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} must be an object"),
    }
}

fn stored(value: Value) -> Fields {
    fields_of(&object(value)).expect("writable")
}

/// The paths to be written, and what is written.
fn check(old: Value, new: Value, mask: &[&str], fields: Value) {
    let change = between(&stored(old.clone()), &object(new.clone())).expect("writable");
    assert_eq!(change.mask, mask, "{old} to {new}");
    assert_eq!(change.fields, stored(fields), "{old} to {new}");
}

#[test]
fn only_what_differs_is_named() {
    check(json!({"a": 1, "m": {"b": [1], "c": null}}), json!({"a": 1, "m": {"b": [1], "c": null}}), &[], json!({}));
    check(json!({"m": {"b": 1, "c": 2}}), json!({"m": {"b": 1, "c": 3}}), &["m.c"], json!({"m": {"c": 3}}));
    check(json!({"m": {"b": 1, "c": 2}}), json!({"m": {"b": 1}}), &["m.c"], json!({}));
    check(json!({}), json!({"m": {"b": 1}}), &["m"], json!({"m": {"b": 1}}));
    check(json!({"m": 5}), json!({"m": {"b": 1}}), &["m"], json!({"m": {"b": 1}}));
    check(json!({"m": {"b": 1}}), json!({"m": {}}), &["m.b"], json!({}));
    check(json!({"m": {"b": 1}}), json!({"m": 5}), &["m"], json!({"m": 5}));
    check(json!({"a": 1}), json!({"a": 1.0}), &["a"], json!({"a": 1.0}));
    check(json!({"l": [1, 2]}), json!({"l": [1]}), &["l"], json!({"l": [1]}));
    check(
        json!({"a": {"b": {"c": 1, "d": 2}}}),
        json!({"a": {"b": {"c": 9, "d": 2}}}),
        &["a.b.c"],
        json!({"a": {"b": {"c": 9}}}),
    );
}

#[test]
fn tagged_values_are_whole() {
    let time = |text: &str| json!({"m": {"at": {"$timestamp": text}}});
    check(time("2026-01-15T10:30:00Z"), time("2026-01-15T10:30:00Z"), &[], json!({}));
    check(time("2026-01-15T10:30:00Z"), time("2026-01-15T10:30:01Z"), &["m.at"], time("2026-01-15T10:30:01Z"));
    check(json!({"x": {"$map": {"$a": 1}}}), json!({"x": {"$map": {"$a": 2}}}), &["x"], json!({"x": {"$map": {"$a": 2}}}));
    check(json!({"x": {"$map": {"$a": 1}}}), json!({"x": {"b": 1}}), &["x"], json!({"x": {"b": 1}}));
}

#[test]
fn odd_names_stand_in_backquotes() {
    check(
        json!({"a.b": {"c d": 1, "1": 2, "_e": 3, "ü": 4}}),
        json!({"a.b": {"c d": 9, "1": 9, "_e": 9, "ü": 9}}),
        &["`a.b`.`1`", "`a.b`._e", "`a.b`.`c d`", "`a.b`.`ü`"],
        json!({"a.b": {"c d": 9, "1": 9, "_e": 9, "ü": 9}}),
    );
    assert_eq!(quoted(&["x", "a`b\\c"]), "x.`a\\`b\\\\c`");
    assert_eq!(quoted(&[""]), "``");
}

#[test]
fn one_of_our_times_stored_as_a_text_becomes_a_time() {
    let text = ProtoValue { value_type: Some(ValueType::StringValue("2024-01-15T10:30:00Z".to_owned())) };
    let sip = MapValue { fields: Fields::from([("created_at".to_owned(), text)]) };
    let old = Fields::from([("sip".to_owned(), ProtoValue { value_type: Some(ValueType::MapValue(sip)) })]);
    let new = object(json!({"sip": {"created_at": "2024-01-15T10:30:00Z"}}));
    let change = between(&old, &new).expect("writable");
    assert_eq!(change.mask, ["sip.created_at"]);
    assert!(between(&stored(json!({"sip": {"created_at": "2024-01-15T10:30:00Z"}})), &new).expect("writable").is_empty());
}

#[test]
fn a_type_that_is_newer_than_this_program_is_left_alone() {
    let newer = ProtoValue { value_type: None };
    let old =
        Fields::from([("x".to_owned(), newer), ("y".to_owned(), ProtoValue { value_type: Some(ValueType::IntegerValue(1)) })]);
    let mut new = object(body_of(&old));
    new.insert("y".to_owned(), json!(2));
    assert_eq!(between(&old, &new).expect("writable").mask, ["y"]);
}
