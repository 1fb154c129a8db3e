//! What the agent can do, in the user's document; and whom the user knows.

use super::world::World;
use serde_json::{Value, json};

fn tool() -> Value {
    json!({"name": "find_order", "description": "Finds an order.", "url": "https://crm.example/orders/{id}",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}, "headers": {"X-Key": "secure_password_of_a_tool"}})
}

#[tokio::test]
async fn tools_are_part_of_the_document_and_their_headers_are_not_shown() {
    let world = World::with_alice().await;
    let usual = world.get("/users/alice").await.json();
    assert_eq!(
        usual["ai"]["tools"],
        json!({"enabled": null, "keys": {"digits": "0123456789*#", "most": 20}, "http": [], "mcp": []})
    );
    let tools = json!({"ai": {"tools": {"http": [tool()], "enabled": ["end_call"],
        "mcp": [{"name": "cal", "url": "https://mcp.example/", "headers": "X-Key: secure_password_of_a_server"}]}}});
    let put = world.put("/users/alice", &tools.to_string()).await;
    assert_eq!(put.status, 200, "{}", put.json());
    let shown = put.json();
    assert!(!shown.to_string().contains("secure_password_of_a"));
    assert_eq!(shown["ai"]["tools"]["http"][0]["has_headers"], true);
    assert_eq!(shown["ai"]["tools"]["mcp"][0]["has_headers"], true);
    let same = world.put("/users/alice", &json!({"ai": {"tools": shown["ai"]["tools"]}}).to_string()).await;
    assert_eq!((same.status, same.json()["revision"].clone()), (200, shown["revision"].clone()), "what is shown is taken back");
    let mut moved = shown["ai"]["tools"].clone();
    moved["http"][0]["url"] = json!("https://evil.example/{id}");
    let moved = world.put("/users/alice", &json!({"ai": {"tools": moved}}).to_string()).await;
    assert_eq!((moved.status, moved.fields().join(" ").as_str()), (422, "ai.tools.http[0].headers"));
}

#[tokio::test]
async fn a_schema_that_is_none_is_refused_when_it_is_saved() {
    let world = World::with_alice().await;
    let mut tool = tool();
    tool["parameters"]["properties"]["id"] = json!({"type": "fish"});
    let refused = world.put("/users/alice", &json!({"ai": {"tools": {"http": [tool]}}}).to_string()).await;
    assert_eq!((refused.status, refused.fields().join(" ").as_str()), (422, "ai.tools.http[0].parameters"));
}

#[tokio::test]
async fn contacts_are_replaced_as_a_whole_and_gone_with_their_user() {
    let world = World::with_alice().await;
    assert_eq!(world.get("/users/alice/contacts").await.json()["contacts"], json!([]));
    let list = json!({"contacts": [{"name": "Maria", "numbers": ["+43 1 2345678"], "note": "A friend."}, {"name": "Tom"}]});
    let put = world.put("/users/alice/contacts", &list.to_string()).await;
    assert_eq!((put.status, put.json()["total_count"].clone()), (200, json!(2)));
    let shown = world.get("/users/alice/contacts").await.json();
    assert_eq!(shown["contacts"], json!([{"name": "Maria", "numbers": ["+43 1 2345678"], "note": "A friend."}, {"name": "Tom"}]));
    assert_eq!(world.put("/users/alice/contacts", &shown.to_string()).await.status, 200, "what is shown is taken back");
    for (body, fields) in
        [(json!([]), ""), (json!({}), "contacts"), (json!({"contacts": [{"name": ""}], "colour": 1}), "colour contacts[0].name")]
    {
        let refused = world.put("/users/alice/contacts", &body.to_string()).await;
        assert_eq!((refused.status, refused.fields().join(" ").as_str()), (422, fields), "{body}");
    }
    assert_eq!(world.get("/users/nobody/contacts").await.status, 404);
    assert_eq!(world.put("/users/nobody/contacts", &list.to_string()).await.status, 404);
    assert_eq!(world.delete("/users/alice").await.status, 200);
    assert_eq!(world.post("/users", super::guide::ALICE).await.status, 201);
    assert_eq!(world.get("/users/alice/contacts").await.json()["contacts"], json!([]), "another user of that name");
}
