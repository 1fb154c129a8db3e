//! Handing callers over.

use super::world::World;
use crate::exchange::{ActiveCall, TransferError, TransferOrder, TransferRequest};
use callie_domain::CallId;
use callie_domain::record::Direction;
use callie_domain::user::TransferMode;
use jiff::Timestamp;
use serde_json::json;

fn id() -> CallId {
    CallId::new(Timestamp::UNIX_EPOCH, 1)
}

fn in_a_call() -> World {
    let world = World::new();
    world.exchange.active.lock().expect("not poisoned").push(ActiveCall {
        id: id(),
        user_id: "alice".parse().expect("valid"),
        direction: Direction::Inbound,
        remote_party: "bob".into(),
        started_at: Timestamp::UNIX_EPOCH,
        answered: true,
    });
    world
}

#[tokio::test]
async fn a_transfer_is_begun_joined_and_called_off() {
    let world = in_a_call();
    let body = json!({"target": "sales", "mode": "warm", "message": " Maria wants to book. "});
    let begun = world.post(&format!("/calls/{}/transfer", id()), &body.to_string()).await;
    assert_eq!((begun.status, begun.json()["status"].clone()), (202, json!("transferring")));
    for (path, status) in [("join", "joining"), ("cancel", "returning")] {
        let reply = world.post(&format!("/calls/{}/transfer/{path}", id()), "").await;
        assert_eq!((reply.status, reply.json()["status"].clone()), (202, json!(status)));
    }
    let request =
        TransferRequest { target: "sales".into(), mode: Some(TransferMode::Warm), message: Some("Maria wants to book.".into()) };
    let orders = world.exchange.transfers.lock().expect("not poisoned").clone();
    assert_eq!(orders, [TransferOrder::Begin(request), TransferOrder::Join, TransferOrder::Cancel]);
}

#[tokio::test]
async fn every_faulty_field_is_named() {
    let world = in_a_call();
    let path = format!("/calls/{}/transfer", id());
    for (body, fields) in [
        (json!({}), "target"),
        (json!({"target": 5, "mode": "deaf", "message": 1, "colour": 1}), "colour message mode target"),
        (json!({"target": " "}), "target"),
    ] {
        let reply = world.post(&path, &body.to_string()).await;
        assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, fields), "{body}");
    }
    *world.exchange.transfer_refusal.lock().expect("not poisoned") = Some(TransferError::NoSuchTarget("x>y".into()));
    let reply = world.post(&path, r#"{"target": "x>y"}"#).await;
    assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, "target"));
}

#[tokio::test]
async fn a_call_that_cannot_be_handed_over_says_so() {
    let world = in_a_call();
    for refusal in [TransferError::NotTalking, TransferError::UnderWay] {
        *world.exchange.transfer_refusal.lock().expect("not poisoned") = Some(refusal);
        assert_eq!(world.post(&format!("/calls/{}/transfer", id()), r#"{"target": "1"}"#).await.status, 409);
    }
    let stranger = CallId::new(Timestamp::UNIX_EPOCH, 2);
    assert_eq!(world.post(&format!("/calls/{stranger}/transfer"), r#"{"target": "1"}"#).await.status, 404);
    assert_eq!(world.post(&format!("/calls/{stranger}/transfer/join"), "").await.status, 404);
}

#[tokio::test]
async fn targets_are_part_of_the_users_document() {
    let world = World::with_alice().await;
    let routing = json!({"transfer_targets": [{"name": "sales", "target": "+49 30 1", "mode": "warm"}], "accept_refer": true});
    let changed = world.put("/users/alice", &json!({ "routing": routing }).to_string()).await;
    assert_eq!(changed.status, 200);
    let shown = changed.json()["routing"].clone();
    assert_eq!(shown, json!({"transfer_targets": [{"name": "sales", "target": "+49301", "mode": "warm"}], "accept_refer": true}));
    let faulty = world.put("/users/alice", r#"{"routing": {"transfer_targets": [{"name": "a"}]}}"#).await;
    assert_eq!((faulty.status, faulty.fields().join(" ").as_str()), (422, "routing.transfer_targets[0].target"));
    let emptied = world.put("/users/alice", r#"{"routing": {"transfer_targets": null}}"#).await;
    assert_eq!(emptied.json()["routing"]["transfer_targets"], json!([]));
}
