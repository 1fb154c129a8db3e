//! Our own requests inside a call: offers, through challenges and glare; INFO; what shows that the peer is gone.

use crate::inbound::{established, invited};
use crate::outbound::answered;
use crate::peer::{Message, Peer, SDP, World, event, over, soon};
use callie_sip::{LegEvent, LegFailure, RequestFailure};

const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"r1\", qop=\"auth\"";

fn contact(peer: &Peer) -> String {
    format!("Contact: <sip:moved@{}>", peer.address)
}

#[tokio::test]
async fn our_offer_answers_a_challenge_and_follows_the_peer() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, dialog) = established(&mut world, &caller).await;
    let control = call.leg.control.clone();
    let offered = world.tracker.spawn(async move { control.reoffer("v=0 hold".into()).await });
    let first = caller.expect("INVITE").await;
    assert_eq!((first.body(), first.must("Call-ID")), ("v=0 hold", dialog.call_id.as_str()));
    assert!(first.must("To").ends_with(";tag=c1") && first.must("Supported").contains("replaces"));
    caller.reply(&first, "407 Proxy Authentication Required", &[CHALLENGE], "").await;
    caller.expect("ACK").await;
    let second = caller.expect_where("INVITE", |m| m.header("Proxy-Authorization").is_some()).await;
    assert_ne!(second.must("CSeq"), first.must("CSeq"));
    caller.reply(&second, "100 Trying", &[], "").await;
    caller.reply(&second, "200 OK", &[&contact(&caller), "Allow: INVITE, REFER"], SDP).await;
    let ack = caller.expect_where("ACK", |m| m.must("CSeq").split(' ').next() == second.must("CSeq").split(' ').next()).await;
    assert!(ack.start().contains("sip:moved@"), "{}", ack.start());
    assert_eq!(soon("the answer", offered).await.expect("no panic"), Ok(SDP.as_bytes().to_vec()));
    assert_eq!((call.leg.control.peer().allows("REFER"), call.leg.control.peer().allows("UPDATE")), (Some(true), Some(false)));
    // A copy of the answer is acknowledged again.
    caller.reply(&second, "200 OK", &[&contact(&caller)], SDP).await;
    caller.expect("ACK").await;
    call.leg.control.hang_up().await;
    let bye = caller.expect("BYE").await;
    assert!(bye.start().contains("sip:moved@") && bye.must("Reason").starts_with("Q.850;cause=16"));
    caller.reply(&bye, "200 OK", &[], "").await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn offers_that_cross_are_repeated() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = established(&mut world, &caller).await;
    let control = call.leg.control.clone();
    let offered = world.tracker.spawn(async move { control.reoffer("v=0 ours".into()).await });
    let ours = caller.expect("INVITE").await;
    // Theirs, while ours is not answered.
    caller.send(world.address(), dialog.request("INVITE", &[], SDP)).await;
    let crossed = caller.expect_where("SIP/2.0 4", |m| m.must("CSeq") == format!("{} INVITE", dialog.cseq)).await;
    assert!(crossed.start().starts_with("SIP/2.0 491"), "{}", crossed.start());
    caller.send(world.address(), crate::inbound::ack_of_refusal(&dialog)).await;
    caller.reply(&ours, "491 Request Pending", &[], "").await;
    caller.expect("ACK").await;
    // Their second attempt comes before ours.
    caller.send(world.address(), dialog.request("UPDATE", &[], SDP)).await;
    let LegEvent::Reoffer { reply, .. } = event(&mut call.leg).await else { panic!("no reoffer") };
    caller.send(world.address(), dialog.request("UPDATE", &[], SDP)).await;
    let second = caller.expect_where("SIP/2.0 ", |m| m.must("CSeq") == format!("{} UPDATE", dialog.cseq)).await;
    assert!(second.start().starts_with("SIP/2.0 500"), "one after the other: {}", second.start());
    assert_eq!(second.must("Retry-After"), "1");
    reply.send(Ok("v=0 answer".into())).expect("awaited");
    let again = caller.expect_where("INVITE", |m| m.must("CSeq") != ours.must("CSeq")).await;
    assert_eq!(again.body(), "v=0 ours");
    caller.reply(&again, "200 OK", &[&contact(&caller)], SDP).await;
    assert_eq!(soon("the answer", offered).await.expect("no panic"), Ok(SDP.as_bytes().to_vec()));
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn an_offer_that_overtakes_the_ack_to_the_one_before_is_served() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = invited(&mut world, &caller, &[]).await;
    call.leg.control.answer(SDP.into()).await;
    dialog.learn(&caller.expect("SIP/2.0 200").await);
    for answered in ["the first INVITE", "a further one"] {
        let ack = dialog.same("ACK", &[], "");
        caller.send(world.address(), dialog.request("UPDATE", &[], SDP)).await;
        caller.send(world.address(), ack).await;
        assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }), "{answered}");
        let LegEvent::Reoffer { reply, .. } = event(&mut call.leg).await else { panic!("{answered}: no reoffer") };
        reply.send(Ok("v=0 answer".into())).expect("awaited");
        // At once behind the answer: the turn is handed over without a refusal.
        let update = caller.expect_where("SIP/2.0 ", |m| m.must("CSeq") == format!("{} UPDATE", dialog.cseq)).await;
        assert!(update.start().starts_with("SIP/2.0 200"), "{answered}: {}", update.start());
        caller.send(world.address(), dialog.request("INVITE", &[], SDP)).await;
        let LegEvent::Reoffer { reply, .. } = event(&mut call.leg).await else { panic!("{answered}: no reoffer") };
        reply.send(Ok("v=0 answer".into())).expect("awaited");
        caller.expect_where("SIP/2.0 200", |m| m.must("CSeq") == format!("{} INVITE", dialog.cseq)).await;
    }
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn a_refused_offer_leaves_the_call_and_a_lost_peer_ends_it() {
    for (status, ends) in [("488 Not Acceptable Here", false), ("481 Call Does Not Exist", true), ("408 Request Timeout", true)] {
        let (world, carrier) = (World::new().await, Peer::new().await);
        let (mut leg, _, _handle) = answered(&world, &carrier).await;
        let control = leg.control.clone();
        let offered = world.tracker.spawn(async move { control.reoffer("v=0".into()).await });
        let invite = carrier.expect_where("INVITE", |m| m.must("To").contains("tag=peer")).await;
        carrier.reply(&invite, status, &[], "").await;
        let outcome = soon("the refusal", offered).await.expect("no panic").expect_err("refused");
        assert_eq!(outcome.code().map(|c| c.to_string()).as_deref(), status.split(' ').next());
        if ends {
            let LegEvent::Failed(LegFailure::PeerVanished(why)) = event(&mut leg).await else { panic!("goes on") };
            assert!(why.contains(status.split(' ').next().expect("a code")), "{why}");
            let bye = carrier.expect("BYE").await;
            carrier.reply(&bye, "481 Call Does Not Exist", &[], "").await;
            over(&mut leg).await;
        } else {
            leg.control.hang_up().await;
            let bye = carrier.expect("BYE").await;
            carrier.reply(&bye, "200 OK", &[], "").await;
        }
        world.at_rest(1).await;
        world.end().await;
    }
}

