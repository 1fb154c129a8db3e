//! What a call's audio travels in, with a telephone that is not ours: codecs, encryption, hold and keys.

use callie_e2e::peers::{Baresip, Kamailio, baresip, kamailio::Digest, present};
use callie_e2e::voice::{loud_seconds, tone_share};
use callie_e2e::{Callie, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
/// Long enough for the agent's greeting and the telephone's tone.
const TALK: Duration = Duration::from_secs(4);

/// A server with alice, and bob at a baresip, both at one Kamailio.
struct Stage {
    callie: Callie,
    kamailio: Kamailio,
    bob: Baresip,
}

impl Stage {
    async fn with(sip: Value, bob: baresip::Account) -> Self {
        let mut callie = Callie::start().await;
        let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
        callie.create_user("alice", kamailio.address(), json!({ "sip": sip })).await;
        callie.register("alice").await;
        let bob = Baresip::start_with(callie.ports(), "bob", kamailio.address(), bob).await;
        kamailio.await_binding("bob", WITHIN).await;
        Self { callie, kamailio, bob }
    }

    async fn alice_calls(&self) -> String {
        let order = json!({ "number": "bob", "message": "Hello from Alice. This is a call of the tests." });
        let (status, body) = self.callie.post("/users/alice/call", order).await;
        assert_eq!(status, 202, "{body}");
        body["call_id"].as_str().unwrap_or_else(|| panic!("no call_id: {body}")).to_owned()
    }

    async fn bob_calls(&self) -> String {
        self.bob.dial(&format!("sip:alice@{}", self.kamailio.address()));
        eventually("alice is called", WITHIN, || async {
            let active = self.callie.get("/calls/active").await.1;
            Some(active["calls"][0]["id"].as_str()?.to_owned())
        })
        .await
    }

    async fn events(&self, call: &str) -> Vec<Value> {
        let detail = self.callie.get(&format!("/calls/{call}")).await.1;
        detail["events"].as_array().cloned().unwrap_or_default()
    }

    async fn await_event(&self, call: &str, what: &str, is_it: impl Fn(&Value) -> bool) {
        eventually(what, WITHIN, || async { self.events(call).await.iter().any(&is_it).then_some(()) }).await;
    }

    async fn await_audio(&self, call: &str) {
        self.bob.await_call(WITHIN).await;
        self.await_event(call, "audio has come from bob", |event| event["event"] == "rtp_latched").await;
    }

    /// The record of the call that bob ends.
    async fn end(&self) -> Value {
        self.bob.hang_up();
        self.callie.ended_call("alice", WITHIN).await
    }

    /// The same; both have been heard. An agent who calls lets the other side finish its hello, and bob's tone never ends: of
    /// such an agent bob hears silence.
    async fn finish(&self, agent_speaks: bool) -> Value {
        let call = self.end().await;
        let wav = self.callie.recording(&call).await;
        assert!(tone_share(&wav.channels[0], wav.rate, baresip::TONE_HZ) > 0.9, "bob's tone is on the left: {call}");
        let heard = eventually("bob has written what he heard", WITHIN, || async { self.bob.heard() }).await;
        assert!(heard.seconds() > 2.0, "bob got {} s of audio: {call}", heard.seconds());
        for (side, samples, rate) in [("said", &wav.channels[1], wav.rate), ("heard", &heard.channels[0], heard.rate)] {
            assert!(!agent_speaks || loud_seconds(samples, rate, 300.0) > 0.5, "alice is not {side}: {call}");
        }
        call
    }
}

/// A call each way; its codec and its encryption by the record.
async fn check(sip: Value, bob: baresip::Account, codec: &str, suite: Option<&str>) {
    if !present(&["kamailio", "baresip"]) {
        return;
    }
    for outbound in [true, false] {
        let stage = Stage::with(sip.clone(), bob).await;
        let id = if outbound { stage.alice_calls().await } else { stage.bob_calls().await };
        stage.await_audio(&id).await;
        tokio::time::sleep(TALK).await;
        let call = stage.finish(!outbound).await;
        let media = &call["media"];
        assert_eq!((&media["codec"], &media["srtp"]), (&json!(codec), &json!(suite)), "outbound {outbound}: {call}");
        assert_eq!(call["termination"]["reason"], "remote_hung_up", "{call}");
    }
}

const LONG_TAG: Option<&str> = Some("AES_CM_128_HMAC_SHA1_80");
/// Three that baresip and we have.
const ALL_CODECS: &str = "pcmu/8000/1,g722/16000/1,opus/48000/2";

#[tokio::test]
async fn a_call_in_g722() {
    let bob = baresip::Account { codecs: ALL_CODECS, ..baresip::Account::default() };
    check(json!({ "codecs": ["g722", "pcmu"] }), bob, "G722", None).await;
}

#[tokio::test]
async fn a_call_in_opus() {
    let bob = baresip::Account { codecs: ALL_CODECS, ..baresip::Account::default() };
    check(json!({ "codecs": ["opus", "pcmu"] }), bob, "opus", None).await;
}

#[tokio::test]
async fn encryption_that_both_require() {
    let bob = baresip::Account { encryption: Some("srtp-mand"), ..baresip::Account::default() };
    check(json!({ "srtp": "required" }), bob, "PCMU", LONG_TAG).await;
}

#[tokio::test]
async fn encryption_that_both_would_like() {
    let bob = baresip::Account { encryption: Some("srtp"), ..baresip::Account::default() };
    check(json!({ "srtp": "optional" }), bob, "PCMU", LONG_TAG).await;
}

#[tokio::test]
async fn encryption_that_one_would_like_and_the_other_requires() {
    let bob = baresip::Account { encryption: Some("srtp-mand"), ..baresip::Account::default() };
    check(json!({ "srtp": "optional", "codecs": ["g722", "pcmu"] }), bob, "PCMU", LONG_TAG).await;
}

#[tokio::test]
async fn encryption_that_only_one_would_like() {
    check(json!({ "srtp": "optional" }), baresip::Account::default(), "PCMU", None).await;
    let bob = baresip::Account { encryption: Some("srtp"), ..baresip::Account::default() };
    check(json!({ "srtp": "off" }), bob, "PCMU", None).await;
}

#[tokio::test]
async fn a_call_that_cannot_be_encrypted_as_required_is_none() {
    if !present(&["kamailio", "baresip"]) {
        return;
    }
    let stage = Stage::with(json!({ "srtp": "required" }), baresip::Account::default()).await;
    stage.alice_calls().await;
    let call = stage.callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["result"], "failed", "{call}");
    assert!(call["answered_at"].is_null(), "{call}");
}

