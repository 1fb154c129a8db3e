//! Golden files: for each form of document how it reads, and what we write over it.
//!
//! `golden/<name>.json` is the document, `<name>.user.txt` the user it means, `<name>.written.json` the document after one
//! write of that user. After a wanted change run the tests with `CALLIE_GOLDEN=write` and look at the difference.

use super::{
    PASSWORD, SECRETS, TLS_CLIENT_KEY, essence, holds_typed_secret, is_sealed_from, read, reseal, seal_typed, secrets, write,
};
use crate::{DocFault, Keyring};
use callie_domain::{Secret, User, UserId};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use zeroize::Zeroizing;

fn alice() -> UserId {
    "alice".parse().expect("a valid id")
}

fn keyring() -> Keyring {
    Keyring::new("k2026a", [("k2026a".to_owned(), Zeroizing::new([7; 32]))], "test").expect("a valid keyring")
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("valid JSON")
}

fn alice_from(doc: &Value) -> Result<User, DocFault> {
    read(&alice(), doc, &keyring())
}

/// Compares with a golden file, or writes it when asked to.
fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("CALLIE_GOLDEN").is_some_and(|v| v == "write") {
        fs::write(&path, actual).expect("written");
    }
    let expected = fs::read_to_string(&path).expect("the golden file is there");
    if name.ends_with(".json") {
        assert_eq!(parse(actual), parse(&expected), "{name}");
    } else {
        assert_eq!(actual, expected, "{name}");
    }
}

fn check(name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.json"));
    let doc = parse(&fs::read_to_string(path).expect("the golden file is there"));
    let user = alice_from(&doc).expect("a usable document");
    assert_eq!(user.sip.password, Secret::new("secure_password"), "{name}");
    assert_eq!(alice_from(&essence(&doc)).as_ref(), Ok(&user), "{name}: what is left out makes no difference");
    golden(&format!("{name}.user.txt"), &format!("{user:#?}\n"));

    let mut written = write(&user, Some(&doc), &keyring(), now()).expect("written");
    assert_eq!(alice_from(&written).as_ref(), Ok(&user), "{name}: what is written reads as the same user");
    let again = write(&user, Some(&written), &keyring(), now()).expect("written");
    assert_eq!(again, written, "{name}: a second write changes nothing");
    for secret in SECRETS {
        let before: Vec<_> = secret.homes(&doc).into_iter().filter_map(|home| home.get(secret.field).cloned()).collect();
        for home in secret.homes_mut(&mut written) {
            // The nonce is drawn anew each time.
            if let Some(sealed) = home.get_mut(secret.field).filter(|sealed| !before.contains(sealed)) {
                *sealed = json!("(sealed)");
            }
        }
    }
    golden(&format!("{name}.written.json"), &format!("{written:#}\n"));
}

#[test]
fn a_full_document() {
    check("full");
}

#[test]
fn a_document_with_the_first_versions_maps_only() {
    check("seed_only");
}

#[test]
fn a_document_of_the_first_version_with_missing_maps() {
    check("python");
}

#[test]
fn a_document_with_every_setting_of_the_line() {
    check("line");
}

#[test]
fn a_document_with_webhooks_and_limits() {
    check("told_and_limited");
}

#[test]
fn a_document_with_tools() {
    check("tools");
}

#[test]
fn a_new_document_holds_no_clear_password() {
    let user = alice_from(&json!({"sip": {"sip_username": "a", "sip_password": "CANARY"}})).expect("usable");
    let doc = write(&user, None, &keyring(), now()).expect("written");
    assert!(!doc.to_string().contains("CANARY"));
    assert_eq!(doc["sip"]["password_encrypted_at"], "2026-11-22T12:00:00Z");
    assert_eq!(alice_from(&doc), Ok(user));
}

#[test]
fn what_is_missing_has_its_default() {
    let user =
        alice_from(&json!({"sip": {"sip_username": "a", "sip_password": "p", "sip_port": null}, "ai": null})).expect("usable");
    assert_eq!(user.display_name, "alice");
    assert_eq!((user.sip.server.to_string().as_str(), user.sip.port), ("sip.zoho.com", 5060));
    assert!(user.sip.is_active && !user.sip.connect);
    assert_eq!(user.device.mac_address.to_string(), "00:15:65:2b:d8:06");
    assert_eq!(user.created_at, Timestamp::UNIX_EPOCH);
}

