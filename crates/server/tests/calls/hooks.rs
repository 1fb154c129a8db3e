//! Whole calls, told to a receiver.

use crate::world::{Manner, PATIENCE, World};
use callie_lab::phone::Step;
use callie_lab::receiver::{Received, Receiver};
use callie_lab::samples::Line;
use serde_json::{Value, json};

fn types(received: &[Received]) -> Vec<String> {
    received.iter().map(|request| request.json()["type"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_from_its_beginning_to_its_record() {
    let receiver = Receiver::start().await.expect("a receiver");
    let mut world = World::with(Manner::Talk, |config| {
        config.private_targets.nets.push("127.0.0.1/32".parse().expect("a net"));
    })
    .await;
    let hook = json!({"url": receiver.url("/"), "secret": "whsec_0123456789"});
    world.add_alice(json!({ "webhooks": [hook] })).await;
    let call = world
        .call_alice([
            Step::WaitAnswer,
            Step::WaitSilence { after: std::time::Duration::from_millis(300) },
            Step::Play(Line::Tom1.samples()),
            Step::HangUp,
        ])
        .await;
    call.finished().await.expect("a report");
    let cdr = world.next_record().await;
    let is_over = |all: &[Received]| types(all).iter().any(|event| event == "call.ended");
    let received = receiver.wait_until(is_over, PATIENCE).await;
    let told = types(&received);
    let of_calls: Vec<&str> = told.iter().map(String::as_str).filter(|event| *event != "registration.changed").collect();
    assert_eq!(of_calls, ["call.started", "call.answered", "call.ended"], "this engine gives no words: {told:?}");
    let body = |event: &str| received.iter().map(Received::json).find(|body| body["type"] == event).expect("told");
    assert_eq!(body("registration.changed")["data"]["registration"]["state"], "registered");
    let started = body("call.started")["data"].clone();
    assert_eq!(
        (started["call_id"].as_str(), started["from"].as_str()),
        (Some(cdr.id.to_string().as_str()), Some(cdr.from.as_str()))
    );
    let record: Value = body("call.ended")["data"]["call"].clone();
    assert_eq!(record["termination"]["reason"], "remote_hung_up");
    assert!(record["media"]["packets_received"].as_u64().is_some_and(|packets| packets > 0), "the whole record: {record}");
    world.nothing_is_held().await;
}
