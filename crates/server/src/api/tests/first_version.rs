//! The first version's paths, with the members that its clients look for.

use super::world::World;
use crate::exchange::{ActiveCall, DialError};
use callie_domain::record::{CallEvent, CallFact, Cdr, Direction, EndReason, Message, Speaker, Termination, Turn};
use callie_domain::registration::RegistrationState;
use callie_domain::{CallId, UserId};
use callie_store::RecordStore;
use jiff::Timestamp;
use serde_json::{Value, json};

const PRIMARY: &str = r#"{"user_id": "primary", "display_name": "Front Desk", "sip_username": "4711@company.com",
    "sip_password": "secure_password", "mac_address": "00:15:65:12:34:56", "greeting": "Hi!"}"#;

impl World {
    /// With user primary, connected.
    async fn with_primary() -> Self {
        let world = Self::new();
        assert_eq!(world.post("/users", PRIMARY).await.status, 201);
        assert_eq!(world.post("/users/primary/sip/connect", "").await.status, 200);
        world
    }

    /// A call of user primary that began `age` seconds ago.
    async fn with_call(&self, age: i64, remote: &str, events: Vec<CallFact>, end: Option<EndReason>) -> CallId {
        let now: Timestamp = super::world::NOW.parse().expect("valid");
        let started_at = now - std::time::Duration::from_secs(age.unsigned_abs());
        let cdr = Cdr {
            from: remote.to_owned(),
            to: "4711".to_owned(),
            answered_at: Some(started_at),
            ended_at: end.map(|_| started_at + std::time::Duration::from_millis(2_500)),
            termination: end.map(Termination::new),
            config_revision: 1,
            ..Cdr::begun(CallId::new(started_at, age.unsigned_abs().into()), primary(), Direction::Inbound, started_at)
        };
        let events: Vec<_> = events.into_iter().map(|fact| CallEvent { at: started_at, offset_ms: 0, fact }).collect();
        self.store.finish(&cdr, &events).await.expect("kept");
        cdr.id
    }
}

fn primary() -> UserId {
    "primary".parse().expect("valid")
}

fn turn(index: u32) -> CallFact {
    let turn =
        Turn { index, speaker: Speaker::Caller, started_ms: 0, ended_ms: 1, text: "x".into(), interrupted: false, latency: None };
    CallFact::Turn { turn }
}

