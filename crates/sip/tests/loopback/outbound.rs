//! Calls to the outside: challenges, ringing, every kind of end.

use crate::peer::{Message, Peer, SDP, World, account, event, over, soon};
use callie_domain::DialTarget;
use callie_sip::{AccountHandle, Leg, LegEvent, LegFailure};

pub fn target(text: &str) -> DialTarget {
    text.parse().expect("dialable")
}

/// A call on its way: the leg and the INVITE that the carrier got.
pub async fn dialled(world: &World, carrier: &Peer) -> (Leg, Message, AccountHandle) {
    let (handle, _) = world.registered(carrier).await;
    let leg = world.stack.dial(&handle, &target("+1 234 567"), SDP.into());
    let invite = carrier.expect("INVITE").await;
    (leg, invite, handle)
}

pub fn contact(carrier: &Peer) -> String {
    format!("Contact: <sip:callee@{}>", carrier.address)
}

pub async fn answered(world: &World, carrier: &Peer) -> (Leg, Message, AccountHandle) {
    let (mut leg, invite, handle) = dialled(world, carrier).await;
    carrier.reply(&invite, "200 OK", &[&contact(carrier)], SDP).await;
    carrier.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { sdp } if sdp == SDP.as_bytes()));
    (leg, invite, handle)
}

/// The callee's request inside the call.
pub fn from_callee(carrier: &Peer, invite: &Message, method: &str, cseq: u32) -> String {
    format!(
        "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{method}{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: {};tag=peer\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
        invite.contact(),
        carrier.address,
        invite.must("To"),
        invite.must("From"),
        invite.must("Call-ID"),
    )
}

#[tokio::test]
async fn a_challenged_call_is_answered_and_ended_by_us() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    assert_eq!(invite.start(), "INVITE sip:+1234567@carrier.test SIP/2.0");
    assert_eq!((invite.body(), invite.must("To")), (SDP, "<sip:+1234567@carrier.test>"));
    assert!(invite.header("Authorization").is_none(), "the registrar's digest is not the callee's business");
    let challenge = "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n7\", qop=\"auth\", algorithm=SHA-256";
    carrier.reply(&invite, "407 Proxy Authentication Required", &[challenge], "").await;
    carrier.expect("ACK").await;
    let again = carrier.expect_where("INVITE", |m| m.header("Proxy-Authorization").is_some()).await;
    assert_eq!(again.must("Call-ID"), invite.must("Call-ID"));
    assert_eq!((invite.must("CSeq"), again.must("CSeq")), ("1 INVITE", "2 INVITE"));
    carrier.reply(&again, "401 Unauthorized", &["WWW-Authenticate: Digest realm=\"u\", nonce=\"n8\""], "").await;
    let third = carrier.expect_where("INVITE", |m| m.header("Authorization").is_some()).await;
    assert!(third.header("Proxy-Authorization").is_some(), "both ask, both are answered");
    carrier.reply(&third, "180 Ringing", &[], "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Ringing { code: 180, .. }));
    let route = format!("Record-Route: <sip:{};lr>", carrier.address);
    carrier.reply(&third, "200 OK", &[&contact(&carrier), &route], SDP).await;
    let ack = carrier.expect_where("ACK", |m| m.must("CSeq") == "3 ACK").await;
    assert!(ack.must("User-Agent").starts_with("Yealink"), "{}", ack.text);
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { sdp } if sdp == SDP.as_bytes()));
    leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    assert_eq!(bye.start(), format!("BYE sip:callee@{} SIP/2.0", carrier.address));
    assert_eq!((bye.must("CSeq"), bye.must("Route")), ("4 BYE", format!("<sip:{};lr>", carrier.address).as_str()));
    carrier.reply(&bye, "200 OK", &[], "").await;
    over(&mut leg).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn the_callee_hangs_up() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = answered(&world, &carrier).await;
    carrier.send(world.address(), from_callee(&carrier, &invite, "BYE", 1)).await;
    carrier.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("BYE")).await;
    assert!(matches!(event(&mut leg).await, LegEvent::HungUp { reason: None }));
    over(&mut leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn byes_may_cross() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = answered(&world, &carrier).await;
    leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    carrier.send(world.address(), from_callee(&carrier, &invite, "BYE", 1)).await;
    carrier.expect_where("SIP/2.0 200", |m| m.must("CSeq") == "1 BYE").await;
    carrier.reply(&bye, "481 Call/Transaction Does Not Exist", &[], "").await;
    over(&mut leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, want) in [("486 Busy Here", 486), ("603 Decline", 603), ("404 Not Found", 404), ("302 Moved", 302)] {
        let (world, carrier) = (World::new().await, Peer::new().await);
        let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
        carrier.reply(&invite, status, &[], "").await;
        carrier.expect("ACK").await;
        match event(&mut leg).await {
            LegEvent::Refused { code, phrase } => assert_eq!((code, phrase.is_empty()), (want, false)),
            other => panic!("{other:?}"),
        }
        over(&mut leg).await;
        world.end().await;
    }
}

