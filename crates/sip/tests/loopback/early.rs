//! Before the answer: reliable ringing both ways (RFC 3262), several telephones that ring, offers by UPDATE, redirections.

use crate::inbound::invited;
use crate::outbound::{contact, dialled, target};
use crate::peer::{Dialog, Message, Peer, SDP, World, event, over, soon};
use callie_sip::{Leg, LegEvent, LegFailure};

const EARLY: &str = "v=0 early";

/// A provisional response of one branch.
fn ringing(invite: &Message, status: &str, tag: &str, rseq: u32, peer: &Peer, body: &str) -> String {
    let rseq = format!("RSeq: {rseq}");
    let contact = format!("Contact: <sip:{tag}@{}>", peer.address);
    let extra = [contact.as_str(), "Require: 100rel", rseq.as_str(), "Allow: INVITE, UPDATE, PRACK"];
    invite.response(status, &extra, body).replace("tag=peer", &format!("tag={tag}"))
}

async fn rings(leg: &mut Leg) -> (u16, Option<String>) {
    match event(leg).await {
        LegEvent::Ringing { code, sdp } => (code, sdp.map(|sdp| String::from_utf8_lossy(&sdp).into_owned())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_reliable_response_is_acknowledged_in_order() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    assert!(invite.must("Supported").contains("100rel") && invite.must("Allow").contains("PRACK"));
    carrier.send(invite.source, ringing(&invite, "183 Session Progress", "peer", 41, &carrier, EARLY)).await;
    let prack = carrier.expect("PRACK").await;
    assert_eq!((prack.must("RAck"), prack.must("CSeq")), ("41 1 INVITE", "2 PRACK"));
    assert!(prack.start().contains("sip:peer@") && prack.must("To").ends_with("tag=peer") && prack.body().is_empty());
    carrier.reply(&prack, "200 OK", &[], "").await;
    assert_eq!(rings(&mut leg).await, (183, Some(EARLY.into())));
    // 43 has overtaken 42: it waits for its repetition.
    carrier.send(invite.source, ringing(&invite, "180 Ringing", "peer", 43, &carrier, "")).await;
    carrier.send(invite.source, ringing(&invite, "181 Forwarded", "peer", 42, &carrier, "")).await;
    let second = carrier.expect_where("PRACK", |m| m.must("RAck") != "41 1 INVITE").await;
    assert_eq!((second.must("RAck"), second.must("CSeq")), ("42 1 INVITE", "3 PRACK"));
    let challenge = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"k1\", qop=\"auth\"";
    carrier.reply(&second, "407 Proxy Authentication Required", &[challenge], "").await;
    let second = carrier.expect_where("PRACK", |m| m.header("Proxy-Authorization").is_some()).await;
    carrier.reply(&second, "200 OK", &[], "").await;
    assert_eq!(rings(&mut leg).await.0, 181);
    carrier.send(invite.source, ringing(&invite, "180 Ringing", "peer", 43, &carrier, "")).await;
    let third = carrier.expect_where("PRACK", |m| m.must("RAck") == "43 1 INVITE").await;
    carrier.reply(&third, "200 OK", &[], "").await;
    assert_eq!(rings(&mut leg).await.0, 180);
    // The answer came in the 183: the 200 need not repeat it.
    carrier.reply(&invite, "200 OK", &[&contact(&carrier)], "").await;
    carrier.expect("ACK").await;
    let LegEvent::Answered { sdp } = event(&mut leg).await else { panic!("not answered") };
    assert_eq!(sdp, EARLY.as_bytes());
    leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    assert_eq!(bye.must("CSeq"), "6 BYE", "numbers go on from the early dialog");
    carrier.reply(&bye, "200 OK", &[], "").await;
    over(&mut leg).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn telephones_ring_apart_and_the_first_to_answer_wins() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    for (tag, rseq) in [("one", 7), ("two", 9)] {
        carrier.send(invite.source, ringing(&invite, "183 Session Progress", tag, rseq, &carrier, &format!("v=0 {tag}"))).await;
        let prack = carrier.expect_where("PRACK", |m| m.must("To").ends_with(tag)).await;
        assert_eq!(prack.must("RAck"), format!("{rseq} 1 INVITE"));
        carrier.reply(&prack, "200 OK", &[], "").await;
        assert_eq!(rings(&mut leg).await, (183, Some(format!("v=0 {tag}"))));
    }
    // One has ended; nobody need know.
    let gone = invite.response("199 Early Dialog Terminated", &[], "").replace("tag=peer", "tag=two");
    carrier.send(invite.source, gone).await;
    let ok = |tag: &str| invite.response("200 OK", &[&contact(&carrier)], "").replace("tag=peer", &format!("tag={tag}"));
    carrier.send(invite.source, ok("one")).await;
    carrier.expect_where("ACK", |m| m.must("To").ends_with("one")).await;
    let LegEvent::Answered { sdp } = event(&mut leg).await else { panic!("not answered") };
    assert_eq!(sdp, b"v=0 one");
    carrier.send(invite.source, ok("three")).await;
    carrier.expect_where("ACK", |m| m.must("To").ends_with("three")).await;
    let bye = carrier.expect_where("BYE", |m| m.must("To").ends_with("three")).await;
    assert!(bye.must("Reason").contains("completed elsewhere"));
    carrier.reply(&bye, "200 OK", &[], "").await;
    assert_eq!(leg.control.dialog_id().expect("named").remote_tag, "one");
    // What the late one says does not end the call with the first.
    let theirs = |tag: &str| crate::outbound::from_callee(&carrier, &invite, "BYE", 1).replace("tag=peer", &format!("tag={tag}"));
    carrier.send(world.address(), theirs("three")).await;
    carrier.expect_where("SIP/2.0 481", |m| m.must("From").ends_with("three")).await;
    carrier.send(world.address(), theirs("one")).await;
    assert!(matches!(event(&mut leg).await, LegEvent::HungUp { .. }));
    over(&mut leg).await;
    world.end().await;
}

#[tokio::test]
async fn both_sides_may_offer_before_the_answer() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    assert!(leg.control.reoffer("v=0 soon".into()).await.is_err(), "nobody has answered the first one");
    carrier.send(invite.source, ringing(&invite, "183 Session Progress", "peer", 1, &carrier, EARLY)).await;
    let prack = carrier.expect("PRACK").await;
    carrier.reply(&prack, "200 OK", &[], "").await;
    rings(&mut leg).await;
    let control = leg.control.clone();
    let offered = world.tracker.spawn(async move { control.reoffer("v=0 ours".into()).await });
    let update = carrier.expect("UPDATE").await;
    assert_eq!((update.body(), update.header("Session-Expires")), ("v=0 ours", None));
    carrier.reply(&update, "200 OK", &[&contact(&carrier)], "v=0 theirs").await;
    assert_eq!(soon("the answer", offered).await.expect("no panic"), Ok(b"v=0 theirs".to_vec()));
    let theirs = crate::outbound::from_callee(&carrier, &invite, "UPDATE", 1);
    let theirs =
        theirs.replace("Content-Length: 0\r\n\r\n", "Content-Type: application/sdp\r\nContent-Length: 9\r\n\r\nv=0 moved");
    carrier.send(world.address(), theirs).await;
    let LegEvent::Reoffer { sdp, reply } = event(&mut leg).await else { panic!("no reoffer") };
    assert_eq!(sdp.as_deref(), Some(b"v=0 moved".as_slice()));
    reply.send(Ok("v=0 yes".into())).expect("awaited");
    let ok = carrier.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("UPDATE")).await;
    assert_eq!(ok.body(), "v=0 yes");
    drop(leg);
    let cancel = carrier.expect("CANCEL").await;
    assert!(cancel.must("Reason").starts_with("Q.850"));
    world.end().await;
}

