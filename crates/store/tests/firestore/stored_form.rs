//! What lies in Firestore, to the type: the first version's console and programs read it.

use crate::bench::{LabBench, Suited, keys};
use crate::json::{Fields, field, object, time};
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, Secret, User, UserId};
use callie_lab::firestore::ListenStyle;
use callie_store::{ConfigStore as _, DocumentStore as _, SqliteStore, StoreError, migration};
use gcloud_sdk::google::firestore::v1::value::ValueType;
use gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue, Value as Field};
use gcloud_sdk::google::r#type::LatLng;
use jiff::Timestamp;
use serde_json::json;

/// Each case is a test on the lab's server, and part of the one on Google's emulator.
macro_rules! cases {
    ($($case:ident,)*) => {
        mod on_the_lab {
            $(
                #[tokio::test]
                async fn $case() {
                    let bench = super::LabBench::start(super::ListenStyle::Deltas).await;
                    super::$case(&bench.into()).await;
                }
            )*
        }

        pub async fn every<F: Future<Output = Suited>>(make: impl Fn() -> F) {
            $($case(&make().await).await;)*
        }
    };
}

cases! {
    a_new_user_is_exactly_the_first_versions_document,
    unknown_fields_of_every_type_outlive_a_write,
    every_type_is_carried,
    a_document_that_firestore_cannot_hold_is_left_behind_alone,
    a_write_touches_what_it_changes_and_nothing_else,
    documents_of_the_first_version_are_read_and_become_ours_by_a_write,
}

fn alice() -> UserId {
    "alice".parse().expect("valid")
}

fn user() -> User {
    let body = json!({"user_id": "alice", "display_name": "Alice Johnson", "sip_username": "alice@company.com",
        "sip_password": "secure_password", "greeting": "Hi!"});
    let now: Timestamp = "2026-01-15T10:30:00.123456789Z".parse().expect("a time");
    UserInput::from_json(&body).expect("valid").create(now, MacAddress::generate([1, 2, 3])).expect("valid")
}

fn text(text: &str) -> Field {
    field(ValueType::StringValue(text.to_owned()))
}

fn number(number: i64) -> Field {
    field(ValueType::IntegerValue(number))
}

fn switch(on: bool) -> Field {
    field(ValueType::BooleanValue(on))
}

fn map<const N: usize>(fields: [(&str, Field); N]) -> Field {
    field(ValueType::MapValue(MapValue { fields: named(fields) }))
}

fn named<const N: usize>(fields: [(&str, Field); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn inner<'a>(fields: &'a mut Fields, name: &str) -> &'a mut Fields {
    match fields.get_mut(name).and_then(|field| field.value_type.as_mut()) {
        Some(ValueType::MapValue(map)) => &mut map.fields,
        other => panic!("{name} must be a map: {other:?}"),
    }
}

async fn stored(bench: &Suited) -> Fields {
    bench.console.get("user_configs/alice").await.expect("there").fields
}

