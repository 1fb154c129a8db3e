//! `/users`: what is accepted, what is refused, and how it is told.

use super::guide::ALICE;
use super::world::World;
use crate::api::extract::BODY_LIMIT;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;

fn bob(more: Value) -> String {
    let mut body = json!({"user_id": "bob", "display_name": "Bob", "sip_username": "bob", "sip_password": "pass1001"});
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        body[key] = value;
    }
    body.to_string()
}

#[tokio::test]
async fn a_new_user_comes_back_as_its_document() {
    let world = World::new();
    let created = world.post("/users", ALICE).await;
    assert_eq!((created.status, created.header("location")), (201, "/users/alice"));
    assert_eq!(created.json(), world.get("/users/alice").await.json());
    let mac = created.json()["device"]["mac_address"].as_str().expect("an address").to_owned();
    assert!(mac.starts_with("00:15:65:"), "{mac}");
    assert_eq!(created.json()["user_agent"], format!("Yealink SIP-T46S 66.85.0.5 ~{mac}"));
}

#[tokio::test]
async fn a_second_user_of_the_same_id_is_a_conflict() {
    let world = World::with_alice().await;
    let again = world.post("/users", ALICE).await;
    assert_eq!(again.status, 409);
    assert!(again.json()["detail"].as_str().expect("text").contains("PUT /users/alice"));
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_with_the_place() {
    let world = World::with_alice().await;
    for (method, path) in [("POST", "/users"), ("PUT", "/users/alice"), ("POST", "/users/alice/call")] {
        for (body, want) in
            [("{\n  \"user_id\": }", "line 2 column 14"), ("", "empty"), ("{\"a\": 1", "line 1"), ("\u{1}", "line 1")]
        {
            let reply = world.send(method, path, &[], body).await;
            assert_eq!(reply.status, 400, "{method} {path} {body:?}");
            assert!(reply.text().contains(want), "{body:?}: {}", reply.text());
        }
        assert_eq!(world.send(method, path, &[], vec![b'"', 0xff, b'"']).await.status, 400);
        for body in ["[]", "1", "null", "\"x\""] {
            assert_eq!(world.send(method, path, &[], body).await.status, 422, "{method} {path} {body}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(world.send(method, path, &[], deep).await.status, 400, "{method} {path}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused_announced_or_not() {
    let world = World::with_alice().await;
    let large = format!("{{\"greeting\": \"{}\"}}", "x".repeat(BODY_LIMIT));
    let length = large.len().to_string();
    assert_eq!(world.send("PUT", "/users/alice", &[("content-length", &length)], large.clone()).await.status, 413);
    assert_eq!(world.put("/users/alice", &large).await.status, 413);
    let fitting = format!("{}{}", r#"{"greeting": "Hi"}"#, " ".repeat(BODY_LIMIT - 18));
    assert_eq!(world.put("/users/alice", &fitting).await.status, 200);
}

#[tokio::test]
async fn every_faulty_field_is_named_at_once() {
    let world = World::with_alice().await;
    for (method, path, body, want) in [
        ("POST", "/users", json!({}), "display_name sip_password sip_username user_id"),
        (
            "POST",
            "/users",
            json!({"sip_port": 0, "colour": "red", "user_id": "a b"}),
            "colour display_name sip_password sip_port sip_username user_id",
        ),
        ("POST", "/users", serde_json::from_str(&bob(json!({"sip_password": ""}))).expect("json"), "sip_password"),
        ("POST", "/users", serde_json::from_str(&bob(json!({"rtp_port_min": 20000}))).expect("json"), "rtp_port_max"),
        ("PUT", "/users/alice", json!({"sip": {"sip_server": "a b"}, "is_active": "yes"}), "is_active sip.sip_server"),
        ("PUT", "/users/alice", json!({"display_name": "A\r\nVia: x"}), "display_name"),
        ("PUT", "/users/alice", json!({"ai": {"engine": "hal9000", "language": "?"}}), "ai.engine ai.language"),
        ("PUT", "/users/alice", json!({"user_id": "bob"}), "user_id"),
        ("PUT", "/users/alice", json!({"greeting": "a", "calls": {"default_greeting": "b"}}), "greeting"),
    ] {
        let reply = world.send(method, path, &[], body.to_string()).await;
        assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, want), "{method} {body}");
    }
}

#[tokio::test]
async fn an_engine_that_there_is_not_is_refused_with_those_that_there_are() {
    let world = World::with_alice().await;
    let refused = world.put("/users/alice", r#"{"ai": {"engine": "hal9000"}}"#).await;
    assert_eq!(refused.json()["errors"][0]["problem"], "must be one of local, gemini, openai");
    let ai = json!({"engine": "gemini", "model": "gemini-3.8-live", "voice": "Kore", "language": "de-AT", "instructions": "Be brief.",
        "engines": ["openai", "local"], "temperature": 0.7, "variables": {"shop": "Lamps"}, "time_zone": "Europe/Vienna", "dead_air": 5,
        "when_lost": "sales", "after_call": {"summary": true, "fields": {"type": "object"}, "model": "text-1"}});
    let changed = world.put("/users/alice", &json!({ "ai": ai }).to_string()).await;
    let mut shown = changed.json()["ai"].clone();
    shown.as_object_mut().expect("a map").remove("tools");
    assert_eq!((changed.status, &shown), (200, &ai));
}

#[tokio::test]
async fn hardware_addresses_are_unique() {
    let world = World::with_alice().await;
    let mac = "00:15:65:aa:bb:cc";
    assert_eq!(world.post("/users", &bob(json!({"mac_address": mac}))).await.status, 201);
    let carol = bob(json!({"user_id": "carol", "device": {"mac_address": "00-15-65-AA-BB-CC"}}));
    let refused = world.post("/users", &carol).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["device.mac_address".to_owned()]));
    let refused = world.put("/users/alice", &json!({"mac_address": mac}).to_string()).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["mac_address".to_owned()]));
    assert_eq!(world.put("/users/bob", &json!({"mac_address": mac}).to_string()).await.status, 200, "its own is no conflict");
}

#[tokio::test]
async fn what_get_shows_put_accepts() {
    let world = World::with_alice().await;
    world.put("/users/alice", r#"{"caller_id": "+123", "ai": {"voice": "slt"}, "outbound_proxy": "p.example:5070"}"#).await;
    let shown = world.get("/users/alice").await;
    let writes = world.store.writes.load(Relaxed);
    let put = world.put("/users/alice", &shown.text()).await;
    assert_eq!((put.status, put.json()), (200, shown.json()));
    assert_eq!(world.store.writes.load(Relaxed), writes, "nothing changed, nothing is written");
    assert_eq!(world.store.user("alice").expect("there").sip.password.expose(), "secure_password");

    let mut edited = shown.json();
    edited["display_name"] = json!("Alice B.");
    edited["calls"]["default_greeting"] = json!("Ahoy");
    let put = world.put("/users/alice", &edited.to_string()).await.json();
    assert_eq!((&put["sip"]["display_name"], &put["calls"]["default_greeting"]), (&json!("Alice B."), &json!("Ahoy")));
}

/// Each setting of the line comes back as it was sent; the key never does, and what is shown may be sent back.
#[tokio::test]
async fn the_settings_of_the_line_are_shown_and_the_key_is_not() {
    let world = World::with_alice().await;
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIB\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\nMIGHCANARYAMBMGB\n-----END PRIVATE KEY-----\n";
    let mut sip = json!({"transport": "tls", "sips": true, "backup_server": "b.example:5071", "tls_ca": certificate,
        "tls_client_certificate": certificate, "tls_server_name": "x.example", "accept_from": "anyone", "registration_expires": 600,
        "keepalive": 0, "session_expires": 90, "external_address": "203.0.113.7", "stun_server": "stun.example", "srtp": "required",
        "codecs": ["opus", "pcma"], "dtmf": "info"});
    let without_key = world.put("/users/alice", &json!({ "sip": sip }).to_string()).await;
    assert_eq!((without_key.status, without_key.fields()), (422, vec!["tls_client_key".to_owned()]));
    sip["tls_client_key"] = json!(key);
    let put = world.put("/users/alice", &json!({ "sip": sip }).to_string()).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let shown = world.get("/users/alice").await;
    assert!(!shown.text().contains("CANARY"));
    let document = shown.json();
    sip.as_object_mut().expect("a map").remove("tls_client_key");
    for (field, value) in sip.as_object().expect("a map") {
        assert_eq!(&document["sip"][field], value, "{field}");
    }
    assert_eq!((&document["sip"]["has_tls_client_key"], &document["warnings"]), (&json!(true), &json!([])));
    assert_eq!(world.put("/users/alice", &shown.text()).await.json(), document, "what is shown is taken back");
    let stored = world.store.user("alice").expect("there").sip.tls.client_key.clone();
    assert_eq!(stored.as_ref().map(|key| key.expose().to_owned()).as_deref(), Some(key));

    let clear = world.put("/users/alice", r#"{"sip": {"sips": false, "transport": "udp"}}"#).await.json();
    let warned: Vec<_> = clear["warnings"].as_array().expect("a list").iter().map(|warning| warning["field"].clone()).collect();
    assert_eq!(warned, ["sip.srtp", "sip.tls_ca", "sip.tls_client_certificate", "sip.tls_server_name"]);
    let refused = world.put("/users/alice", r#"{"sip": {"sips": true}}"#).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["sip.sips".to_owned()]));
}

#[tokio::test]
async fn a_change_is_repeated_when_somebody_else_was_quicker() {
    let world = World::with_alice().await;
    for (conflicts, want) in [(3, 200), (4, 409)] {
        world.store.conflicts.store(conflicts, Relaxed);
        let greeting = json!({"greeting": format!("after {conflicts}")}).to_string();
        assert_eq!(world.put("/users/alice", &greeting).await.status, want, "{conflicts}");
    }
}

#[tokio::test]
async fn users_that_are_not_there() {
    let world = World::new();
    for (method, path, body) in [
        ("GET", "/users/nobody", ""),
        ("PUT", "/users/nobody", "{}"),
        ("DELETE", "/users/nobody", ""),
        ("POST", "/users/nobody/sip/connect", ""),
        ("POST", "/users/nobody/sip/disconnect", ""),
        ("POST", "/users/nobody/call", r#"{"number": "1"}"#),
        ("GET", "/users/_cannot%20be", ""),
        ("GET", "/users/%ff", ""),
    ] {
        assert_eq!(world.send(method, path, &[], body).await.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_shown_as_faulty() {
    for last_good in [true, false] {
        let world = World::with_alice().await;
        world.store.break_document("alice", last_good);
        let shown = world.get("/users/alice").await;
        let user = shown.json();
        assert_eq!((shown.status, &user["config_state"]["state"]), (200, &json!("faulty")));
        assert!(user["config_state"]["problem"].as_str().is_some_and(|p| p.contains("line 1 column 2")));
        assert_eq!(user["sip"].is_object(), last_good);
        assert_eq!(world.get("/users").await.json()["users"][0], user);
        let put = world.put("/users/alice", "{}").await;
        assert_eq!(put.status, 409);
        assert!(put.text().contains("mend it"));
        let status = world.get("/admin/status").await.json();
        assert_eq!(
            (&status["system_status"], &status["problems"]),
            (&json!("degraded"), &json!(["1 user document: unreadable"]))
        );
        assert_eq!(world.delete("/users/alice").await.status, 200);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_told_in_the_status() {
    let world = World::with_alice().await;
    world.store.down.store(true, Relaxed);
    let shown = world.get("/users/alice").await;
    assert_eq!((shown.status, shown.json()["display_name"].as_str()), (200, Some("Alice Johnson")), "as it was last seen");
    assert_eq!(world.get("/users/nobody").await.status, 503, "who knows");
    for (method, path) in [("PUT", "/users/alice"), ("DELETE", "/users/alice"), ("GET", "/calls")] {
        assert_eq!(world.send(method, path, &[], "{}").await.status, 503, "{method} {path}");
    }
    assert_eq!(world.get("/admin/status").await.json()["system_status"], "degraded");
    let ready = world.get("/health/ready").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")), "calls are taken all the same");
    assert!(ready.text().contains("disk on fire"));
    assert_eq!(world.get("/health").await.json()["status"], "degraded");
}

#[tokio::test]
async fn a_change_may_ask_for_the_revision_it_read() {
    let world = World::new();
    let created = world.post("/users", super::guide::ALICE).await;
    let read = world.get("/users/alice").await;
    let tag = |reply: &super::world::Reply| reply.header("etag").to_owned();
    assert_eq!(tag(&created), format!("\"{}\"", created.json()["revision"]));
    assert_eq!(tag(&created), tag(&read));
    let put = async |tag: &str, greeting: &str| {
        world.send("PUT", "/users/alice", &[("if-match", tag)], json!({ "greeting": greeting }).to_string()).await
    };
    let first = put(&tag(&read), "One").await;
    assert_eq!((first.status, tag(&first)), (200, format!("\"{}\"", first.json()["revision"])));
    assert_ne!(tag(&first), tag(&read));
    let late = put(&tag(&read), "Two").await;
    assert_eq!((late.status, late.json()["type"].as_str()), (412, Some("urn:callie:problem:changed-since")));
    assert_eq!(world.get("/users/alice").await.json()["calls"]["default_greeting"], "One");
    assert_eq!(put("*", "Three").await.status, 200, "any");
    let both = format!("{}, {}", tag(&read), tag(&world.get("/users/alice").await));
    assert_eq!(put(&both, "Four").await.status, 200, "one of several");

    // Somebody else is quicker than the write, after it was read.
    world.store.conflicts.store(1, Relaxed);
    let current = tag(&world.get("/users/alice").await);
    assert_eq!(put(&current, "Five").await.status, 200, "nothing had changed after all");

    let current = tag(&world.get("/users/alice").await);
    for (tag, want) in [(tag(&read).as_str(), 412), ("none of ours", 412), (current.as_str(), 200), (current.as_str(), 404)] {
        assert_eq!(world.send("DELETE", "/users/alice", &[("if-match", tag)], "").await.status, want, "{tag}");
    }
}
