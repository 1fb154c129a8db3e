//! Calls from outside: every way in which one can begin and end.

use crate::peer::{Dialog, Peer, SDP, World, event, over, soon};
use callie_sip::{LegEvent, LegFailure};

/// A call that has been taken by the product, with its caller's dialog.
pub async fn invited(world: &mut World, caller: &Peer, extra: &[&str]) -> (callie_sip::InboundCall, Dialog) {
    let (handle, register) = world.registered(caller).await;
    let mut dialog = Dialog::new(caller, &register.contact());
    caller.send(world.address(), dialog.request("INVITE", extra, SDP)).await;
    let call = world.call().await;
    // The account lives as long as the test's world.
    std::mem::forget(handle);
    (call, dialog)
}

/// The same, answered and acknowledged.
pub async fn established(world: &mut World, caller: &Peer) -> (callie_sip::InboundCall, Dialog) {
    let (mut call, mut dialog) = invited(world, caller, &[]).await;
    call.leg.control.answer(SDP.into()).await;
    let ok = caller.expect("SIP/2.0 200").await;
    dialog.learn(&ok);
    caller.send(world.address(), dialog.request("ACK", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { sdp: None }));
    (call, dialog)
}

#[tokio::test]
async fn a_call_rings_is_answered_and_ended_by_the_caller() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let route = "Record-Route: <sip:127.0.0.1:9;lr>";
    let (mut call, mut dialog) = invited(&mut world, &caller, &[route]).await;
    assert_eq!((call.user.as_str(), call.from.as_str(), call.to.as_str()), ("alice", "+49301234", "1000"));
    assert_eq!(call.from_name.as_deref(), Some("Carol"));
    assert_eq!((call.source, call.sip_call_id.as_str()), (caller.address, dialog.call_id.as_str()));
    assert_eq!(call.offer.as_deref(), Some(SDP.as_bytes()));
    assert_eq!(caller.expect("SIP/2.0 ").await.start(), "SIP/2.0 100 Trying");
    call.leg.control.ring().await;
    let ringing = caller.expect("SIP/2.0 180").await;
    assert_eq!(ringing.must("Record-Route"), "<sip:127.0.0.1:9;lr>");
    assert!(ringing.must("User-Agent").starts_with("Yealink"));
    assert_eq!(ringing.headers("User-Agent").len(), 1);
    call.leg.control.answer(SDP.into()).await;
    let ok = caller.expect("SIP/2.0 200").await;
    assert_eq!((ok.body(), ok.must("To")), (SDP, ringing.must("To")));
    dialog.learn(&ok);
    caller.send(world.address(), dialog.request("ACK", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { sdp: None }));
    let reason = "Reason: Q.850;cause=16;text=\"done\"";
    caller.send(world.address(), dialog.request("BYE", &[reason], "")).await;
    caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("BYE")).await;
    match event(&mut call.leg).await {
        LegEvent::HungUp { reason } => assert_eq!(reason.as_deref(), Some("done")),
        other => panic!("{other:?}"),
    }
    over(&mut call.leg).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn we_hang_up_and_a_crossing_bye_is_answered() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = established(&mut world, &caller).await;
    call.leg.control.hang_up().await;
    let bye = caller.expect("BYE").await;
    assert!(bye.start().contains(&caller.address.to_string()), "to the Contact: {}", bye.start());
    assert!(bye.must("User-Agent").starts_with("Yealink"));
    caller.send(world.address(), dialog.request("BYE", &[], "")).await;
    caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("BYE")).await;
    caller.reply(&bye, "200 OK", &[], "").await;
    over(&mut call.leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_challenged_bye_is_repeated_with_credentials() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, _) = established(&mut world, &caller).await;
    call.leg.control.hang_up().await;
    let bye = caller.expect("BYE").await;
    let challenge = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"b1\", qop=\"auth\"";
    caller.reply(&bye, "407 Proxy Authentication Required", &[challenge], "").await;
    let again = caller.expect_where("BYE", |m| m.header("Proxy-Authorization").is_some()).await;
    assert_ne!(again.must("CSeq"), bye.must("CSeq"));
    caller.reply(&again, "200 OK", &[], "").await;
    drop(call);
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn dropping_the_leg_hangs_up() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, _) = established(&mut world, &caller).await;
    drop(call);
    let bye = caller.expect("BYE").await;
    caller.reply(&bye, "200 OK", &[], "").await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn an_unanswered_call_can_be_cancelled() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = invited(&mut world, &caller, &[]).await;
    call.leg.control.ring().await;
    caller.expect("SIP/2.0 180").await;
    caller.send(world.address(), dialog.same("CANCEL", &[], "")).await;
    let last = caller.expect("SIP/2.0 487").await;
    dialog.to = last.must("To").into();
    caller.send(world.address(), ack_of_refusal(&dialog)).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Cancelled));
    over(&mut call.leg).await;
    world.at_rest(1).await;
    world.end().await;
}