/// Reads and writes until nobody was quicker: the store seals typed passwords by itself meanwhile.
async fn greet(bench: &Suited, greeting: &str) {
    loop {
        let read = bench.node.store.get(&alice()).await.expect("answered").expect("there");
        let mut changed = (*read.user).clone();
        changed.calls.default_greeting = greeting.to_owned();
        match bench.node.store.put(&changed, read.revision).await {
            Ok(_) => return,
            Err(StoreError::Conflict(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
}

async fn a_new_user_is_exactly_the_first_versions_document(bench: &Suited) {
    let created = bench.node.store.create(&user()).await.expect("created");
    let mut fields = stored(bench).await;
    let sip = inner(&mut fields, "sip");
    match sip.remove("sip_password").and_then(|field| field.value_type) {
        Some(ValueType::StringValue(sealed)) => assert!(sealed.starts_with("callie-enc:v1:k2026a:"), "{sealed}"),
        other => panic!("must be a text: {other:?}"),
    }
    match sip.remove("password_encrypted_at").and_then(|field| field.value_type) {
        Some(ValueType::TimestampValue(_)) => {}
        other => panic!("must be a time: {other:?}"),
    }
    let expected = named([
        (
            "sip",
            map([
                ("user_id", text("alice")),
                ("display_name", text("Alice Johnson")),
                ("sip_username", text("alice@company.com")),
                ("sip_server", text("sip.zoho.com")),
                ("sip_port", number(5060)),
                ("account_label", text("Alice")),
                ("is_active", switch(true)),
                ("connect", switch(false)),
                ("transport", text("udp")),
                // Firestore keeps microseconds.
                ("created_at", time("2026-01-15T10:30:00.123456Z")),
                ("updated_at", time("2026-01-15T10:30:00.123456Z")),
            ]),
        ),
        (
            "device",
            map([
                ("user_id", text("alice")),
                ("mac_address", text("00:15:65:01:02:03")),
                ("model", text("SIP-T46S")),
                ("firmware", text("66.85.0.5")),
                ("custom_user_agent", field(ValueType::NullValue(0))),
            ]),
        ),
        (
            "calls",
            map([
                ("user_id", text("alice")),
                ("default_greeting", text("Hi!")),
                ("max_call_duration", number(1800)),
                ("answer_timeout", number(30)),
                ("rtp_port_min", number(10000)),
                ("rtp_port_max", number(10100)),
                ("use_fixed_rtp_port", switch(true)),
            ]),
        ),
    ]);
    assert_eq!(object(&fields), object(&expected));
    assert_eq!(fields, expected, "to the type");
    assert_eq!(bench.node.store.get(&alice()).await.expect("answered"), Some(created), "what was answered is what is read");
}

fn every_type() -> Field {
    map([
        ("null", field(ValueType::NullValue(0))),
        ("boolean", switch(true)),
        ("integer", number(i64::MIN)),
        ("double", field(ValueType::DoubleValue(1.0))),
        ("infinite", field(ValueType::DoubleValue(f64::NEG_INFINITY))),
        ("time", time("2026-01-15T10:30:00.5Z")),
        ("text", text("☎")),
        ("bytes", field(ValueType::BytesValue(vec![0, 255]))),
        ("reference", field(ValueType::ReferenceValue("projects/p/databases/(default)/documents/a/b".to_owned()))),
        ("point", field(ValueType::GeoPointValue(LatLng { latitude: 48.2, longitude: -16.4 }))),
        ("array", field(ValueType::ArrayValue(ArrayValue { values: vec![number(1), map([("$bytes", text("no tag"))])] }))),
        ("map", map([("$timestamp", text("no tag either"))])),
        ("a.b `c` \\d", number(1)),
    ])
}

async fn unknown_fields_of_every_type_outlive_a_write(bench: &Suited) {
    bench.node.store.create(&user()).await.expect("created");
    let mut fields = stored(bench).await;
    fields.insert("extra".to_owned(), every_type());
    for name in ["sip", "device", "calls"] {
        inner(&mut fields, name).insert("extra.of `ours`".to_owned(), every_type());
    }
    bench.console.put("user_configs/alice", fields.clone()).await;
    greet(bench, "Two").await;
    inner(&mut fields, "calls").insert("default_greeting".to_owned(), text("Two"));
    assert_eq!(stored(bench).await, fields);
}

/// A migration reads documents and writes them elsewhere: nothing may be lost on the way through JSON.
async fn every_type_is_carried(bench: &Suited) {
    bench.console.put("user_configs/alice", named([("extra", every_type())])).await;
    let page = bench.node.store.documents(None, 10).await.expect("listed");
    let body = page[0].body.clone().expect("JSON");
    bench.node.store.adopt(&"bob".parse().expect("valid"), &body).await.expect("adopted");
    assert_eq!(bench.console.get("user_configs/bob").await.expect("there").fields, named([("extra", every_type())]));
}

async fn a_document_that_firestore_cannot_hold_is_left_behind_alone(bench: &Suited) {
    let folder = tempfile::tempdir().expect("a folder");
    let local = SqliteStore::open(&folder.path().join("callie.db"), keys(&[("k", 7)])).expect("opened");
    for (name, extra) in [("a", json!(1)), ("b", json!(u64::MAX)), ("c", json!([[1]])), ("d", json!([1]))] {
        let body = json!({"sip": {"sip_username": "x"}, "extra": extra});
        local.adopt(&name.parse().expect("valid"), &body).await.expect("adopted");
    }
    let carried = migration::carry(&local, &bench.node.store, |_| ()).await.expect("carried");
    local.close().await;
    let left: Vec<_> = carried.left_behind.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((carried.written, left), (2, vec!["b", "c"]), "{carried:?}");
    assert!(carried.left_behind.iter().all(|(_, reason)| reason.contains("the field extra")), "{carried:?}");
}

async fn a_write_touches_what_it_changes_and_nothing_else(bench: &Suited) {
    let created = bench.node.store.create(&user()).await.expect("created");
    let same = bench.node.store.put(&created.user, created.revision).await.expect("written");
    assert_eq!(same, created, "nothing to write, nothing written");

    let mut caller = (*created.user).clone();
    caller.sip.caller_id = Some("+431234".to_owned());
    let with = bench.node.store.put(&caller, created.revision).await.expect("written");
    assert_eq!(inner(&mut stored(bench).await, "sip").get("caller_id"), Some(&text("+431234")));
    caller.sip.caller_id = None;
    bench.node.store.put(&caller, with.revision).await.expect("written");
    assert_eq!(inner(&mut stored(bench).await, "sip").get("caller_id"), None, "a setting taken back leaves no field");
}

async fn documents_of_the_first_version_are_read_and_become_ours_by_a_write(bench: &Suited) {
    for created_at in
        [time("2024-01-15T10:30:00.123456Z"), text("2024-01-15T10:30:00.123456"), text("2024-01-15T10:30:00.123456Z")]
    {
        let sip = map([
            ("user_id", text("alice")),
            ("display_name", text("Alice Johnson")),
            ("sip_username", text("ext1001")),
            ("sip_password", text("secure_password")),
            ("is_active", switch(true)),
            ("created_at", created_at.clone()),
            ("updated_at", created_at),
        ]);
        bench.console.put("user_configs/alice", named([("sip", sip)])).await;
        let read = bench.node.store.get(&alice()).await.expect("answered").expect("there");
        assert_eq!(read.user.sip.password, Secret::new("secure_password"));
        assert_eq!(read.user.created_at.to_string(), "2024-01-15T10:30:00.123456Z");
        greet(bench, "Two").await;
        let mut fields = stored(bench).await;
        let sip = inner(&mut fields, "sip");
        for name in ["created_at", "updated_at"] {
            assert_eq!(sip.get(name), Some(&time("2024-01-15T10:30:00.123456Z")), "{name} is a time now");
        }
        let password = format!("{:?}", sip.get("sip_password"));
        assert!(password.contains("callie-enc:v1:") && !password.contains("secure_password"));
    }
}