#[tokio::test]
async fn ringing_is_repeated_until_its_prack() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = invited(&mut world, &caller, &["Require: 100rel"]).await;
    call.leg.control.ring().await;
    let ringing = caller.expect("SIP/2.0 180").await;
    let rseq = ringing.must("RSeq").to_owned();
    assert_eq!(ringing.must("Require"), "100rel");
    let copy = caller.expect("SIP/2.0 180").await;
    assert_eq!(copy.must("RSeq"), rseq);
    dialog.learn(&ringing);
    for (rack, want) in [("1 1 INVITE".to_owned(), "SIP/2.0 481"), (format!("{rseq} 1 INVITE"), "SIP/2.0 200")] {
        caller.send(world.address(), dialog.request("PRACK", &[&format!("RAck: {rack}")], "")).await;
        caller.expect_where(want, |m| m.must("CSeq").ends_with("PRACK")).await;
    }
    // 64·T1 later the call still rings, and nothing was repeated.
    tokio::time::sleep(crate::peer::T1 * 70).await;
    call.leg.control.answer(SDP.into()).await;
    let next = caller.next().await;
    assert!(next.start().starts_with("SIP/2.0 200"), "{}", next.start());
    let cseq = dialog.cseq;
    dialog.cseq = 1;
    caller.send(world.address(), dialog.request("ACK", &[], "")).await;
    dialog.cseq = cseq;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    caller.send(world.address(), dialog.request("BYE", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::HungUp { .. }));
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_demands_100rel_and_sends_no_prack_is_refused() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = invited(&mut world, &caller, &["Require: 100rel"]).await;
    call.leg.control.ring().await;
    caller.expect("SIP/2.0 180").await;
    let refused = caller.expect("SIP/2.0 504").await;
    dialog.to = refused.must("To").into();
    caller.send(world.address(), crate::inbound::ack_of_refusal(&dialog)).await;
    // Seven times on an idle machine; the exact times are the unit tests'.
    assert!(matches!(event(&mut call.leg).await, LegEvent::Failed(LegFailure::PrackMissing { sent: 4..=7 })));
    over(&mut call.leg).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_only_knows_100rel_gets_plain_ringing_and_one_without_an_offer_none() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, _) = invited(&mut world, &caller, &["Supported: 100rel"]).await;
    call.leg.control.ring().await;
    let ringing = caller.expect("SIP/2.0 180").await;
    assert!(ringing.header("RSeq").is_none() && ringing.header("Require").is_none());
    let mut dialog = Dialog::new(&caller, &ringing.contact());
    caller.send(world.address(), dialog.request("INVITE", &["Require: 100rel"], "")).await;
    let offerless = world.call().await;
    offerless.leg.control.ring().await;
    offerless.leg.control.answer(SDP.into()).await;
    let first = caller.expect_where("SIP/2.0 ", |m| m.must("Call-ID") == dialog.call_id && !m.start().contains(" 100 ")).await;
    assert!(first.start().starts_with("SIP/2.0 200"), "{}", first.start());
    drop((call, offerless));
    world.end().await;
}