/// The ACK of a refusal has the branch of its INVITE (RFC 3261 §17.1.1.3).
pub fn ack_of_refusal(dialog: &Dialog) -> String {
    dialog.same("CANCEL", &[], "").replace("CANCEL", "ACK")
}

#[tokio::test]
async fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = invited(&mut world, &caller, &[]).await;
    call.leg.control.answer(SDP.into()).await;
    let ok = caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("INVITE")).await;
    caller.send(world.address(), dialog.same("CANCEL", &[], "")).await;
    caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("CANCEL")).await;
    dialog.learn(&ok);
    caller.send(world.address(), dialog.request("ACK", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    caller.send(world.address(), dialog.request("BYE", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::HungUp { .. }));
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn calls_are_refused_with_the_code_we_choose() {
    for (reject, want) in [(Some(486), "SIP/2.0 486 Busy Here"), (Some(7), "SIP/2.0 480"), (None, "SIP/2.0 480")] {
        let (mut world, caller) = (World::new().await, Peer::new().await);
        let (mut call, mut dialog) = invited(&mut world, &caller, &[]).await;
        match reject {
            Some(code) => call.leg.control.reject(code).await,
            None => call.leg.control.hang_up().await,
        }
        let refusal = caller.expect(want).await;
        dialog.to = refusal.must("To").into();
        caller.send(world.address(), ack_of_refusal(&dialog)).await;
        over(&mut call.leg).await;
        world.is_empty(1).await;
        world.end().await;
    }
}

#[tokio::test]
async fn an_answer_that_nobody_acknowledges_fails_the_leg() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, _) = invited(&mut world, &caller, &[]).await;
    call.leg.control.answer(SDP.into()).await;
    caller.expect("SIP/2.0 200").await;
    caller.expect("SIP/2.0 200").await;
    let LegEvent::Failed(failure @ LegFailure::AckMissing { sent, to, .. }) = event(&mut call.leg).await else { panic!() };
    assert_eq!((sent > 4, to), (true, caller.address), "{failure}");
    assert!(failure.to_string().contains("external_address"), "{failure}");
    let bye = caller.expect("BYE").await;
    caller.reply(&bye, "200 OK", &[], "").await;
    over(&mut call.leg).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn an_invite_without_an_offer_gets_ours() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&caller).await;
    let mut dialog = Dialog::new(&caller, &register.contact());
    caller.send(world.address(), dialog.request("INVITE", &[], "")).await;
    let mut call = world.call().await;
    assert!(call.offer.is_none());
    call.leg.control.answer(SDP.into()).await;
    dialog.learn(&caller.expect("SIP/2.0 200").await);
    caller.send(world.address(), dialog.request("ACK", &[], SDP)).await;
    match event(&mut call.leg).await {
        LegEvent::Acknowledged { sdp } => assert_eq!(sdp.as_deref(), Some(SDP.as_bytes())),
        other => panic!("{other:?}"),
    }
    world.end().await;
}

