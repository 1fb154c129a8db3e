//! What happens inside a call besides talking: session timers, reliable ringing, redirections, forks, holds, and every way in which
//! the other side can be lost.

use callie_e2e::Callie;
use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp::Scenario};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
const NUMBER: &str = "+1234567890";

async fn alice_at_kamailio(more: Value) -> (Callie, Kamailio) {
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), more).await;
    callie.register("alice").await;
    (callie, kamailio)
}

fn reason_of(call: &Value) -> &str {
    call["termination"]["reason"].as_str().unwrap_or("?")
}

fn detail_of(call: &Value) -> &str {
    call["termination"]["detail"].as_str().unwrap_or_default()
}

async fn dial(callie: &Callie) -> String {
    let (status, body) = callie.post("/users/alice/call", json!({ "number": NUMBER, "message": "Hello from Alice." })).await;
    assert_eq!(status, 202, "{body}");
    body["call_id"].as_str().unwrap_or_else(|| panic!("no call_id: {body}")).to_owned()
}

/// Alice calls a SIPp with this scenario, which has to go as written; the record of the call.
async fn called(scenario: &str) -> Option<Value> {
    if !present(&["kamailio", "sipp"]) {
        return None;
    }
    let (mut callie, kamailio) = alice_at_kamailio(json!({})).await;
    let mut sipp = Scenario::callee(scenario).pause(Duration::from_secs(2)).start(callie.ports());
    kamailio.add_number(NUMBER, sipp.address());
    dial(&callie).await;
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    callie.await_idle(WITHIN).await;
    Some(call)
}

/// A SIPp calls alice with this scenario.
async fn calls(scenario: &str, more: Value, within: Duration) -> Option<Value> {
    if !present(&["kamailio", "sipp"]) {
        return None;
    }
    let (mut callie, kamailio) = alice_at_kamailio(more).await;
    let mut sipp = Scenario::caller(scenario, "alice", kamailio.address()).pause(Duration::from_secs(2)).start(callie.ports());
    sipp.finish(within);
    let call = callie.ended_call("alice", WITHIN).await;
    callie.await_idle(WITHIN).await;
    Some(call)
}

async fn check_called(scenario: &str, reason: &str) {
    if let Some(call) = called(scenario).await {
        assert_eq!(reason_of(&call), reason, "{scenario}: {call}");
    }
}

async fn check_calls(scenario: &str, reason: &str) {
    if let Some(call) = calls(scenario, json!({}), WITHIN).await {
        assert_eq!(reason_of(&call), reason, "{scenario}: {call}");
    }
}

#[tokio::test]
async fn we_take_a_longer_interval_and_refresh_by_update_and_by_invite() {
    check_called("answer_with_session_timer", "remote_hung_up").await;
}

#[tokio::test]
async fn a_callee_that_stops_refreshing_is_hung_up() {
    let Some(call) = called("answer_and_stop_refreshing").await else { return };
    assert_eq!(reason_of(&call), "session_expired", "{call}");
    assert!(detail_of(&call).contains("did not refresh"), "{call}");
}

#[tokio::test]
async fn a_caller_refreshes_and_we_refresh_for_one_that_cannot() {
    check_calls("call_with_session_timer", "remote_hung_up").await;
    let Some(call) = calls("call_and_be_refreshed", json!({}), WITHIN).await else { return };
    assert_eq!(reason_of(&call), "peer_vanished", "{call}");
    assert!(detail_of(&call).contains("481"), "{call}");
}

#[tokio::test]
async fn reliable_ringing_is_acknowledged_both_ways() {
    check_called("answer_reliably", "remote_hung_up").await;
    check_calls("call_reliably", "remote_hung_up").await;
}

#[tokio::test]
async fn an_extension_that_nobody_knows_is_refused() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(json!({})).await;
    let mut sipp = Scenario::caller("call_requiring_the_unknown", "alice", kamailio.address()).start(callie.ports());
    sipp.finish(WITHIN);
    callie.await_idle(WITHIN).await;
}

#[tokio::test]
async fn an_invite_without_an_offer_is_offered_to() {
    check_calls("call_without_offer", "remote_hung_up").await;
}

#[tokio::test]
async fn a_call_is_held_and_resumed() {
    check_calls("call_hold_and_resume", "remote_hung_up").await;
}

#[tokio::test]
async fn the_second_telephone_of_a_fork_is_hung_up() {
    check_called("answer_twice", "remote_hung_up").await;
}

#[tokio::test]
async fn an_answer_that_crosses_our_cancel_is_hung_up() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(json!({})).await;
    let mut sipp = Scenario::callee("answer_after_cancel").start(callie.ports());
    kamailio.add_number(NUMBER, sipp.address());
    let id = dial(&callie).await;
    callie_e2e::eventually("the telephone rings", WITHIN, || async {
        let (_, call) = callie.get(&format!("/calls/{id}")).await;
        let events = call["events"].as_array().cloned().unwrap_or_default();
        events.iter().any(|event| event["event"] == "ringing").then_some(())
    })
    .await;
    callie.post(&format!("/calls/{id}/hangup"), json!({})).await;
    sipp.finish(WITHIN);
    callie.await_idle(WITHIN).await;
}

#[tokio::test]
async fn a_redirection_is_followed_at_the_provider_and_nowhere_else() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(json!({})).await;
    let at_home = format!("<sip:+881@premium.test>;q=1, <sip:+1999@{}>;q=0.5", kamailio.address());
    let mut moved = Scenario::callee("answer_moved").moved_to(&at_home).start(callie.ports());
    let mut there = Scenario::callee("answer_and_hang_up").pause(Duration::from_secs(2)).start(callie.ports());
    kamailio.add_number(NUMBER, moved.address());
    kamailio.add_number("+1999", there.address());
    dial(&callie).await;
    moved.finish(WITHIN);
    there.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(reason_of(&call), "remote_hung_up", "{call}");
}

/// The provider sends us on to a number that the user's limits deny: it is not called, though it is at the provider.
#[tokio::test]
async fn a_redirection_to_a_denied_number_is_not_followed() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(json!({"limits": {"denied_prefixes": ["+1999"]}})).await;
    let denied = format!("<sip:+1999@{}>", kamailio.address());
    let mut moved = Scenario::callee("answer_moved").moved_to(&denied).start(callie.ports());
    let there = Scenario::callee("answer_and_hang_up").start(callie.ports());
    kamailio.add_number(NUMBER, moved.address());
    kamailio.add_number("+1999", there.address());
    dial(&callie).await;
    moved.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert!(detail_of(&call).contains("302") && call["answered_at"].is_null(), "{call}");
    drop(there);
}

#[tokio::test]
async fn a_redirection_to_a_strangers_host_ends_the_call() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(json!({})).await;
    let mut moved = Scenario::callee("answer_moved").moved_to("<sip:+881@premium.test>").start(callie.ports());
    kamailio.add_number(NUMBER, moved.address());
    dial(&callie).await;
    moved.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert!(detail_of(&call).contains("302") && detail_of(&call).contains("premium.test"), "{call}");
}

#[tokio::test]
async fn a_lost_ack_is_explained() {
    // The agent has to talk for longer than the 32 s of waiting: its goodbye would be the end of the call.
    let more = json!({ "greeting": "This takes a while. ".repeat(40) });
    let Some(call) = calls("call_without_ack", more, Duration::from_secs(60)).await else { return };
    assert_eq!(reason_of(&call), "ack_missing", "{call}");
    let detail = detail_of(&call);
    assert!(
        ["our 200 was sent", "Contact we named: sip:", "external_address"].iter().all(|part| detail.contains(part)),
        "{call}"
    );
}