#[tokio::test]
async fn a_call_is_held_and_taken_back() {
    if !present(&["kamailio", "baresip"]) {
        return;
    }
    let bob = baresip::Account { encryption: Some("srtp-mand"), ..baresip::Account::default() };
    let stage = Stage::with(json!({ "srtp": "required" }), bob).await;
    let id = stage.bob_calls().await;
    stage.await_audio(&id).await;
    tokio::time::sleep(TALK).await;
    for (on, word) in [(true, "held"), (false, "taken back")] {
        if on {
            stage.bob.hold()
        } else {
            stage.bob.resume()
        }
        stage.await_event(&id, &format!("the call is {word}"), |event| event["event"] == "hold" && event["on"] == on).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let call = stage.finish(true).await;
    assert_eq!((&call["termination"]["reason"], &call["media"]["srtp"]), (&json!("remote_hung_up"), &json!(LONG_TAG)), "{call}");
    assert_eq!(call["media"]["packets_unauthentic"], 0, "the keys went on through the hold: {call}");
}

#[tokio::test]
async fn keys_go_both_ways() {
    if !present(&["kamailio", "baresip"]) {
        return;
    }
    let bob = baresip::Account { codecs: ALL_CODECS, ..baresip::Account::default() };
    for codec in ["pcmu", "opus"] {
        let stage = Stage::with(json!({ "codecs": [codec] }), bob).await;
        let id = stage.alice_calls().await;
        stage.await_audio(&id).await;
        stage.bob.press('5');
        stage.await_event(&id, "bob's key", |event| event["event"] == "dtmf" && event["digit"] == "5").await;
        let (status, body) = stage.callie.post(&format!("/calls/{id}/dtmf"), json!({ "digits": "7#" })).await;
        assert_eq!(status, 202, "{body}");
        eventually("bob has the keys", WITHIN, || async {
            let log = stage.bob.log();
            ["7", "#"].iter().all(|key| log.contains(&format!("received event: '{key}'"))).then_some(())
        })
        .await;
        stage.end().await;
    }
}