fn members(document: &Value) -> Vec<&str> {
    document.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn assert_has(document: &Value, wanted: &str) {
    let there = members(document);
    let missing: Vec<_> = wanted.split_whitespace().filter(|member| !there.contains(member)).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {document}");
}

#[tokio::test]
async fn health_has_the_members_of_both_versions() {
    let world = World::new();
    let health = world.get("/health").await.json();
    assert_has(&health, "status agent_running sip_registered active_calls active_conversations reasons version uptime_s");
    assert_eq!(
        (&health["status"], &health["sip_registered"], &health["active_calls"]),
        (&json!("healthy"), &json!(false), &json!(0))
    );

    let world = World::with_primary().await;
    world.post("/users", super::guide::ALICE).await;
    let call = |answered| ActiveCall {
        id: CallId::new(Timestamp::UNIX_EPOCH, 1),
        user_id: primary(),
        direction: Direction::Inbound,
        remote_party: "x".into(),
        started_at: Timestamp::UNIX_EPOCH,
        answered,
    };
    world.exchange.active.lock().expect("not poisoned").extend([call(true), call(false)]);
    let health = world.get("/health").await.json();
    assert_eq!((&health["sip_registered"], &health["agent_running"]), (&json!(true), &json!(true)));
    assert_eq!((&health["active_calls"], &health["active_conversations"]), (&json!(2), &json!(1)));
    *world.exchange.registrar.lock().expect("not poisoned") = RegistrationState::Retrying;
    assert_eq!(world.get("/health").await.json()["sip_registered"], false);
}

#[tokio::test]
async fn without_its_user_a_path_says_what_to_do() {
    let world = World::with_alice().await;
    for reply in [
        world.post("/call", r#"{"number": "+1234567890"}"#).await,
        world.get("/conversations").await,
        world.get("/stats").await,
        world.get("/info").await,
        world.post("/chat", r#"{"message": "x"}"#).await,
        world.post("/ai/chat", r#"{"message": "x"}"#).await,
        world.post("/sms", "from=%2B1&text=x").await,
    ] {
        let problem = reply.json();
        assert_eq!((reply.status, &problem["error"]), (404, &problem["detail"]));
        assert!(["ZOHO_SIP_SERVER", "POST /users"].iter().all(|part| reply.text().contains(part)), "{}", reply.text());
    }
    assert_eq!(world.get("/tools").await.status, 200);
    let problem = world.get("/users/nobody").await.json();
    assert_eq!(problem.get("error"), None, "elsewhere a problem has one name: {problem}");
}

#[tokio::test]
async fn a_call_is_placed_as_before() {
    let world = World::with_primary().await;
    let body = r#"{"number": "+1 (234) 567-890", "message": "Hello!", "priority": "passed over as before"}"#;
    let reply = world.post("/call", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let call_id = reply.json()["call_id"].clone();
    assert_eq!(
        reply.json(),
        json!({"success": true, "message": "Call initiated to +1234567890", "target": "+1234567890", "status": "completed",
            "call_id": call_id})
    );
    let dialled = world.exchange.dialled.lock().expect("not poisoned").clone();
    assert_eq!((dialled[0].user.as_str(), dialled[0].words.message.as_deref()), ("primary", Some("Hello!")));

    for body in ["{}", r#"{"number": ""}"#, r#"{"number": null, "message": "x"}"#] {
        let reply = world.post("/call", body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("Phone number required")), "{body}");
    }
    assert_eq!(world.post("/call", r#"{"number": "a b\r\n"}"#).await.fields(), ["number"]);
    assert!(world.post("/call", "no json").await.json()["error"].as_str().is_some_and(|error| error.contains("JSON")));
    *world.exchange.refusal.lock().expect("not poisoned") = Some(DialError::Internal("a fault".into()));
    let failed = world.post("/call", r#"{"number": "1"}"#).await;
    assert_eq!((failed.status, &failed.json()["error"]), (500, &json!("a fault")));
    world.put("/users/primary", r#"{"is_active": false}"#).await;
    assert_eq!(world.post("/call", r#"{"number": "1"}"#).await.status, 409);
}

#[tokio::test]
async fn conversations_are_the_calls_and_what_was_written() {
    let world = World::with_primary().await;
    let message = Message { name: Some("Maria".into()), text: "The boiler leaks".into(), ..Message::default() };
    let taken = CallFact::MessageTaken { message };
    let first = world.with_call(100, "+1234567890", vec![turn(0), taken, turn(1)], Some(EndReason::RemoteHungUp)).await;
    world.with_call(50, "+4399", vec![], Some(EndReason::NoAnswer)).await;
    world.with_call(10, "sip:+4399@carrier.example", vec![], None).await;
    assert_eq!(world.post("/sms", "from=%2B1234567890&text=Is+the+boiler+mended%3F").await.status, 200);

    let list = world.get("/conversations").await.json()["conversations"].clone();
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 4);
    let kinds: Vec<_> = list.iter().map(|c| c["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["sms", "call", "call", "call"], "newest first");
    assert_eq!(list[0]["summary"], "Is the boiler mended?");
    assert_eq!((&list[0]["message_count"], &list[0]["messages"][1]["role"]), (&json!(2), &json!("assistant")));
    assert_eq!((&list[1]["summary"], &list[1]["duration"]), (&json!("the call is up"), &json!(10.0)));
    assert_eq!(
        list[3],
        json!({"id": first.to_string(), "phone_number": "+1234567890", "start_time": 1_768_472_900.0, "duration": 2.5,
            "message_count": 2, "summary": "Maria: The boiler leaks", "kind": "call"})
    );

    for (query, want) in
        [("phone_number=%2B43%2099", 2), ("phone_number=%2B1234567890", 2), ("phone_number=9", 0), ("limit=3", 3), ("limit=0", 0)]
    {
        let found = world.get(&format!("/conversations?{query}")).await.json();
        assert_eq!(found["conversations"].as_array().map(Vec::len), Some(want), "{query}: {found}");
    }
    let faulty = world.get("/conversations?limit=many").await;
    assert_eq!((faulty.status, faulty.json()["error"].is_string()), (422, true));
}

#[tokio::test]
async fn stats_count_since_the_server_started() {
    let world = World::with_primary().await;
    world.with_call(1_000, "+1", vec![turn(0)], Some(EndReason::RemoteHungUp)).await;
    world.with_call(40, "+1", vec![turn(0), turn(1)], Some(EndReason::RemoteHungUp)).await;
    world.with_call(30, "+1", vec![turn(0)], None).await;
    world.post("/chat", r#"{"message": "hello"}"#).await;
    assert_eq!(
        world.get("/stats").await.json(),
        json!({"total_conversations": 3, "active_conversations": 1, "completed_conversations": 2, "total_messages": 5,
            "average_duration": 2.5, "agent_running": true, "sip_registered": true,
            "device_emulation": "Yealink SIP-T46S 66.85.0.5 ~00:15:65:12:34:56", "inbound_calls_enabled": true,
            "sip_server": "sip.zoho.com", "sip_username": "4711@company.com", "function_calling_enabled": false,
            "available_tools": [], "tool_count": 0})
    );
}

#[tokio::test]
async fn info_and_tools_describe_what_there_is() {
    let world = World::with_primary().await;
    let info = world.get("/info").await.json();
    assert_has(&info, "service version capabilities sip_configuration ai_configuration contact_info endpoints");
    assert_has(
        &info["capabilities"],
        "outbound_calls inbound_calls real_time_ai sip_registered voicemail_detection conversation_memory function_calling ai_tools",
    );
    assert_eq!(
        info["sip_configuration"],
        json!({"server": "sip.zoho.com", "username": "4711@company.com",
            "device_emulation": "Yealink SIP-T46S 66.85.0.5 ~00:15:65:12:34:56"})
    );
    assert_eq!(info["ai_configuration"], json!({"model": "the offline engine", "real_time_voice": true, "greeting": "Hi!"}));
    for path in members(&info["endpoints"]).into_iter().filter(|path| *path != "/docs") {
        assert_ne!(world.get(path).await.status, 404, "{path}");
    }

    let tools = world.get("/tools").await.json();
    assert_eq!(
        (&tools["function_calling_enabled"], &tools["tool_count"], &tools["tools"]),
        (&json!(false), &json!(0), &json!({}))
    );
    assert!(tools["summary"].as_str().is_some_and(|summary| summary.contains("end_call")), "{tools}");
    let world = World::with_gemini();
    let tools = world.get("/tools").await.json();
    assert_eq!((&tools["function_calling_enabled"], &tools["tool_count"]), (&json!(true), &json!(4)));
    assert_has(&tools["tools"]["end_call"], "name description parameters");
    assert_eq!(tools["tools"]["current_time"]["parameters"]["type"], "object");
    world.post("/users", PRIMARY).await;
    let info = world.get("/info").await.json();
    assert_eq!(
        (&info["ai_configuration"]["model"], &info["capabilities"]["ai_tools"][2]),
        (&json!("gemini-x-live"), &json!("end_call"))
    );
    world.put("/users/primary", r#"{"ai": {"engine": "local"}}"#).await;
    assert_eq!(world.get("/stats").await.json()["function_calling_enabled"], false, "the offline engine goes by its own book");
}

#[tokio::test]
async fn text_messages_are_answered_in_writing() {
    let world = World::with_primary().await;
    let sms = world.post("/sms", "from=%2B1234567890&text=My+name+is+Maria&MessageId=passed+over").await;
    assert_eq!((sms.status, sms.text().as_str()), (200, ""));

    let body = r#"{"message": "The heating in the cellar is broken", "phone_number": "+43 1"}"#;
    let first = world.post("/ai/chat", body).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let first = first.json();
    assert_eq!((&first["success"], &first["conversation_id"]), (&json!(true), &json!("chat-1768473000-+43 1")));
    assert!(first["response"].as_str().is_some_and(|text| text.contains("name")), "{first}");
    let second = world.post("/chat", r#"{"message": "My name is Maria Keller", "phone_number": "+43 1"}"#).await.json();
    assert_eq!(second["conversation_id"], first["conversation_id"], "it goes on");
    assert!(second["response"].as_str().is_some_and(|text| text.contains("Maria Keller")), "{second}");
    let nameless = world.post("/chat", r#"{"message": "hello"}"#).await.json();
    assert_eq!(nameless["conversation_id"], "chat-1768473000-unknown");

    for (path, body, status, error) in [
        ("/chat", "{}", 400, "Message required"),
        ("/ai/chat", r#"{"message": "  "}"#, 400, "Message required"),
        ("/chat", r#"{"message": 7}"#, 422, "message: must be a text"),
        ("/sms", "text=x", 400, "From and text required"),
        ("/sms", "from=1", 400, "From and text required"),
    ] {
        let reply = world.post(path, body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)), "{path} {body}");
    }
    let long = format!("from=1&text={}", "x".repeat(2_001));
    assert_eq!(world.post("/sms", &long).await.fields(), ["text"]);
    let no_form = world.send("POST", "/sms", &[("content-type", "application/json")], "{}").await;
    assert_eq!((no_form.status, no_form.json()["error"].is_string()), (400, true));
}
