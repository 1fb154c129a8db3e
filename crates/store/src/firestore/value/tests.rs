//! Firestore's values there and back.

use super::*;
use proptest::prelude::*;

fn field(value: ValueType) -> ProtoValue {
    ProtoValue { value_type: Some(value) }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,4}", "\\$(timestamp|bytes|map|geo|x)", Just("sip".to_owned()), Just("created_at".to_owned()), ".{0,3}"]
}

/// Any value that Firestore can hold.
fn values() -> impl Strategy<Value = ProtoValue> {
    let leaf = prop_oneof![
        Just(ValueType::NullValue(0)),
        any::<bool>().prop_map(ValueType::BooleanValue),
        any::<i64>().prop_map(ValueType::IntegerValue),
        any::<f64>().prop_filter("NaN differs from itself", |n| !n.is_nan()).prop_map(ValueType::DoubleValue),
        prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(3.0)].prop_map(ValueType::DoubleValue),
        (-62_135_596_800_i64..253_402_207_200, 0..1_000_000_i32)
            .prop_map(|(seconds, micros)| ValueType::TimestampValue(ProtoTime { seconds, nanos: micros * 1_000 })),
        ".{0,8}".prop_map(ValueType::StringValue),
        any::<Vec<u8>>().prop_map(ValueType::BytesValue),
        "[a-z/()]{1,20}".prop_map(ValueType::ReferenceValue),
        (-90.0..90.0_f64, -180.0..180.0_f64)
            .prop_map(|(latitude, longitude)| ValueType::GeoPointValue(LatLng { latitude, longitude })),
    ];
    leaf.prop_map(field).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|mut values| {
                // An array stands in no other one directly.
                values.retain(|value| !matches!(value.value_type, Some(ValueType::ArrayValue(_))));
                field(ValueType::ArrayValue(ArrayValue { values }))
            }),
            prop::collection::hash_map(names(), inner, 0..4).prop_map(|fields| field(ValueType::MapValue(MapValue { fields }))),
        ]
    })
}

/// A text in the place of one of our times is written as a time: not what this is about.
fn without_our_times(mut fields: Fields) -> Fields {
    if let Some(ValueType::MapValue(sip)) = fields.get_mut("sip").and_then(|sip| sip.value_type.as_mut()) {
        sip.fields.retain(|name, value| !TIMES.contains(&name.as_str()) || time_text(value).is_some());
    }
    fields
}

proptest! {
    #[test]
    fn every_value_comes_back_as_it_was(fields in prop::collection::hash_map(names(), values(), 0..4)) {
        let fields = without_our_times(fields);
        let Value::Object(body) = body_of(&fields) else { panic!("an object") };
        prop_assert_eq!(&fields_of(&body).expect("writable"), &fields);
        prop_assert_eq!(normal(&body), body);
    }
}

#[test]
fn nan_is_told_as_such() {
    let nan = field(ValueType::DoubleValue(f64::NAN));
    let json = json_of(&nan);
    assert_eq!(json, json!({"$double": "NaN"}));
    assert!(matches!(value_at(&["x"], &json).expect("writable").value_type, Some(ValueType::DoubleValue(n)) if n.is_nan()));
}

#[test]
fn what_firestore_cannot_hold_is_named() {
    let unwritable = |body: Value| fields_of(body.as_object().expect("an object")).expect_err("refused").to_string();
    let large = unwritable(json!({"a": {"b": u64::MAX}}));
    assert!(large.contains("a.b") && large.contains("9223372036854775807"), "{large}");
    for tagged in [
        json!({"$unknown": null}),
        json!({"$timestamp": "noon"}),
        json!({"$geo": [1]}),
        json!({"$bytes": "?"}),
        json!({"$map": 1}),
    ] {
        assert!(unwritable(json!({"x": [tagged]})).contains('x'));
    }
}

#[test]
fn our_times_are_texts_and_keep_microseconds() {
    let body = json!({"sip": {"created_at": "2026-01-15T11:30:00.123456789+01:00", "updated_at": "2024-01-15T10:30:00.5", "note_at": "noon"}});
    let normal = normal(body.as_object().expect("an object"));
    let expected =
        json!({"sip": {"created_at": "2026-01-15T10:30:00.123456Z", "updated_at": "2024-01-15T10:30:00.5Z", "note_at": "noon"}});
    assert_eq!(Value::Object(normal.clone()), expected);
    assert_eq!(as_stored(&normal), Ok(expected));
}

#[test]
fn a_revision_is_the_update_time_in_microseconds() {
    let time = ProtoTime { seconds: 1_768_473_000, nanos: 123_456_000 };
    assert_eq!(revision_of(&time), 1_768_473_000_123_456);
}
