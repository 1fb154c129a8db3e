//! Session timers (RFC 4028) in both roles, and how a peer that is gone is found.

use crate::inbound::{established, invited};
use crate::outbound::{answered, dialled};
use crate::peer::{Dialog, Message, Peer, SDP, World, event, over};
use callie_sip::{LegEvent, LegFailure};
use std::time::Duration;

const UPDATES: &str = "Allow: INVITE, ACK, BYE, UPDATE";

fn contact(peer: &Peer) -> String {
    format!("Contact: <sip:callee@{}>", peer.address)
}

/// A call of ours, answered with this session timer.
async fn timed(world: &World, carrier: &Peer, timer: &str, allow: &str) -> (callie_sip::Leg, callie_sip::AccountHandle) {
    let (mut leg, invite, handle) = dialled(world, carrier).await;
    carrier.reply(&invite, "200 OK", &[&contact(carrier), timer, allow], SDP).await;
    carrier.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    (leg, handle)
}

#[tokio::test]
async fn we_ask_for_a_timer_and_take_a_longer_one() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, invite, _handle) = dialled(&world, &carrier).await;
    assert_eq!(invite.must("Session-Expires"), "1800;refresher=uac");
    assert!(invite.must("Supported").contains("timer") && invite.header("Min-SE").is_none());
    carrier.reply(&invite, "422 Session Interval Too Small", &["Min-SE: 3600"], "").await;
    carrier.expect("ACK").await;
    let again = carrier.expect_where("INVITE", |m| m.header("Min-SE").is_some()).await;
    assert_eq!((again.must("Session-Expires"), again.must("Min-SE")), ("3600;refresher=uac", "3600"));
    assert_eq!((again.must("Call-ID"), again.must("CSeq")), (invite.must("Call-ID"), "2 INVITE"));
    // Asked for what it has got, it is a refusal.
    carrier.reply(&again, "422 Session Interval Too Small", &["Min-SE: 3600"], "").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Refused { code: 422, .. }));
    world.end().await;
}

#[tokio::test]
async fn we_refresh_by_update_and_then_by_invite_when_that_is_refused() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, _handle) = timed(&world, &carrier, "Session-Expires: 4;refresher=uac", UPDATES).await;
    let update = carrier.expect("UPDATE").await;
    assert!(update.must("Session-Expires").ends_with(";refresher=uac") && update.body().is_empty());
    carrier.reply(&update, "200 OK", &[&contact(&carrier), "Session-Expires: 4;refresher=uac"], "").await;
    let update = carrier.expect_where("UPDATE", |m| m.must("CSeq") != update.must("CSeq")).await;
    carrier.reply(&update, "501 Not Implemented", &[], "").await;
    let invite = carrier.expect("INVITE").await;
    assert_eq!(invite.body(), SDP, "nothing has changed, not even the version");
    assert!(invite.must("Session-Expires").ends_with(";refresher=uac"));
    carrier.reply(&invite, "200 OK", &[&contact(&carrier), "Session-Expires: 1800;refresher=uac"], SDP).await;
    carrier.expect("ACK").await;
    leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    carrier.reply(&bye, "200 OK", &[], "").await;
    over(&mut leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_refresh_may_move_the_peers_media() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, _handle) = timed(&world, &carrier, "Session-Expires: 4;refresher=uac", "Allow: INVITE").await;
    for (body, is_new) in [(SDP, false), ("v=0 elsewhere", true)] {
        let invite = carrier.expect("INVITE").await;
        carrier.reply(&invite, "200 OK", &[&contact(&carrier), "Session-Expires: 4;refresher=uac"], body).await;
        carrier.expect("ACK").await;
        if is_new {
            let LegEvent::Reanswered { sdp } = event(&mut leg).await else { panic!("not told") };
            assert_eq!(sdp, body.as_bytes());
        }
    }
    drop(leg);
    world.end().await;
}