#[test]
fn switches_set_by_the_sqlite_shell_are_numbers() {
    let doc = json!({"sip": {"sip_username": "a", "sip_password": "p", "is_active": 0, "connect": 1}});
    let user = alice_from(&doc).expect("usable");
    assert!(!user.sip.is_active && user.sip.connect);
}

fn faulty_fields(doc: &Value) -> Vec<String> {
    match alice_from(doc) {
        Err(DocFault::Fields(faults)) => faults.0.into_iter().map(|f| f.field).collect(),
        other => panic!("{doc} must have faulty fields: {other:?}"),
    }
}

#[test]
fn every_faulty_field_is_named_by_its_path() {
    let sip = json!({"sip_username": "a", "sip_password": "p"});
    for (doc, mut want) in [
        (json!({}), vec!["sip.sip_username", "sip.sip_password"]),
        (
            json!({"sip": 5, "device": [], "calls": "x", "ai": true}),
            vec!["ai", "calls", "device", "sip", "sip.sip_password", "sip.sip_username"],
        ),
        (
            json!({"sip": {"sip_username": 1, "sip_password": 2, "sip_port": "5060", "is_active": "yes", "created_at": 3,
                "user_id": "bob"}, "device": {"mac_address": "x"}, "calls": {"answer_timeout": 2, "rtp_port_min": -1}}),
            vec![
                "calls.rtp_port_min",
                "device.mac_address",
                "sip.created_at",
                "sip.is_active",
                "sip.sip_password",
                "sip.sip_port",
                "sip.sip_username",
                "sip.user_id",
            ],
        ),
        (json!({"sip": sip, "calls": {"rtp_port_min": 20000, "rtp_port_max": 10000}}), vec!["calls.rtp_port_max"]),
        (json!({"sip": {"sip_username": "a\r\nVia: x", "sip_password": "p"}}), vec!["sip.sip_username"]),
        (json!({"sip": {"sip_username": "a", "sip_password": ""}}), vec!["sip.sip_password"]),
        (
            json!({"sip": sip, "ai": {"engine": "hal9000", "language": "_", "temperature": "warm", "mood": "kept"}}),
            vec!["ai.engine", "ai.language", "ai.temperature"],
        ),
        (json!({"sip": sip, "calls": {"is_active": 2, "use_fixed_rtp_port": 2}}), vec!["calls.use_fixed_rtp_port"]),
    ] {
        let mut fields = faulty_fields(&doc);
        fields.sort_unstable();
        want.sort_unstable();
        assert_eq!(fields, want, "{doc}");
    }
}

#[test]
fn what_is_not_an_object_is_malformed() {
    for doc in [json!([]), json!("x"), json!(null), json!(1)] {
        assert!(matches!(alice_from(&doc), Err(DocFault::Malformed(_))), "{doc}");
    }
}

#[test]
fn faults_do_not_quote_passwords() {
    let ring = keyring();
    let moved = ring.seal(&"bob".parse().expect("valid"), PASSWORD.path, &Secret::new("CANARY")).expect("sealed");
    for password in [json!("CANARY\r\n"), json!({"x": "CANARY"}), json!(moved), json!("callie-enc:v9:CANARY")] {
        let fault = alice_from(&json!({"sip": {"sip_username": "a", "sip_password": password}})).expect_err("faulty");
        assert!(!format!("{fault} {fault:?}").contains("CANARY"));
    }
}

#[test]
fn a_sealed_password_that_does_not_open_is_neither_used_nor_overwritten() {
    let ring = keyring();
    let moved = ring.seal(&"bob".parse().expect("valid"), PASSWORD.path, &Secret::new("p")).expect("sealed");
    for sealed in [moved.as_str(), "callie-enc:v1:k1999x:AAAA", "callie-enc:v2:x", "callie-enc:v1:k2026a:AAAA"] {
        let mut doc = json!({"sip": {"sip_username": "a", "sip_password": sealed}});
        assert!(matches!(alice_from(&doc), Err(DocFault::SecretUndecryptable(_))), "{sealed}");
        let user = alice_from(&json!({"sip": {"sip_username": "a", "sip_password": "p"}})).expect("usable");
        assert!(write(&user, Some(&doc), &ring, now()).is_err(), "{sealed}");
        assert_eq!(seal_typed(&alice(), &mut doc, &ring, now()), Ok(false), "{sealed}");
        assert_eq!(doc["sip"]["sip_password"], sealed);
    }
}