#[tokio::test]
async fn an_offer_that_is_never_answered_is_cancelled() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, _, _handle) = answered(&world, &carrier).await;
    let control = leg.control.clone();
    let offered = world.tracker.spawn(async move { control.reoffer("v=0".into()).await });
    let invite = carrier.expect_where("INVITE", |m| m.must("To").contains("tag=peer")).await;
    carrier.reply(&invite, "100 Trying", &[], "").await;
    let cancel = carrier.expect("CANCEL").await;
    assert_eq!(cancel.must("Via"), invite.must("Via"));
    carrier.reply(&cancel, "200 OK", &[], "").await;
    carrier.reply(&invite, "487 Request Terminated", &[], "").await;
    carrier.expect("ACK").await;
    assert_eq!(soon("the end", offered).await.expect("no panic").expect_err("cancelled").code(), Some(487));
    leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    carrier.reply(&bye, "200 OK", &[], "").await;
    over(&mut leg).await;
    world.end().await;
}

#[tokio::test]
async fn keys_go_out_one_after_the_other() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (leg, _, _handle) = answered(&world, &carrier).await;
    let control = leg.control.clone();
    let sent = world.tracker.spawn(async move {
        let both =
            [control.send_info("application/dtmf-relay", "Signal=1"), control.send_info("application/dtmf-relay", "Signal=2")];
        futures::future::join_all(both).await
    });
    let first = carrier.expect("INFO").await;
    assert_eq!((first.body(), first.must("Content-Type")), ("Signal=1", "application/dtmf-relay"));
    carrier.reply(&first, "407 Proxy Authentication Required", &[CHALLENGE], "").await;
    let again = carrier.expect_where("INFO", |m: &Message| m.header("Proxy-Authorization").is_some()).await;
    assert_eq!(again.body(), "Signal=1");
    carrier.reply(&again, "200 OK", &[], "").await;
    let second = carrier.expect_where("INFO", |m| m.body() == "Signal=2").await;
    carrier.reply(&second, "415 Unsupported Media Type", &[], "").await;
    let results = soon("both", sent).await.expect("no panic");
    assert_eq!(results[0], Ok(()));
    assert_eq!(results[1], Err(RequestFailure::Refused { code: 415, phrase: "Unsupported Media Type".into() }));
    drop(leg);
    world.end().await;
}
