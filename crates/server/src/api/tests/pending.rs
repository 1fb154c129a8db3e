//! Placing calls that are tried again, and once only.

use super::world::World;
use crate::exchange::DialError;
use callie_domain::OrderId;
use callie_store::OrderStore;
use callie_store::order::{Step, Then};
use serde_json::{Value, json};

const CALL: &str = "/users/alice/call";
const PENDING: &str = "/users/alice/calls/pending";

async fn connected() -> World {
    let world = World::with_alice().await;
    assert_eq!(world.post("/users/alice/sip/connect", "").await.status, 200);
    world
}

async fn order(world: &World, key: &str, body: Value) -> super::world::Reply {
    world.send("POST", CALL, &[("idempotency-key", key)], body.to_string()).await
}

fn dialled(world: &World) -> usize {
    world.exchange.dialled.lock().expect("not poisoned").len()
}

#[tokio::test]
async fn a_key_is_good_for_one_call() {
    let world = connected().await;
    let body = json!({"number": "+1234567890", "message": "Hello"});
    let first = order(&world, "campaign-7/alice", body.clone()).await;
    let again = order(&world, "campaign-7/alice", body.clone()).await;
    assert_eq!((first.status, again.status, dialled(&world)), (202, 202, 1));
    assert_eq!(first.json(), again.json());
    assert_eq!((first.headers.get("idempotency-replayed"), again.header("idempotency-replayed")), (None, "true"));

    let other = order(&world, "campaign-7/alice", json!({"number": "+1234567891"})).await;
    assert_eq!((other.status, other.json()["type"].clone()), (422, json!("urn:callie:problem:idempotency-key-reused")));
    for key in ["", "two words", &"k".repeat(256)] {
        assert_eq!(order(&world, key, body.clone()).await.status, 422, "{key:?}");
    }
    assert_eq!(dialled(&world), 1);
    assert_eq!(order(&world, "another", body).await.status, 202);
    assert_eq!(dialled(&world), 2);
}

#[tokio::test]
async fn a_call_that_was_refused_may_be_ordered_again_under_its_key() {
    let world = connected().await;
    let body = json!({"number": "+1234567890", "retry": {"attempts": 2}});
    *world.exchange.refusal.lock().expect("not poisoned") = Some(DialError::TooManyCalls("alice".parse().expect("valid")));
    assert_eq!(order(&world, "k", body.clone()).await.status, 429);
    assert_eq!(world.get(PENDING).await.json()["calls"], json!([]));
    assert_eq!(order(&world, "k", body).await.status, 202);
    assert_eq!(world.get(PENDING).await.json()["calls"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn pending_calls_are_shown_and_cancelled() {
    let world = connected().await;
    let body = json!({"number": "+1 234 567-890", "retry": {"attempts": 3, "pause_s": 600, "on": ["busy", "machine"]}});
    let begun = world.post(CALL, &body.to_string()).await.json();
    let id = begun["order_id"].as_str().expect("it has a name").to_owned();
    let shown = world.get(PENDING).await.json();
    let call = &shown["calls"][0];
    assert_eq!((&call["id"], &call["number"], &call["state"]), (&json!(id), &json!("+1234567890"), &json!("calling")));
    assert_eq!((&call["attempts_made"], &call["attempts"], &call["pause_s"]), (&json!(1), &json!(3), &json!(600)));
    assert_eq!((&call["on"], &call["next_attempt_at"]), (&json!(["busy", "machine"]), &Value::Null));

    let order: OrderId = id.parse().expect("an id");
    let last = world.queue.calling_orders().await.expect("read")[0].last_call;
    let next = "2026-01-15T10:40:00Z".parse().expect("a time");
    let step = Step { reason: Some("callee_busy".into()), note: None, then: Then::Wait { at: next, made: true } };
    assert!(world.queue.settle_attempt(order, last, &step).await.expect("written"));
    let call = world.get(PENDING).await.json()["calls"][0].clone();
    assert_eq!((&call["state"], &call["last_reason"]), (&json!("waiting"), &json!("callee_busy")));
    assert_eq!(call["next_attempt_at"], json!("2026-01-15T10:40:00Z"));

    assert_eq!(world.delete(&format!("{PENDING}/{id}")).await.status, 200);
    assert_eq!(world.get(PENDING).await.json(), json!({"calls": []}));
    for gone in [format!("{PENDING}/{id}"), format!("{PENDING}/x"), "/users/nobody/calls/pending/x".to_owned()] {
        assert_eq!(world.delete(&gone).await.status, 404, "{gone}");
    }
    assert_eq!(world.get("/users/nobody/calls/pending").await.status, 404);
}

#[tokio::test]
async fn every_fault_of_an_order_is_named() {
    let world = connected().await;
    for (body, fields) in [
        (json!({"number": "+1", "retry": 3}), vec!["retry"]),
        (json!({"number": "+1", "retry": {}}), vec!["retry.attempts"]),
        (
            json!({"number": "+1", "retry": {"attempts": 11, "pause_s": 5, "on": [], "x": 1}}),
            vec!["retry.x", "retry.attempts", "retry.pause_s", "retry.on"],
        ),
        (json!({"number": "+1", "retry": {"attempts": 2, "on": ["busy", "busy"]}}), vec!["retry.on"]),
        (json!({"number": "+1", "voicemail": "shout"}), vec!["voicemail"]),
        (json!({"number": "+1", "voicemail": "drop"}), vec!["voicemail_message"]),
    ] {
        let reply = world.post(CALL, &body.to_string()).await;
        let mut want = fields;
        want.sort_unstable();
        assert_eq!((reply.status, reply.fields()), (422, want.into_iter().map(str::to_owned).collect()), "{body}");
    }
    assert_eq!(dialled(&world), 0);
}

#[tokio::test]
async fn what_is_done_about_machines_may_be_said_for_one_call() {
    let world = connected().await;
    let settings = json!({"calls": {"voicemail": "drop", "voicemail_message": "Please call us."}});
    assert_eq!(world.put("/users/alice", &settings.to_string()).await.status, 200);
    let calls = world.get("/users/alice").await.json()["calls"].clone();
    assert_eq!((&calls["voicemail"], &calls["voicemail_message"]), (&json!("drop"), &json!("Please call us.")));
    let lacking = world.put("/users/alice", &json!({"calls": {"voicemail_message": null}}).to_string()).await;
    assert_eq!((lacking.status, lacking.json()["errors"][0]["field"].clone()), (422, json!("calls.voicemail_message")));

    assert_eq!(world.post(CALL, &json!({"number": "+1", "voicemail": "hang_up"}).to_string()).await.status, 202);
    let request = world.exchange.dialled.lock().expect("not poisoned")[0].clone();
    assert_eq!(request.voicemail.policy.map(|policy| policy.as_str()), Some("hang_up"));
}