#[test]
fn a_password_typed_in_clear_is_sealed_and_nothing_else_changes() {
    let typed = json!({"sip": {"sip_username": "a", "sip_password": "CANARY", "x": 1}, "y": 2});
    let mut doc = typed.clone();
    assert_eq!(seal_typed(&alice(), &mut doc, &keyring(), now()), Ok(true));
    assert!(!doc.to_string().contains("CANARY"));
    assert_eq!(alice_from(&doc), alice_from(&typed));
    let sip = doc["sip"].as_object_mut().expect("a map");
    assert_eq!(sip.remove("password_encrypted_at"), Some(json!("2026-11-22T12:00:00Z")));
    sip.insert("sip_password".into(), json!("CANARY"));
    assert_eq!(doc, typed);
    for nothing_to_seal in [json!({}), json!([]), json!({"sip": 5}), json!({"sip": {"sip_password": 5}})] {
        assert_eq!(seal_typed(&alice(), &mut nothing_to_seal.clone(), &keyring(), now()), Ok(false));
    }
}

/// A client key; its base64 is searched for.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHCANARYAMBMGB\n-----END PRIVATE KEY-----\n";

fn with_key(key: &str) -> Value {
    json!({"sip": {"sip_username": "a", "sip_password": "CANARY", "tls_client_key": key}})
}

#[test]
fn a_client_key_is_sealed_under_its_own_path() {
    let ring = keyring();
    let user = alice_from(&with_key(KEY)).expect("usable");
    let doc = write(&user, None, &ring, now()).expect("written");
    assert!(!doc.to_string().contains("CANARY"));
    assert_eq!(alice_from(&doc).as_ref(), Ok(&user));
    assert_eq!(write(&user, Some(&doc), &ring, now()), Ok(doc.clone()), "what is sealed stays");

    let mut swapped = doc.clone();
    swapped["sip"]["tls_client_key"] = doc["sip"]["sip_password"].clone();
    assert!(matches!(alice_from(&swapped), Err(DocFault::SecretUndecryptable(_))), "a secret of another field");
    assert!(write(&user, Some(&swapped), &ring, now()).is_err(), "and nothing is written over it");

    let keyless = alice_from(&json!({"sip": {"sip_username": "a", "sip_password": "CANARY"}})).expect("usable");
    let doc = write(&keyless, Some(&doc), &ring, now()).expect("written");
    assert_eq!(doc["sip"].get("tls_client_key"), None, "a key that was removed leaves nothing");
}

#[test]
fn a_typed_client_key_is_sealed_as_a_password_is() {
    let ring = keyring();
    for typed in [KEY.to_owned(), KEY.replace('\n', " ")] {
        let typed = with_key(&typed);
        let mut doc = typed.clone();
        assert!(holds_typed_secret(&doc));
        assert_eq!(seal_typed(&alice(), &mut doc, &ring, now()), Ok(true));
        assert!(!doc.to_string().contains("CANARY") && !holds_typed_secret(&doc));
        assert_eq!(alice_from(&doc), alice_from(&typed), "the same user");
        assert!(is_sealed_from(&alice(), &doc, &typed, &ring));
        // Only one of the two was typed.
        let mut half = typed.clone();
        half["sip"]["sip_password"] = doc["sip"]["sip_password"].clone();
        half["sip"]["password_encrypted_at"] = doc["sip"]["password_encrypted_at"].clone();
        assert!(is_sealed_from(&alice(), &doc, &half, &ring));
        half["sip"]["tls_client_key"] = json!("another");
        assert!(!is_sealed_from(&alice(), &doc, &half, &ring));
        assert!(!is_sealed_from(&alice(), &doc, &doc, &ring), "nothing was typed");
    }
}