#[tokio::test]
async fn a_refresh_that_finds_nobody_ends_the_call_and_another_refusal_does_not() {
    for (status, ends) in [(Some("481 Gone"), true), (Some("408 Timeout"), true), (None, true), (Some("500 Busy"), false)] {
        let (world, carrier) = (World::new().await, Peer::new().await);
        // Silence is found out before the session expires.
        let timer = if status.is_none() { "Session-Expires: 12;refresher=uac" } else { "Session-Expires: 6;refresher=uac" };
        let (mut leg, _handle) = timed(&world, &carrier, timer, UPDATES).await;
        let update = carrier.expect("UPDATE").await;
        if let Some(status) = status {
            carrier.reply(&update, status, &[], "").await;
        }
        if ends {
            assert!(matches!(event(&mut leg).await, LegEvent::Failed(LegFailure::PeerVanished(_))), "{status:?}");
        } else {
            // Once more, before the session expires; then it does.
            let update = carrier.expect_where("UPDATE", |m| m.must("CSeq") != update.must("CSeq")).await;
            carrier.reply(&update, "500 Busy", &[], "").await;
            assert!(matches!(event(&mut leg).await, LegEvent::Failed(LegFailure::SessionExpired(_))));
        }
        let bye = carrier.expect("BYE").await;
        carrier.reply(&bye, "481 Gone", &[], "").await;
        over(&mut leg).await;
        world.at_rest(1).await;
        world.end().await;
    }
}

#[tokio::test]
async fn a_peer_that_stops_refreshing_is_hung_up() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (mut leg, _handle) = timed(&world, &carrier, "Session-Expires: 6;refresher=uas", UPDATES).await;
    let began = tokio::time::Instant::now();
    let LegEvent::Failed(LegFailure::SessionExpired(why)) = event(&mut leg).await else { panic!("goes on") };
    assert!(why.contains("the peer did not refresh") && why.contains("6 s"), "{why}");
    let lasted = began.elapsed();
    assert!((Duration::from_millis(3_700)..Duration::from_millis(5_500)).contains(&lasted), "{lasted:?}");
    let bye = carrier.expect("BYE").await;
    assert!(bye.must("Reason").contains("Session expired"));
    carrier.reply(&bye, "200 OK", &[], "").await;
    world.end().await;
}

/// A call from outside with these fields, answered and acknowledged; what our 200 said.
async fn taken(world: &mut World, caller: &Peer, extra: &[&str]) -> (callie_sip::InboundCall, Dialog, Message) {
    let (call, mut dialog) = invited(world, caller, extra).await;
    call.leg.control.answer(SDP.into()).await;
    let ok = caller.expect("SIP/2.0 200").await;
    dialog.learn(&ok);
    caller.send(world.address(), dialog.request("ACK", &[], "")).await;
    (call, dialog, ok)
}

#[tokio::test]
async fn callers_get_the_timer_that_they_can_keep() {
    for (extra, want) in [
        (vec!["Supported: timer"], Some(("1800;refresher=uas", false))),
        (vec!["k: timer", "x: 600;refresher=uac"], Some(("600;refresher=uac", true))),
        (vec!["Require: timer", "Session-Expires: 600"], Some(("600;refresher=uas", false))),
        (vec!["Session-Expires: 60"], Some(("60;refresher=uas", false))),
        (vec![], None),
    ] {
        let (mut world, caller) = (World::new().await, Peer::new().await);
        let (call, _, ok) = taken(&mut world, &caller, &extra).await;
        assert_eq!(ok.header("Session-Expires"), want.map(|(value, _)| value), "{extra:?}");
        assert_eq!(ok.header("Require") == Some("timer"), want.is_some_and(|(_, required)| required), "{extra:?}");
        drop(call);
        world.end().await;
    }
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&caller).await;
    let mut dialog = Dialog::new(&caller, &register.contact());
    let short = ["Supported: timer", "Session-Expires: 60"];
    caller.send(world.address(), dialog.request("INVITE", &short, SDP)).await;
    assert_eq!(caller.expect("SIP/2.0 422").await.must("Min-SE"), "90");
    assert!(world.calls.try_recv().is_err());
    world.end().await;
}

