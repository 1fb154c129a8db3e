//! A supervisor's word to the agent; paths that are WebSockets, asked for without one. What goes over those is tested with the
//! whole server (`tests/conversation/browser.rs`).

use super::world::World;
use crate::exchange::ActiveCall;
use callie_domain::CallId;
use callie_domain::record::Direction;
use jiff::Timestamp;
use serde_json::json;

fn id() -> CallId {
    CallId::new(Timestamp::UNIX_EPOCH, 9)
}

fn in_a_call(answered: bool) -> World {
    let world = World::new();
    world.exchange.active.lock().expect("not poisoned").push(ActiveCall {
        id: id(),
        user_id: "alice".parse().expect("valid"),
        direction: Direction::Inbound,
        remote_party: "bob".into(),
        started_at: Timestamp::UNIX_EPOCH,
        answered,
    });
    world
}

#[tokio::test]
async fn a_hint_reaches_the_agent() {
    let world = in_a_call(true);
    let reply = world.post(&format!("/calls/{}/hint", id()), r#"{"text": " Offer the discount. "}"#).await;
    assert_eq!((reply.status, reply.json()["status"].clone()), (202, json!("told")));
    assert_eq!(*world.exchange.hints.lock().expect("not poisoned"), ["Offer the discount."]);
}

#[tokio::test]
async fn a_hint_that_nobody_can_take_is_refused() {
    let world = in_a_call(true);
    let path = format!("/calls/{}/hint", id());
    for (body, fields) in [
        (json!({}), "text"),
        (json!({"text": "  "}), "text"),
        (json!({"text": "x".repeat(2_001)}), "text"),
        (json!({"text": 5, "colour": 1}), "colour text"),
    ] {
        let reply = world.post(&path, &body.to_string()).await;
        assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, fields), "{body}");
    }
    assert_eq!(world.post("/calls/01JD3V6Q0X3N2Z7Y5W4T8R9P1M/hint", r#"{"text": "x"}"#).await.status, 404);
    let reply = in_a_call(false).post(&path, r#"{"text": "x"}"#).await;
    assert_eq!(reply.status, 409);
    assert!(reply.text().contains("takes no hints"), "{}", reply.text());
}

#[tokio::test]
async fn a_websocket_has_to_be_asked_for() {
    let world = in_a_call(true);
    for path in [format!("/calls/{}/listen", id()), "/users/alice/talk".to_owned()] {
        let reply = world.get(&path).await;
        assert_eq!(reply.status, 426, "{path}");
        assert!(reply.text().contains("upgrade-required"), "{}", reply.text());
        assert_eq!(world.post(&path, "").await.status, 405, "{path}");
    }
}