#[tokio::test]
async fn silence_and_wrong_credentials_are_failures() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut silent, _, handle) = dialled(&world, &carrier).await;
    assert!(matches!(event(&mut silent).await, LegEvent::Failed(LegFailure::Timeout)));
    over(&mut silent).await;
    let mut refused = world.stack.dial(&handle, &target("200"), SDP.into());
    let call = |m: &Message| m.start().contains(":200@");
    let invite = carrier.expect_where("INVITE", call).await;
    let challenge = |n| format!("Proxy-Authenticate: Digest realm=\"p\", nonce=\"{n}\", qop=\"auth\"");
    carrier.reply(&invite, "407 Proxy Authentication Required", &[&challenge(1)], "").await;
    let again = carrier.expect_where("INVITE", |m| call(m) && m.header("Proxy-Authorization").is_some()).await;
    carrier.reply(&again, "407 Proxy Authentication Required", &[&challenge(2)], "").await;
    assert!(matches!(event(&mut refused).await, LegEvent::Failed(LegFailure::AuthenticationFailed(_))));
    over(&mut refused).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_ringing_call_is_cancelled() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    carrier.reply(&invite, "180 Ringing", &[], "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Ringing { code: 180, .. }));
    leg.control.hang_up().await;
    let cancel = carrier.expect("CANCEL").await;
    assert_eq!((cancel.must("Via"), cancel.must("CSeq")), (invite.must("Via"), "1 CANCEL"));
    assert_eq!(cancel.must("To"), invite.must("To"));
    carrier.reply(&cancel, "200 OK", &[], "").await;
    carrier.reply(&invite, "487 Request Terminated", &[], "").await;
    carrier.expect("ACK").await;
    over(&mut leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_cancel_waits_for_the_first_response() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    leg.control.hang_up().await;
    over(&mut leg).await;
    let early = carrier.next().await;
    assert!(early.start().starts_with("INVITE"), "only repetitions before the first response: {}", early.start());
    carrier.reply(&invite, "100 Trying", &[], "").await;
    let cancel = carrier.expect("CANCEL").await;
    carrier.reply(&cancel, "200 OK", &[], "").await;
    carrier.reply(&invite, "487 Request Terminated", &[], "").await;
    carrier.expect("ACK").await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (leg, invite, _handle) = dialled(&world, &carrier).await;
    carrier.reply(&invite, "180 Ringing", &[], "").await;
    drop(leg);
    let cancel = carrier.expect("CANCEL").await;
    carrier.reply(&invite, "200 OK", &[&contact(&carrier)], SDP).await;
    carrier.reply(&cancel, "481 Call/Transaction Does Not Exist", &[], "").await;
    carrier.expect("ACK").await;
    let bye = carrier.expect("BYE").await;
    carrier.reply(&bye, "200 OK", &[], "").await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn another_branch_that_answers_is_hung_up() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = answered(&world, &carrier).await;
    let other = invite.response("200 OK", &[&contact(&carrier)], SDP).replace("tag=peer", "tag=other");
    carrier.send(world.address(), other).await;
    carrier.expect_where("ACK", |m| m.must("To").contains("tag=other")).await;
    let bye = carrier.expect("BYE").await;
    assert!(bye.must("To").contains("tag=other"));
    carrier.reply(&bye, "200 OK", &[], "").await;
    leg.control.hang_up().await;
    let bye = carrier.expect_where("BYE", |m| m.must("To").contains("tag=peer")).await;
    carrier.reply(&bye, "200 OK", &[], "").await;
    over(&mut leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn who_calls_is_the_accounts_choice() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let account = callie_domain::Account {
        from_user: Some("trunk".into()),
        caller_id: Some("+4930555".into()),
        ..account(carrier.address)
    };
    let handle = world.stack.open_account(account);
    carrier.register().await;
    let _leg = world.stack.dial(&handle, &target("*97#"), SDP.into());
    let invite = carrier.expect("INVITE").await;
    assert_eq!(invite.start(), "INVITE sip:*97%23@carrier.test SIP/2.0");
    assert!(invite.must("From").contains("<sip:trunk@carrier.test>;tag="));
    assert!(invite.must("P-Preferred-Identity").contains("<sip:+4930555@carrier.test>"));
    soon("the end", handle.stop()).await;
    world.end().await;
}
