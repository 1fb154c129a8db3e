//! What may stand in `ai.tools`, and what of it stays when it is changed.

use super::super::input::UserInput;
use super::super::user_of_tests;
use super::*;
use crate::{Secret, User};
use jiff::Timestamp;
use serde_json::json;

fn put(old: &User, tools: Value) -> Result<User, Faults> {
    UserInput::from_json(&json!({"ai": {"tools": tools}}))?.apply(old, Timestamp::UNIX_EPOCH)
}

fn crm() -> Value {
    json!({"name": "find_order", "description": "Finds an order.", "url": "https://crm.example/orders/{id}?full={full}",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}, "full": {"type": "boolean"}}},
        "headers": {"Authorization": "Bearer abc"}})
}

#[test]
fn who_chooses_nothing_has_the_usual_tools() {
    let user = user_of_tests();
    assert!(user.tools.has(BuiltIn::EndCall) && !user.tools.has(BuiltIn::SendDtmf));
    let chosen = put(&user, json!({"enabled": ["send_dtmf", "end_call", "send_dtmf"], "keys": {"digits": "12a"}}));
    let chosen = chosen.expect("valid");
    assert_eq!(chosen.tools.enabled(), [BuiltIn::SendDtmf, BuiltIn::EndCall]);
    assert_eq!(chosen.tools.keys, KeyLimits { digits: "12A".into(), most: 20 });
    assert_eq!(put(&chosen, json!({"enabled": []})).expect("valid").tools.enabled(), []);
    assert_eq!(put(&chosen, json!(null)).expect("valid").tools, ToolSettings::default());
    let other = UserInput::from_json(&json!({"ai": {"voice": "Kore"}})).expect("valid");
    assert_eq!(other.apply(&chosen, Timestamp::UNIX_EPOCH).expect("valid").tools, chosen.tools, "nothing was said of them");
}

#[test]
fn a_web_tool_is_read_with_its_defaults() {
    let user = put(&user_of_tests(), json!({"http": [crm()]})).expect("valid");
    let tool = &user.tools.http[0];
    assert_eq!((tool.method, tool.timeout_s, tool.retries), (HttpMethod::Get, 10, 0));
    assert_eq!(tool.placeholders(), ["id", "full"]);
    let headers = tool.headers.as_ref().expect("some");
    assert_eq!(headers.text(), &Secret::new("Authorization: Bearer abc"));
    assert!(!format!("{user:?}").contains("abc"), "no secret is shown");
}

#[test]
fn a_secret_stays_with_its_server_and_goes_to_no_other() {
    let old = put(&user_of_tests(), json!({"http": [crm()]})).expect("valid");
    let with = |change: Value| {
        let mut tool = crm();
        let map = tool.as_object_mut().expect("a map");
        map.remove("headers");
        map.extend(change.as_object().expect("a map").clone());
        json!({"http": [tool]})
    };
    let same = put(&old, with(json!({"url": "https://CRM.example:443/v2/{id}", "has_headers": true}))).expect("valid");
    assert_eq!(same.tools.http[0].headers, old.tools.http[0].headers);
    for url in ["https://evil.example/{id}", "http://crm.example/{id}", "https://crm.example:444/{id}"] {
        let faults = put(&old, with(json!({"url": url}))).expect_err(url);
        assert_eq!(faults.0[0].field, "ai.tools.http[0].headers", "{url}");
        let without = put(&old, with(json!({"url": url, "headers": null}))).expect("valid");
        assert_eq!(without.tools.http[0].headers, None);
    }
    assert_eq!(put(&old, with(json!({"name": "other"}))).expect("valid").tools.http[0].headers, None);
}

#[test]
fn the_headers_of_a_server_go_to_no_other() {
    let list = json!([{"name": "crm", "url": "https://mcp.example/mcp", "headers": "X-Key: 1", "allow": ["find"]},
        {"name": "files", "url": "https://files.example/mcp", "timeout_s": 5}]);
    let user = put(&user_of_tests(), json!({"mcp": list})).expect("valid");
    let [crm, files] = &user.tools.mcp[..] else { panic!("two") };
    assert!(crm.headers.is_some() && crm.allows("find") && !crm.allows("delete"));
    assert!(files.headers.is_none() && files.allows("anything") && files.timeout_s == 5);
    let moved = put(&user, json!({"mcp": [{"name": "crm", "url": "https://evil.example/mcp"}]})).expect_err("another server");
    assert_eq!(moved.0[0].field, "ai.tools.mcp[0].headers");
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let with = |key: &str, value: Value| {
        let mut tool = crm();
        tool[key] = value;
        json!({"http": [tool]})
    };
    for (tools, field) in [
        (json!([]), "ai.tools"),
        (json!({"colour": 1}), "ai.tools.colour"),
        (json!({"enabled": ["fly"]}), "ai.tools.enabled"),
        (json!({"keys": {"digits": "12x"}}), "ai.tools.keys.digits"),
        (json!({"keys": {"most": 0}}), "ai.tools.keys.most"),
        (json!({"http": vec![crm(); 25]}), "ai.tools.http"),
        (json!({"http": [crm(), crm()]}), "ai.tools.http[1].name"),
        (with("name", json!("end_call")), "ai.tools.http[0].name"),
        (with("name", json!("Find-Order")), "ai.tools.http[0].name"),
        (with("method", json!("TRACE")), "ai.tools.http[0].method"),
        (with("url", json!("ftp://crm.example/{id}")), "ai.tools.http[0].url"),
        (with("url", json!("https://{id}.example/")), "ai.tools.http[0].url"),
        (with("url", json!("https://crm.example:{id}/")), "ai.tools.http[0].url"),
        (with("url", json!("{id}://crm.example/")), "ai.tools.http[0].url"),
        (with("url", json!("https://a:b@crm.example/")), "ai.tools.http[0].url"),
        (with("url", json!("https://crm.example/{id")), "ai.tools.http[0].url"),
        (with("url", json!("https://crm.example/{}")), "ai.tools.http[0].url"),
        (with("url", json!("https://crm.example/{other}")), "ai.tools.http[0].url"),
        (with("parameters", json!({"type": "string"})), "ai.tools.http[0].parameters"),
        (with("parameters", json!({"type": "object", "x": "y".repeat(20_000)})), "ai.tools.http[0].parameters"),
        (with("headers", json!({"Host": "x"})), "ai.tools.http[0].headers"),
        (with("timeout_s", json!(61)), "ai.tools.http[0].timeout_s"),
        (with("retries", json!(4)), "ai.tools.http[0].retries"),
        (with("allow_hosts", json!(["https://a"])), "ai.tools.http[0].allow_hosts"),
        (with("colour", json!(1)), "ai.tools.http[0].colour"),
        (json!({"mcp": [{"name": "a"}]}), "ai.tools.mcp[0].url"),
        (json!({"mcp": [{"name": "a", "url": "https://a/", "command": "b"}]}), "ai.tools.mcp[0].command"),
        (json!({"mcp": [{"name": "a", "url": "file:///etc/passwd"}]}), "ai.tools.mcp[0].url"),
        (json!({"mcp": [{"name": "a", "url": "https://a/", "allow": [7]}]}), "ai.tools.mcp[0].allow"),
    ] {
        let faults = put(&user_of_tests(), tools.clone()).expect_err(&tools.to_string());
        assert_eq!(faults.0.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [field], "{tools}");
    }
}
