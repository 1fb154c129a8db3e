//! Calls that a user places: to telephones of every mood, through a proxy that wants to know who calls.

use callie_e2e::peers::{Baresip, Kamailio, baresip, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::voice::{loud_seconds, tone_share};
use callie_e2e::{Callie, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
const NUMBER: &str = "+1234567890";

async fn alice_at_kamailio(digest: Digest, more: Value) -> (Callie, Kamailio) {
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), digest, 60).await;
    callie.create_user("alice", kamailio.address(), more).await;
    callie.register("alice").await;
    (callie, kamailio)
}

async fn dial(callie: &Callie, number: &str) -> String {
    let (status, body) = callie.post("/users/alice/call", json!({ "number": number, "message": "Hello from Alice." })).await;
    assert_eq!(status, 202, "{body}");
    body["call_id"].as_str().unwrap_or_else(|| panic!("no call_id: {body}")).to_owned()
}

fn end_of(call: &Value) -> (&str, &str) {
    let end = &call["termination"];
    (end["result"].as_str().unwrap_or("?"), end["reason"].as_str().unwrap_or("?"))
}

/// Alice calls a SIPp of that mood; returns the record.
async fn check_mood(scenario: &str, digest: Digest, more: Value, want: (&str, &str)) {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(digest, more).await;
    let mut sipp = Scenario::callee(scenario).pause(Duration::from_secs(4)).start(callie.ports());
    kamailio.add_number(NUMBER, sipp.address());
    dial(&callie, NUMBER).await;
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), want, "{scenario}: {call}");
    assert_eq!(call["direction"], "outbound");
    callie.await_idle(WITHIN).await;
    assert!(!sipp.messages().contains("secret-alice"));
}

#[tokio::test]
async fn a_busy_telephone_is_busy() {
    check_mood("answer_busy", Digest::Md5, json!({}), ("busy", "callee_busy")).await;
}

#[tokio::test]
async fn a_declined_call_is_declined() {
    check_mood("answer_decline", Digest::Md5, json!({}), ("declined", "callee_declined")).await;
}

#[tokio::test]
async fn an_unknown_number_is_not_found() {
    check_mood("answer_unknown", Digest::Md5, json!({}), ("not_found", "number_not_found")).await;
}

#[tokio::test]
async fn a_telephone_that_only_rings_is_given_up() {
    check_mood("ring_until_cancelled", Digest::Md5, json!({ "answer_timeout": 2 }), ("no_answer", "no_answer")).await;
}

#[tokio::test]
async fn the_called_party_hangs_up() {
    check_mood("answer_and_hang_up", Digest::Md5, json!({}), ("completed", "remote_hung_up")).await;
}

#[tokio::test]
async fn a_proxy_that_wants_sha_256_gets_it() {
    check_mood("answer_and_hang_up", Digest::Sha256, json!({}), ("completed", "remote_hung_up")).await;
}

#[tokio::test]
async fn a_call_over_tcp() {
    check_mood("answer_and_hang_up", Digest::Md5, json!({ "transport": "tcp" }), ("completed", "remote_hung_up")).await;
}

#[tokio::test]
async fn the_message_is_spoken_and_the_operator_hangs_up() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Digest::Md5, json!({})).await;
    let mut sipp = Scenario::callee("answer_and_echo").start(callie.ports());
    kamailio.add_number(NUMBER, sipp.address());
    let id = dial(&callie, NUMBER).await;
    eventually("the agent has spoken", WITHIN, || async {
        let detail = callie.get(&format!("/calls/{id}")).await.1;
        let events = detail["events"].as_array()?.clone();
        events.iter().any(|e| e["event"] == "speech_ended" && e["speaker"] == "agent").then_some(())
    })
    .await;
    let (status, body) = callie.post(&format!("/calls/{id}/hangup"), json!({})).await;
    assert!(status == 202, "{status} {body}");
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), ("completed", "operator_hung_up"), "{call}");
    let wav = callie.recording(&call).await;
    for (side, samples) in ["callee's echo", "agent"].iter().zip(&wav.channels) {
        assert!(loud_seconds(samples, wav.rate, 300.0) > 0.5, "the {side} is silent");
    }
}

#[tokio::test]
async fn baresip_is_called_and_both_hear_each_other() {
    if !present(&["kamailio", "baresip"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Digest::Md5, json!({})).await;
    let bob = Baresip::start(callie.ports(), "bob", kamailio.address()).await;
    kamailio.await_binding("bob", WITHIN).await;
    let id = dial(&callie, "bob").await;
    bob.await_call(WITHIN).await;
    eventually("seconds of audio have come from bob", WITHIN, || async {
        let detail = callie.get(&format!("/calls/{id}")).await.1;
        detail["events"].as_array()?.iter().any(|e| e["event"] == "rtp_latched").then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    bob.hang_up();
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), ("completed", "remote_hung_up"), "{call}");
    let wav = callie.recording(&call).await;
    assert!(tone_share(&wav.channels[0], wav.rate, baresip::TONE_HZ) > 0.9, "bob's tone is on the left");
    let heard = eventually("baresip has written what it heard", WITHIN, || async { bob.heard() }).await;
    assert!(heard.seconds() > 2.0, "baresip got {} s of audio", heard.seconds());
}

#[tokio::test]
async fn a_line_that_is_not_connected_cannot_call() {
    let callie = Callie::start().await;
    callie.create_user("alice", ([127, 0, 0, 1], 9).into(), json!({})).await;
    let (status, body) = callie.post("/users/alice/call", json!({ "number": NUMBER })).await;
    assert_eq!(status, 409, "{body}");
    let (status, body) = callie.post("/users/nobody/call", json!({ "number": NUMBER })).await;
    assert_eq!(status, 404, "{body}");
    let (status, body) = callie.post("/users/alice/call", json!({ "number": "1\r\nVia: x" })).await;
    assert_eq!(status, 422, "{body}");
    assert_eq!(body["errors"][0]["field"], "number", "{body}");
}