#[tokio::test]
async fn an_unanswered_call_takes_no_second_offer_yet() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, mut dialog) = invited(&mut world, &caller, &[]).await;
    call.leg.control.ring().await;
    dialog.learn(&caller.expect("SIP/2.0 180").await);
    for (method, body, want) in [("UPDATE", SDP, "SIP/2.0 500"), ("UPDATE", "", "SIP/2.0 200"), ("NOTIFY", "", "SIP/2.0 481")] {
        caller.send(world.address(), dialog.request(method, &[], body)).await;
        caller.expect_where(want, |m| m.must("CSeq").ends_with(method)).await;
    }
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn a_call_follows_the_provider_to_another_user_and_nowhere_else() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, handle) = dialled(&world, &carrier).await;
    let contacts = "Contact: <sip:low@carrier.test>;q=0.1, <sip:+881@premium.test>, <sip:high@carrier.test>;q=0.9";
    carrier.reply(&invite, "302 Moved Temporarily", &[contacts], "").await;
    carrier.expect("ACK").await;
    let second = carrier.expect_where("INVITE", |m| m.start().contains("sip:high@carrier.test")).await;
    assert_eq!(
        (second.must("Call-ID"), second.must("CSeq"), second.must("To")),
        (invite.must("Call-ID"), "2 INVITE", invite.must("To"))
    );
    // Back to where it came from is a loop.
    carrier.reply(&second, "302 Moved Temporarily", &["Contact: <sip:+1234567@carrier.test>"], "").await;
    let third = carrier.expect_where("INVITE", |m| m.start().contains("sip:low@carrier.test")).await;
    carrier.reply(&third, "404 Not Found", &[], "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Refused { code: 404, .. }));
    over(&mut leg).await;
    let mut leg = world.stack.dial(&handle, &target("777"), SDP.into());
    let invite = carrier.expect_where("INVITE", |m| m.start().contains(":777@")).await;
    carrier.reply(&invite, "302 Moved Temporarily", &["Contact: <sip:+881@premium.test>"], "").await;
    let LegEvent::Refused { code: 302, phrase } = event(&mut leg).await else { panic!("followed") };
    assert!(phrase.contains("sip:+881@premium.test"), "{phrase}");
    world.at_rest(1).await;
    world.end().await;
}
