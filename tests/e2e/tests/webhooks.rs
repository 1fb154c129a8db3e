//! Webhooks of the real binary: a receiver that is away during the call, and SIGKILL before it is back.

use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use callie_lab::phone::{Phone, PhoneOptions, PhoneState, Script, Step};
use callie_lab::receiver::{Received, Receiver};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(60);

/// What was told of a call, in order.
fn told_of(received: &[Received], call: &Value) -> Vec<String> {
    let of_call = |body: &Value| body["data"]["call_id"] == *call || body["data"]["call"]["id"] == *call;
    let bodies = received.iter().map(Received::json).filter(of_call);
    let mut types: Vec<String> = bodies.map(|body| body["type"].as_str().unwrap_or_default().to_owned()).collect();
    types.retain(|event| event != "transcript.turn");
    types.dedup();
    types
}

#[tokio::test]
async fn what_was_queued_outlives_the_process() {
    let subscribers = vec![Subscriber::new("alice", "secret-alice")];
    let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a carrier");
    let away = Receiver::start().await.expect("a receiver").address();
    let setup = Callie::setup().env("CALLIE_ALLOW_PRIVATE_TARGETS", "127.0.0.1");
    let callie = setup.start().await.expect("callie starts");
    let hook = json!({"url": format!("http://{away}/hook"), "secret": "whsec_0123456789"});
    callie.create_user("alice", carrier.address(), json!({"sip_username": "alice", "webhooks": [hook]})).await;
    callie.register("alice").await;
    let options = PhoneOptions::new(carrier.address(), "maria");
    let script = Script::new(vec![Step::WaitAnswer, Step::WaitHangUp]);
    let phone = Phone::call(&options, "alice", script).await.expect("a telephone");
    phone.wait_for(PhoneState::Up, WITHIN).await.expect("answered");
    let call = eventually("the answer is recorded", WITHIN, || async {
        let waiting = callie.get("/users/alice/webhooks/deliveries?event=call.answered").await.1;
        let id = waiting["deliveries"][0]["id"].as_str()?.to_owned();
        let detail = callie.get(&format!("/users/alice/webhooks/deliveries/{id}")).await.1;
        Some(detail["body"]["data"]["call_id"].clone())
    })
    .await;
    let setup = callie.kill();

    let receiver = Receiver::start_at(away).await.expect("it is back");
    let callie = setup.start().await.expect("it starts on what was left");
    let received = receiver.wait_until(|all| told_of(all, &call).len() >= 3, WITHIN).await;
    assert_eq!(told_of(&received, &call), ["call.started", "call.answered", "call.ended"], "{}", callie.log());
    let end = received.iter().map(Received::json).find(|body| body["type"] == "call.ended").expect("the end");
    assert_eq!(end["data"]["call"]["termination"]["reason"], "process_lost", "{end}");
    assert!(received.iter().all(|request| request.header("callie-signature").is_some_and(|s| s.starts_with("t="))));
    let lines = received.iter().map(Received::json).filter(|body| body["type"] == "registration.changed").count();
    assert!(lines >= 1, "the line was told of as well");
    let left = eventually("all is delivered", WITHIN, || async {
        let status = callie.get("/admin/status").await.1;
        (status["webhooks"]["waiting"] == 0).then(|| status["webhooks"].clone())
    })
    .await;
    assert_eq!(left["given_up"], 0, "{left}");
}
