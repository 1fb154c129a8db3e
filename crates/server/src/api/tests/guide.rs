//! The commands of the first version's guide, with their very bodies.

use super::world::World;
use serde_json::json;

pub const ALICE: &str = r#"{
    "user_id": "alice",
    "display_name": "Alice Johnson", 
    "sip_username": "alice@company.com",
    "sip_password": "secure_password",
    "greeting": "Hi! This is Alice's AI assistant."
  }"#;

/// Sent without a content type of JSON.
const WITHOUT_CONTENT_TYPE: [&str; 5] = [
    r#"{
  "user_id": "agent001",
  "display_name": "Customer Service Agent 1",
  "sip_username": "ext1001",
  "sip_password": "pass1001",
  "greeting": "Thank you for calling customer service. How can I help?"
}"#,
    r#"{
  "user_id": "agent002", 
  "display_name": "Customer Service Agent 2",
  "sip_username": "ext1002",
  "sip_password": "pass1002",
  "greeting": "Hi! You've reached technical support. What can I assist with?"
}"#,
    r#"{
  "user_id": "company_a_sales",
  "display_name": "Company A Sales",
  "sip_username": "sales@companya.com",
  "sip_password": "sales_pass",
  "sip_server": "sip-companya.zoho.com",
  "greeting": "Thank you for calling Company A sales department."
}"#,
    r#"{
  "user_id": "company_b_support",
  "display_name": "Company B Support", 
  "sip_username": "support@companyb.com",
  "sip_password": "support_pass",
  "sip_server": "sip-companyb.zoho.com",
  "greeting": "Welcome to Company B technical support."
}"#,
    r#"{
  "user_id": "dad",
  "display_name": "Dad",
  "sip_username": "dad_home_line",
  "sip_password": "family_pass",
  "greeting": "Hi! You've reached Dad's AI assistant. He's probably in the garage."
}"#,
];

#[tokio::test]
async fn the_whole_guide_in_its_order() {
    let world = World::new();
    let json_type = [("content-type", "application/json")];
    assert_eq!(world.send("POST", "/users", &json_type, ALICE).await.status, 201);

    let connected = world.send("POST", "/users/alice/sip/connect", &[], "").await;
    assert_eq!((connected.status, &connected.json()["registered"]), (200, &json!(true)));

    let call = r#"{
    "number": "+1234567890",
    "message": "Hello from Alice's AI assistant!"
  }"#;
    let called = world.send("POST", "/users/alice/call", &json_type, call).await;
    assert_eq!(called.status, 202, "{}", called.text());
    assert!(called.json()["call_id"].as_str().is_some_and(|id| id.len() == 26));

    for body in WITHOUT_CONTENT_TYPE {
        let created = world.post("/users", body).await;
        assert_eq!(created.status, 201, "{}", created.text());
    }
    let list = world.get("/users").await.json();
    assert_eq!(list["total_users"], 6);
    let ids: Vec<_> = list["users"].as_array().expect("a list").iter().map(|u| u["user_id"].as_str()).collect();
    assert_eq!(
        ids.into_iter().flatten().collect::<Vec<_>>(),
        ["agent001", "agent002", "alice", "company_a_sales", "company_b_support", "dad"]
    );

    let status = world.get("/admin/status").await.json();
    assert_eq!(status["active_user_clients"], json!(["alice"]));

    let change = r#"{
    "greeting": "Updated greeting message!",
    "sip_password": "new_secure_password"
  }"#;
    let changed = world.put("/users/alice", change).await;
    assert_eq!((changed.status, &changed.json()["calls"]["default_greeting"]), (200, &json!("Updated greeting message!")));
    assert_eq!(world.store.user("alice").expect("there").sip.password.expose(), "new_secure_password");

    assert_eq!(world.send("POST", "/users/alice/sip/disconnect", &[], "").await.status, 200);
    let inactive = world.put("/users/alice", r#"{"is_active": false}"#).await;
    assert_eq!((inactive.status, &inactive.json()["is_active"]), (200, &json!(false)));
    assert_eq!(world.delete("/users/alice").await.status, 200);
    assert_eq!(world.get("/users/alice").await.status, 404);
}

#[tokio::test]
async fn the_status_documents_have_the_fields_of_the_guide() {
    let world = World::with_alice().await;
    world.post("/users/alice/sip/connect", "").await;
    let status = world.get("/admin/status").await.json();
    for (field, want) in [
        ("multi_tenant_enabled", json!(true)),
        ("total_users", json!(1)),
        ("connected_sip_clients", json!(1)),
        ("registered_sip_clients", json!(1)),
        ("active_calls", json!(0)),
        ("firebase_connected", json!(false)),
        ("active_user_clients", json!(["alice"])),
        ("system_status", json!("healthy")),
        ("uptime_s", json!(60)),
    ] {
        assert_eq!(status[field], want, "{field}");
    }
    let engines = json!([
        {"name": "local", "available": true, "default": true, "detail": "the offline engine"},
        {"name": "gemini", "available": false, "default": false, "detail": "there is no key: set GEMINI_API_KEY"},
        {"name": "openai", "available": false, "default": false, "detail": "there is no key: set OPENAI_API_KEY"},
    ]);
    assert_eq!((&status["engines"], &world.get("/").await.json()["engines"]), (&engines, &engines));
    let user = world.get("/users/alice").await.json();
    for (field, want) in [
        ("user_id", json!("alice")),
        ("display_name", json!("Alice Johnson")),
        ("sip_username", json!("alice@company.com")),
        ("is_active", json!(true)),
        ("sip_status", json!({"connected": true, "registered": true, "active_calls": 0})),
        ("created_at", json!("2026-01-15T10:30:00Z")),
    ] {
        assert_eq!(user[field], want, "{field}");
    }
    assert_eq!(world.get("/users").await.json()["users"][0], user, "the list shows the same documents");
}

#[tokio::test]
async fn the_nested_maps_are_those_of_the_stored_document() {
    let world = World::with_alice().await;
    let user = world.get("/users/alice").await.json();
    for (map, fields) in [
        (
            "sip",
            "user_id display_name sip_username sip_server sip_port account_label is_active created_at updated_at has_password",
        ),
        ("device", "user_id mac_address model firmware custom_user_agent"),
        ("calls", "user_id default_greeting max_call_duration answer_timeout rtp_port_min rtp_port_max use_fixed_rtp_port"),
    ] {
        for field in fields.split_whitespace() {
            assert!(user[map].get(field).is_some(), "{map}.{field} is missing");
        }
    }
    assert!(user["sip"].get("sip_password").is_none());
    assert_eq!((&user["sip"]["sip_server"], &user["sip"]["sip_port"]), (&json!("sip.zoho.com"), &json!(5060)));
    assert_eq!((&user["calls"]["rtp_port_min"], &user["calls"]["answer_timeout"]), (&json!(10000), &json!(30)));
}