#[test]
fn all_secrets_are_sealed_anew_together() {
    let old = keyring();
    let keys = [("k2026a", 7), ("k2027a", 8)].map(|(kid, byte)| (kid.to_owned(), Zeroizing::new([byte; 32])));
    let new = Keyring::new("k2027a", keys, "test").expect("valid");
    let mut doc = with_key(KEY);
    doc["webhooks"] = json!([{"url": "https://a/", "secret": "CANARY-CANARY-CANARY"}]);
    assert_eq!(reseal(&alice(), &mut doc, &old, now()), Ok(true));
    let user = read(&alice(), &doc, &old).expect("usable");
    assert_eq!(reseal(&alice(), &mut doc, &new, now()), Ok(true));
    assert_eq!(secrets(&doc).filter(|sealed| new.is_current(sealed)).count(), 3, "{doc}");
    assert_eq!(read(&alice(), &doc, &new), Ok(user));
    assert_eq!(reseal(&alice(), &mut doc, &new, now()), Ok(false));
}

fn with_hooks(hooks: Value) -> Value {
    json!({"sip": {"sip_username": "a", "sip_password": "p"}, "webhooks": hooks})
}

#[test]
fn typed_secrets_of_webhooks_are_sealed_wherever_they_stand() {
    let ring = keyring();
    let typed = with_hooks(
        json!([{"url": "https://a", "secret": "CANARY-CANARY-CANARY"}, {"url": "https://b/", "secret": "CANARY-CANARY-CANARY"}]),
    );
    let mut doc = typed.clone();
    assert_eq!(seal_typed(&alice(), &mut doc, &ring, now()), Ok(true));
    assert!(!doc.to_string().contains("CANARY") && !holds_typed_secret(&doc));
    assert_eq!(alice_from(&doc), alice_from(&typed), "the same user");
    assert!(is_sealed_from(&alice(), &doc, &typed, &ring));
    let user = alice_from(&doc).expect("usable");
    let mut turned = doc.clone();
    turned["webhooks"].as_array_mut().expect("a list").reverse();
    assert!(alice_from(&turned).is_ok(), "entries may change places");
    let written = write(&user, Some(&doc), &ring, now()).expect("written");
    assert_eq!(written["webhooks"][1], doc["webhooks"][1], "what is sealed stays");
    assert_eq!(written["webhooks"][0]["secret"], doc["webhooks"][0]["secret"], "however its URL was typed");
    let mut moved = doc.clone();
    moved["webhooks"][0]["secret"] = json!(ring.seal(&alice(), PASSWORD.path, &Secret::new("p")).expect("sealed"));
    assert!(matches!(alice_from(&moved), Err(DocFault::SecretUndecryptable(_))), "a secret of another field");
}

#[test]
fn what_is_wrong_with_a_webhook_is_named_by_its_place() {
    for (hooks, want) in [
        (json!(5), "webhooks"),
        (json!([{"url": "https://a"}]), "webhooks[0].secret"),
        (json!([{"url": "nowhere", "secret": "0123456789abcdef"}]), "webhooks[0].url"),
        (json!([{"url": "https://a", "secret": "0123456789abcdef", "active": 2}]), "webhooks[0].active"),
    ] {
        assert_eq!(faulty_fields(&with_hooks(hooks.clone())), [want], "{hooks}");
    }
}

fn with_tools(tools: Value) -> Value {
    json!({"sip": {"sip_username": "a", "sip_password": "p"}, "ai": {"tools": tools}})
}

fn sealed_tools() -> (Value, Keyring) {
    let tool = json!({"name": "find", "description": "Finds.", "url": "https://crm.example/{id}", "headers": "X-Key: CANARY",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}});
    let server = json!({"name": "cal", "url": "https://mcp.example/", "headers": "Authorization: CANARY"});
    (with_tools(json!({"http": [tool], "mcp": [server]})), keyring())
}