#[tokio::test]
async fn refreshes_of_the_caller_are_answered_and_keep_the_call() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let refresh = ["Supported: timer", "Session-Expires: 90;refresher=uac"];
    let (mut call, mut dialog, _) = taken(&mut world, &caller, &refresh).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    caller.send(world.address(), dialog.request("UPDATE", &refresh, "")).await;
    let ok = caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("UPDATE")).await;
    assert_eq!((ok.must("Session-Expires"), ok.must("Require")), ("90;refresher=uac", "timer"));
    caller.send(world.address(), dialog.request("UPDATE", &["Supported: timer", "Session-Expires: 30"], "")).await;
    caller.expect_where("SIP/2.0 422", |m| m.must("CSeq").ends_with("UPDATE")).await;
    caller.send(world.address(), dialog.request("INVITE", &refresh, SDP)).await;
    let LegEvent::Reoffer { reply, .. } = event(&mut call.leg).await else { panic!("no reoffer") };
    reply.send(Ok(SDP.into())).expect("awaited");
    let ok = caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("INVITE")).await;
    assert_eq!(ok.must("Session-Expires"), "90;refresher=uac");
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn a_short_timer_that_a_proxy_wrote_is_kept_by_us() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, _, _) = taken(&mut world, &caller, &["Session-Expires: 4", "Allow: INVITE, UPDATE"]).await;
    let update = caller.expect("UPDATE").await;
    caller.reply(&update, "200 OK", &[], "").await;
    // The caller understands no timer; we go on all the same.
    caller.expect_where("UPDATE", |m| m.must("CSeq") != update.must("CSeq")).await;
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn a_peer_without_a_timer_is_asked_whether_it_is_there() {
    for (status, ends) in [(Some("481 Gone"), true), (None, true), (Some("405 Method Not Allowed"), false)] {
        let mut world = World::with(|o| o.ask_peer_every = Duration::from_millis(500)).await;
        let caller = Peer::new().await;
        let (mut call, _) = established(&mut world, &caller).await;
        let question = caller.expect("OPTIONS").await;
        assert!(question.must("To").ends_with("tag=c1"));
        match status {
            Some(status) => caller.reply(&question, status, &[], "").await,
            // A second question is given its time too.
            None => drop(caller.expect_where("OPTIONS", |m| m.must("CSeq") != question.must("CSeq")).await),
        }
        if ends {
            assert!(matches!(event(&mut call.leg).await, LegEvent::Failed(LegFailure::PeerVanished(_))), "{status:?}");
            caller.expect("BYE").await;
        } else {
            caller.expect_where("OPTIONS", |m| m.must("CSeq") != question.must("CSeq")).await;
        }
        drop(call);
        world.end().await;
    }
}

#[tokio::test]
async fn an_account_may_ask_for_no_timer_and_honours_what_the_peer_demands() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let mut account = crate::peer::account(carrier.address);
    account.upkeep.session_expires_s = Some(0);
    let handle = world.stack.open_account(account);
    carrier.register().await;
    let leg = world.stack.dial(&handle, &crate::outbound::target("123"), SDP.into());
    let invite = carrier.expect("INVITE").await;
    assert!(invite.header("Session-Expires").is_none() && invite.must("Supported").contains("timer"));
    carrier.reply(&invite, "200 OK", &[&contact(&carrier), "Session-Expires: 4;refresher=uac", UPDATES], SDP).await;
    let update = carrier.expect("UPDATE").await;
    carrier.reply(&update, "200 OK", &["Session-Expires: 4;refresher=uac"], "").await;
    drop(leg);
    world.end().await;
}

#[tokio::test]
async fn a_call_without_a_timer_stays_up_while_the_peer_answers() {
    let world = World::with(|o| o.ask_peer_every = Duration::from_millis(300)).await;
    let carrier = Peer::new().await;
    let (leg, _, _handle) = answered(&world, &carrier).await;
    for _ in 0..3 {
        let question = carrier.expect("OPTIONS").await;
        carrier.reply(&question, "200 OK", &[], "").await;
    }
    drop(leg);
    world.end().await;
}
