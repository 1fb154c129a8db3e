//! Callers handed over by REFER, at SIPp behind Kamailio.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use serde_json::json;
use std::time::Duration;

const NUMBER: &str = "+1234567890";
const WITHIN: Duration = Duration::from_secs(20);

/// SIPp takes the REFER, tells how its call to the target goes, and gets our BYE once that has been answered.
#[tokio::test]
async fn a_blind_transfer_is_followed_to_its_end() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let targets = json!([{"name": "sales", "target": "+49301234"}]);
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({"routing": {"transfer_targets": targets}})).await;
    callie.register("alice").await;
    let mut sipp = Scenario::callee("answer_and_be_transferred").pause(Duration::from_secs(2)).start(callie.ports());
    kamailio.add_number(NUMBER, sipp.address());
    let (status, body) = callie.post("/users/alice/call", json!({"number": NUMBER})).await;
    assert_eq!(status, 202, "{body}");
    let id = body["call_id"].as_str().unwrap_or_else(|| panic!("no call_id: {body}")).to_owned();
    eventually("the call is handed over", WITHIN, || async {
        let (status, _) = callie.post(&format!("/calls/{id}/transfer"), json!({"target": "sales"})).await;
        (status == 202).then_some(())
    })
    .await;
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["reason"], "transferred", "{call}");
    let (_, call) = callie.get(&format!("/calls/{id}")).await;
    let events = call["events"].as_array().expect("a list");
    let codes: Vec<_> = events.iter().filter(|e| e["event"] == "transfer_progress").map(|e| e["code"].clone()).collect();
    assert!(codes.contains(&json!(180)), "{codes:?}");
    assert!(events.iter().any(|e| e["event"] == "transfer_completed" && e["how"] == "referred"), "{events:?}");
    callie.await_idle(WITHIN).await;
}