#[test]
fn headers_of_tools_are_sealed_for_the_server_that_they_go_to() {
    let (typed, ring) = sealed_tools();
    let mut doc = typed.clone();
    assert_eq!(seal_typed(&alice(), &mut doc, &ring, now()), Ok(true));
    assert!(!doc.to_string().contains("CANARY") && !holds_typed_secret(&doc));
    assert_eq!(alice_from(&doc), alice_from(&typed), "the same user");
    assert!(is_sealed_from(&alice(), &doc, &typed, &ring));
    for (list, url, opens) in [
        ("http", "https://crm.example/v2/{id}", true),
        ("http", "https://evil.example/{id}", false),
        ("http", "http://crm.example/{id}", false),
        ("mcp", "https://mcp.example/v2", true),
        ("mcp", "https://evil.example/", false),
    ] {
        let mut moved = doc.clone();
        moved["ai"]["tools"][list][0]["url"] = json!(url);
        assert_eq!(alice_from(&moved).is_ok(), opens, "{list} {url}: somebody who can write the document cannot read the secret");
    }
    let mut swapped = doc.clone();
    swapped["ai"]["tools"]["http"][0]["headers"] = doc["sip"]["sip_password"].clone();
    swapped["ai"]["tools"]["mcp"][0]["headers"] = doc["ai"]["tools"]["http"][0]["headers"].clone();
    assert!(matches!(alice_from(&swapped), Err(DocFault::SecretUndecryptable(_))));
}

#[test]
fn headers_follow_their_tool_to_another_server_only_when_they_are_given_again() {
    let (typed, ring) = sealed_tools();
    let mut doc = typed;
    seal_typed(&alice(), &mut doc, &ring, now()).expect("sealed");
    let mut user = alice_from(&doc).expect("usable");
    user.tools.http[0].url = "https://new.example/{id}".into();
    user.tools.mcp.clear();
    let written = write(&user, Some(&doc), &ring, now()).expect("written");
    assert_eq!(alice_from(&written).as_ref(), Ok(&user));
    assert!(!written.to_string().contains("CANARY"));
}

#[test]
fn headers_that_cannot_be_sealed_are_a_fault() {
    let tool = json!({"name": "find", "description": "Finds.", "url": "https://crm.example/", "headers": {"X": "CANARY"}});
    assert_eq!(faulty_fields(&with_tools(json!({"http": [tool]}))), ["ai.tools.http[0].headers"]);
    assert_eq!(faulty_fields(&with_tools(json!({"http": 5, "colour": "kept"}))), ["ai.tools.http"]);
}

#[test]
fn a_sealed_text_that_is_no_key_is_a_fault_of_its_field() {
    let ring = keyring();
    let mut doc = with_key("");
    doc["sip"]["tls_client_key"] = json!(ring.seal(&alice(), TLS_CLIENT_KEY.path, &Secret::new("CANARY")).expect("sealed"));
    assert_eq!(faulty_fields(&doc), ["sip.tls_client_key"]);
    assert!(!format!("{:?}", alice_from(&doc)).contains("CANARY"));
    assert!(matches!(alice_from(&with_key("callie-enc:v1:gone:AAAA")), Err(DocFault::SecretUndecryptable(_))));
}

#[test]
fn an_old_key_gives_way_to_the_primary_on_the_next_write() {
    let old = keyring();
    let user = alice_from(&json!({"sip": {"sip_username": "a", "sip_password": "p"}})).expect("usable");
    let doc = write(&user, None, &old, now()).expect("written");
    let keys = [("k2026a", 7), ("k2027a", 8)].map(|(kid, byte)| (kid.to_owned(), Zeroizing::new([byte; 32])));
    let new = Keyring::new("k2027a", keys, "test").expect("valid");
    let written = write(&user, Some(&doc), &new, now()).expect("written");
    assert!(new.is_current(written["sip"]["sip_password"].as_str().expect("a text")));
    assert_eq!(read(&alice(), &written, &new), Ok(user));
}

#[test]
fn the_essence_holds_no_password_where_none_belongs() {
    let stray = json!({"sip": {"sip_username": "a", "sip_password": "sealed", "password": "stray", "created_at": "2026-01-15T10:30:00Z"},
        "sip_password": "stray", "notes": {"password": "stray"}, "device": "stray"});
    let kept = json!({"sip": {"sip_username": "a", "sip_password": "sealed", "created_at": "2026-01-15T10:30:00Z"}});
    assert_eq!(essence(&stray), kept);
    assert_eq!(essence(&json!("stray")), Value::Null);
}
