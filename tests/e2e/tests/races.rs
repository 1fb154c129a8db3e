//! Two things at once: CANCEL against the answer, BYE against BYE, an answer that nobody acknowledges.

use callie_e2e::peers::{Kamailio, kamailio::Digest, present};
use callie_e2e::phone::{Phone, header};
use callie_e2e::{Callie, callie::Setup, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(20);

/// A server with alice registered, and her Contact. Requests to it are believed because they come from her registrar's address.
async fn alice(setup: Setup, more: Value) -> (Callie, Kamailio, String) {
    let mut callie = setup.start().await.expect("callie starts");
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 600).await;
    callie.create_user("alice", kamailio.address(), more).await;
    callie.register("alice").await;
    let contact = kamailio.await_binding("alice", WITHIN).await.contact;
    (callie, kamailio, contact)
}

/// The final response to the INVITE; provisional ones and answers to CANCEL are passed over, and a BYE is confirmed.
fn final_response(phone: &Phone) -> String {
    let deadline = Instant::now() + WITHIN;
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Some(message) = phone.receive(left) else { break };
        let of_invite = header(&message, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        if of_invite && message.starts_with("SIP/2.0 ") && !message.starts_with("SIP/2.0 1") {
            return message;
        }
    }
    panic!("the INVITE got no final response within {WITHIN:?}")
}

/// INVITE, and CANCEL after `patience`. Whether it was answered: then it is acknowledged and ended as it should be.
fn cancel_after(patience: Duration, callie: &Callie, contact: &str, name: &str) -> bool {
    let phone = Phone::new(callie.sip());
    let attempt = phone.attempt(contact, name);
    phone.send(phone.invite(&attempt).as_bytes());
    let until = Instant::now() + patience;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    phone.send(phone.cancel(&attempt).as_bytes());
    let response = final_response(&phone);
    phone.send(phone.ack(&attempt, &response).as_bytes());
    if !response.starts_with("SIP/2.0 200") {
        assert!(response.starts_with("SIP/2.0 487"), "{response}");
        return false;
    }
    phone.send(phone.bye(&attempt, &response, 2).as_bytes());
    phone.expect("SIP/2.0 200", WITHIN);
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_at_every_moment_of_the_answer() {
    if !present(&["kamailio"]) {
        return;
    }
    let (mut callie, _kamailio, contact) = alice(Callie::setup(), json!({})).await;
    // The first call opens what stays open: readers of the store, the recorder's folder.
    let mut answered = usize::from(cancel_after(Duration::from_millis(300), &callie, &contact, "first"));
    callie.await_idle(WITHIN).await;
    let files = callie.process().open_files();
    let mut cancelled = 0;
    for step in 0..24 {
        // From before the 100 to well after the 200.
        let patience = Duration::from_millis(step * 4);
        match cancel_after(patience, &callie, &contact, &format!("cancel{step}")) {
            true => answered += 1,
            false => cancelled += 1,
        }
    }
    assert!(answered > 1 && cancelled > 0, "{answered} answered, {cancelled} cancelled: the race was run");
    callie.await_idle(WITHIN).await;
    let calls = eventually("every call has its record", WITHIN, || async {
        let calls = callie.calls().await;
        (calls.len() == 25 && calls.iter().all(|call| !call["ended_at"].is_null())).then_some(calls)
    })
    .await;
    let ended = |reason: &str| calls.iter().filter(|call| call["termination"]["reason"] == reason).count();
    assert_eq!((ended("caller_cancelled"), ended("remote_hung_up")), (cancelled, answered), "{calls:?}");
    callie.process().await_files_as(&files, WITHIN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_hang_up_at_once() {
    if !present(&["kamailio"]) {
        return;
    }
    let (callie, _kamailio, contact) = alice(Callie::setup(), json!({})).await;
    let phone = Phone::new(callie.sip());
    let attempt = phone.attempt(&contact, "glare");
    phone.send(phone.invite(&attempt).as_bytes());
    let answer = final_response(&phone);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    phone.send(phone.ack(&attempt, &answer).as_bytes());

    let id = eventually("the call is up", WITHIN, || async {
        callie.get("/calls/active").await.1["calls"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let (status, _) = callie.post(&format!("/calls/{id}/hangup"), json!({})).await;
    assert!(status == 202, "{status}");
    // Theirs is under way; ours crosses it.
    let theirs = phone.expect("BYE ", WITHIN);
    phone.send(phone.bye(&attempt, &answer, 2).as_bytes());
    phone.send(phone.ok(&theirs).as_bytes());
    let reply = phone.expect("SIP/2.0 ", WITHIN);
    assert!(reply.starts_with("SIP/2.0 200") || reply.starts_with("SIP/2.0 481"), "{reply}");
    callie.await_idle(WITHIN).await;
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["result"], "completed", "{call}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_acknowledges_is_given_up() {
    if !present(&["kamailio"]) {
        return;
    }
    // The agent has to be speaking still when the time for the ACK is over.
    let long_words = json!({ "greeting": "This greeting takes its time, and then some more. ".repeat(30) });
    let (callie, _kamailio, contact) = alice(Callie::setup().env("CALLIE_RTP_TIMEOUT", "90"), long_words).await;
    let phone = Phone::new(callie.sip());
    let attempt = phone.attempt(&contact, "noack");
    phone.send(phone.invite(&attempt).as_bytes());
    let answer = final_response(&phone);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    let again = phone.expect("SIP/2.0 200", WITHIN);
    assert_eq!(header(&again, "To"), header(&answer, "To"), "the 200 is repeated until it is acknowledged");
    // RFC 3261 §13.3.1.4: after 64·T1 without ACK the session is ended.
    let call = callie.ended_call("alice", Duration::from_secs(45)).await;
    assert_eq!(call["termination"]["reason"], "ack_missing", "{call}");
    callie.await_idle(WITHIN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_never_speaks_is_noticed() {
    if !present(&["kamailio"]) {
        return;
    }
    let (callie, _kamailio, contact) = alice(Callie::setup().env("CALLIE_RTP_TIMEOUT", "2"), json!({})).await;
    let phone = Phone::new(callie.sip());
    let attempt = phone.attempt(&contact, "mute");
    phone.send(phone.invite(&attempt).as_bytes());
    let answer = final_response(&phone);
    phone.send(phone.ack(&attempt, &answer).as_bytes());
    assert!(phone.listen(Duration::from_secs(1)) > 40, "the greeting comes at 50 packets a second");
    let bye = phone.expect("BYE ", WITHIN);
    phone.send(phone.ok(&bye).as_bytes());
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["reason"], "rtp_lost", "{call}");
}

#[tokio::test]
async fn an_invite_for_nobody_is_refused() {
    // Strangers hear nothing unless they are to be told.
    let callie = Callie::setup().env("CALLIE_SIP_STRANGERS", "refuse").start().await.expect("callie starts");
    let phone = Phone::new(callie.sip());
    let attempt = phone.attempt(&format!("sip:alice@{}", callie.sip()), "stranger");
    phone.send(phone.invite(&attempt).as_bytes());
    let response = final_response(&phone);
    assert!(response.starts_with("SIP/2.0 4"), "{response}");
    phone.send(phone.ack(&attempt, &response).as_bytes());
    assert_eq!(callie.active_calls().await, 0);
    assert_eq!(callie.calls().await.len(), 0, "strangers leave no record");
}