#[tokio::test]
async fn the_peer_may_change_the_session() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = established(&mut world, &caller).await;
    for (method, decision, want) in [
        ("INVITE", Ok("v=0 changed".to_owned()), "SIP/2.0 200"),
        ("UPDATE", Ok("v=0 again".to_owned()), "SIP/2.0 200"),
        ("INVITE", Err(488), "SIP/2.0 488"),
    ] {
        caller.send(world.address(), dialog.request(method, &[], SDP)).await;
        let LegEvent::Reoffer { sdp, reply } = event(&mut call.leg).await else { panic!("no reoffer") };
        assert_eq!(sdp.as_deref(), Some(SDP.as_bytes()));
        reply.send(decision.clone()).expect("awaited");
        let cseq = format!("{} {method}", dialog.cseq);
        let answer = caller.expect_where(want, |m| m.must("CSeq") == cseq).await;
        if let Ok(sdp) = &decision {
            assert_eq!(answer.body(), sdp);
        }
        if method == "INVITE" {
            let ack = if decision.is_ok() { dialog.same("ACK", &[], "") } else { ack_of_refusal(&dialog) };
            caller.send(world.address(), ack).await;
        }
        if method == "INVITE" && decision.is_ok() {
            assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
        }
    }
    caller.send(world.address(), dialog.request("UPDATE", &[], "")).await;
    caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("UPDATE")).await;
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn keys_come_by_info_and_old_requests_are_refused() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = established(&mut world, &caller).await;
    let kind = "Content-Type: application/dtmf-relay";
    caller.send(world.address(), dialog.request("INFO", &[kind], "Signal=7\r\nDuration=100\r\n")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Dtmf('7')));
    caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("INFO")).await;
    dialog.cseq -= 2;
    caller.send(world.address(), dialog.request("OPTIONS", &[], "")).await;
    caller.expect_where("SIP/2.0 500", |m| m.must("CSeq").ends_with("OPTIONS")).await;
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn requests_outside_any_call_get_what_they_deserve() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&caller).await;
    let (ours, stranger) = (register.contact(), format!("sip:alice@{}", world.address()));
    let server = format!("sip:{}", world.address());
    let cases: [(&str, &str, &[&str], &str, &str); 12] = [
        ("OPTIONS", &ours, &[], "", "SIP/2.0 200"),
        ("OPTIONS", &server, &[], "", "SIP/2.0 200"),
        ("OPTIONS", &stranger, &[], "", "SIP/2.0 404"),
        ("INVITE", &stranger, &[], SDP, "SIP/2.0 404"),
        ("INVITE", &server, &[], SDP, "SIP/2.0 404"),
        ("INVITE", &ours, &["Require: 100rel, precondition, timer, sec-agree"], SDP, "SIP/2.0 420"),
        ("INVITE", &ours, &["Content-Type: text/plain"], "hello", "SIP/2.0 415"),
        ("BYE", &ours, &[], "", "SIP/2.0 481"),
        ("REGISTER", &ours, &[], "", "SIP/2.0 405"),
        ("SUBSCRIBE", &ours, &[], "", "SIP/2.0 405"),
        ("MESSAGE", &ours, &[], "", "SIP/2.0 405"),
        ("PING", &ours, &[], "", "SIP/2.0 501"),
    ];
    for (method, uri, extra, body, want) in cases {
        let mut dialog = Dialog::new(&caller, uri);
        caller.send(world.address(), dialog.request(method, extra, body)).await;
        let call_id = dialog.call_id.clone();
        let answer = caller.expect_where("SIP/2.0 ", |m| m.must("Call-ID") == call_id).await;
        assert!(answer.start().starts_with(want), "{method} {uri}: {}", answer.start());
        if want.ends_with("420") {
            assert_eq!(answer.must("Unsupported"), "precondition, sec-agree");
        }
        if want.ends_with("405") || method == "OPTIONS" && want.ends_with("200") {
            assert!(answer.must("Allow").contains("INVITE"));
        }
    }
    let mut inside = Dialog::new(&caller, &ours);
    inside.to += ";tag=unknown";
    caller.send(world.address(), inside.request("BYE", &[], "")).await;
    caller.expect("SIP/2.0 481").await;
    assert!(world.calls.try_recv().is_err(), "none of these is a call");
    world.end().await;
}

#[tokio::test]
async fn a_full_exchange_says_so() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&caller).await;
    let contact = register.contact();
    let refused = soon("a refusal", async {
        loop {
            let mut dialog = Dialog::new(&caller, &contact);
            caller.send(world.address(), dialog.request("INVITE", &[], SDP)).await;
            let call_id = dialog.call_id.clone();
            let answer = caller.expect_where("SIP/2.0 ", |m| m.must("Call-ID") == call_id).await;
            if !answer.start().contains(" 100 ") {
                return answer;
            }
        }
    })
    .await;
    assert!(refused.start().starts_with("SIP/2.0 503"), "{}", refused.start());
    let mut waiting = 0;
    while world.calls.try_recv().is_ok() {
        waiting += 1;
    }
    assert!(waiting >= 200, "{waiting}");
    world.end().await;
}
