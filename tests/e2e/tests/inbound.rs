//! Calls that come in through a real proxy: answered by a voice, recorded, accounted for.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp, sipp::Scenario};
use callie_e2e::voice::{loud_seconds, tone_share};
use callie_e2e::{Callie, callie::Setup, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);

/// A server with alice registered at a Kamailio.
async fn alice_at_kamailio(setup: Setup, more: Value) -> (Callie, Kamailio) {
    let mut callie = setup.start().await.expect("callie starts");
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), more).await;
    callie.register("alice").await;
    (callie, kamailio)
}

fn end_of(call: &Value) -> (&str, &str) {
    let end = &call["termination"];
    (end["result"].as_str().unwrap_or("?"), end["reason"].as_str().unwrap_or("?"))
}

#[tokio::test]
async fn sipp_is_greeted_and_hangs_up() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Callie::setup(), json!({})).await;
    let caller = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(5));
    let mut sipp = caller.start(callie.ports());
    sipp.finish(WITHIN);

    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), ("completed", "remote_hung_up"), "{call}");
    assert_eq!(call["direction"], "inbound");
    assert!(call["from"].as_str().is_some_and(|from| from.contains("trunk")), "{call}");
    let sent = call["media"]["packets_sent"].as_u64().unwrap_or(0);
    assert!((225..=260).contains(&sent), "about 50 packets in each of 5 s: {call}");
    let wav = callie.recording(&call).await;
    assert!((wav.seconds() - 5.0).abs() < 1.0, "{} s recorded of 5 s", wav.seconds());
    // SIPp sends back what it hears: the agent's voice on the caller's side is the proof that it arrived there.
    for (side, samples) in ["caller", "agent"].iter().zip(&wav.channels) {
        assert!(loud_seconds(samples, wav.rate, 300.0) > 1.0, "the {side}'s side is silent");
    }
    let (_, detail) = callie.get(&format!("/calls/{}", call["id"].as_str().unwrap_or_default())).await;
    let events = detail["events"].as_array().cloned().unwrap_or_default();
    for wanted in ["invited", "ringing", "answered", "ended"] {
        assert!(events.iter().any(|event| event["event"] == wanted), "no event {wanted}: {detail}");
    }
    callie.await_idle(WITHIN).await;
}

#[tokio::test]
async fn what_the_caller_says_is_recorded() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Callie::setup(), json!({})).await;
    let mut sipp = Scenario::caller("call_and_speak", "alice", kamailio.address()).start(callie.ports());
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    let wav = callie.recording(&call).await;
    assert!(tone_share(&wav.channels[0], wav.rate, sipp::TONE_HZ) > 0.9, "the caller's tone is on the left: {call}");
    assert!(loud_seconds(&wav.channels[0], wav.rate, 1_000.0) > 2.0);
    assert!(tone_share(&wav.channels[1], wav.rate, sipp::TONE_HZ) < 0.5, "and not on the right");
    assert_eq!(call["media"]["packets_rejected"], 0, "{call}");
}

#[tokio::test]
async fn the_agent_says_goodbye_and_hangs_up() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Callie::setup(), json!({ "greeting": "Hello." })).await;
    let mut sipp = Scenario::caller("call_until_hung_up", "alice", kamailio.address()).start(callie.ports());
    sipp.finish(Duration::from_secs(60));
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), ("completed", "agent_ended"), "{call}");
}

#[tokio::test]
async fn the_longest_duration_ends_a_call() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Callie::setup(), json!({ "max_call_duration": 2 })).await;
    let mut sipp = Scenario::caller("call_until_hung_up", "alice", kamailio.address()).start(callie.ports());
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), ("completed", "max_duration"), "{call}");
}

#[tokio::test]
async fn a_line_over_tcp_is_called_over_its_own_connection() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Callie::setup(), json!({ "transport": "tcp" })).await;
    let caller = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(2));
    let mut sipp = caller.start(callie.ports());
    sipp.finish(WITHIN);
    assert_eq!(end_of(&callie.ended_call("alice", WITHIN).await), ("completed", "remote_hung_up"));
}

#[tokio::test]
async fn a_caller_who_vanishes_is_noticed() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let setup = Callie::setup().env("CALLIE_RTP_TIMEOUT", "2");
    let (mut callie, kamailio) = alice_at_kamailio(setup, json!({})).await;
    let caller = Scenario::caller("call_and_vanish", "alice", kamailio.address()).pause(Duration::from_secs(2));
    let mut sipp = caller.start(callie.ports());
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(end_of(&call), ("failed", "rtp_lost"), "{call}");
    callie.await_idle(WITHIN).await;
}

#[tokio::test]
async fn a_full_port_range_refuses_the_next_call_and_frees_its_port() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let mut setup = Callie::setup();
    let port = setup.ports().range(2).start().to_owned();
    let range = json!({ "use_fixed_rtp_port": true, "rtp_port_min": port, "rtp_port_max": port + 1 });
    let (mut callie, kamailio) = alice_at_kamailio(setup, range).await;

    let first = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(6));
    let mut first = first.start(callie.ports());
    eventually("the first call is up", WITHIN, || async { (callie.active_calls().await == 1).then_some(()) }).await;
    let mut second = Scenario::caller("call_refused", "alice", kamailio.address()).expecting(503).start(callie.ports());
    second.finish(WITHIN);
    first.finish(WITHIN);

    callie.await_idle(WITHIN).await;
    let calls = eventually("both calls have their records", WITHIN, || async {
        let calls = callie.calls().await;
        (calls.len() == 2 && calls.iter().all(|call| !call["ended_at"].is_null())).then_some(calls)
    })
    .await;
    assert!(calls.iter().any(|call| end_of(call) == ("rejected", "rtp_ports_exhausted")), "{calls:?}");
    let held = calls.iter().find(|call| end_of(call).0 == "completed").expect("one call was held");
    assert_eq!(held["media"]["local_port"], port, "{held}");

    let third = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(1));
    third.start(callie.ports()).finish(WITHIN);
}

#[tokio::test]
async fn many_calls_at_once_leave_nothing_behind() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let (mut callie, kamailio) = alice_at_kamailio(Callie::setup(), json!({})).await;
    let warm_up = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(1));
    warm_up.start(callie.ports()).finish(WITHIN);
    callie.await_idle(WITHIN).await;
    let (files, threads) = (callie.process().open_files(), callie.process().threads());

    let many = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(2)).calls(8, 4);
    many.start(callie.ports()).finish(WITHIN);
    callie.await_idle(WITHIN).await;
    assert_eq!(callie.calls().await.len(), 9);
    callie.process().await_files_as(&files, WITHIN).await;
    assert!(callie.process().threads() <= threads, "threads are left");
}
