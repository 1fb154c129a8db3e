//! REFER and Replaces, in both directions.

use crate::inbound::established;
use crate::outbound::{answered, contact, target};
use crate::peer::{Dialog, Message, Peer, SDP, World, event, over};
use callie_sip::{DialOptions, DialogId, Leg, LegEvent, ReferTo};

async fn progress(leg: &mut Leg) -> (u16, bool) {
    match event(leg).await {
        LegEvent::TransferProgress { code, done, .. } => (code, done),
        other => panic!("{other:?}"),
    }
}

fn notify(dialog: &mut Dialog, state: &str, fragment: &str) -> String {
    let state = format!("Subscription-State: {state}");
    dialog.request("NOTIFY", &["Event: refer", &state, "Content-Type: message/sipfrag;version=2.0"], fragment)
}

fn somebody() -> ReferTo {
    ReferTo { uri: "sip:+4930@carrier.test".into(), replaces: None }
}

#[tokio::test]
async fn a_transfer_is_followed_to_its_end() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = established(&mut world, &caller).await;
    let consulted = DialogId { call_id: "other@h".into(), local_tag: "us".into(), remote_tag: "them".into() };
    call.leg.control.refer(ReferTo { replaces: Some(consulted), ..somebody() }).await;
    let refer = caller.expect("REFER").await;
    assert_eq!(refer.must("Refer-To"), "<sip:+4930@carrier.test?Replaces=other%40h%3Bto-tag%3Dthem%3Bfrom-tag%3Dus>");
    assert_eq!(refer.must("Referred-By"), "<sip:1000@carrier.test>");
    caller.reply(&refer, "401 Unauthorized", &["WWW-Authenticate: Digest realm=\"p\", nonce=\"t1\", qop=\"auth\""], "").await;
    let refer = caller.expect_where("REFER", |m| m.header("Authorization").is_some()).await;
    // The first notice may overtake the 202.
    caller.send(world.address(), notify(&mut dialog, "active;expires=60", "SIP/2.0 100 Trying\r\n")).await;
    caller.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("NOTIFY")).await;
    caller.reply(&refer, "202 Accepted", &[], "").await;
    assert_eq!(progress(&mut call.leg).await, (202, false));
    assert_eq!(progress(&mut call.leg).await, (100, false));
    caller.send(world.address(), notify(&mut dialog, "active", "SIP/2.0 180 Ringing\r\n")).await;
    assert_eq!(progress(&mut call.leg).await, (180, false));
    caller.send(world.address(), notify(&mut dialog, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")).await;
    assert_eq!(progress(&mut call.leg).await, (200, true));
    // Nothing is open any more.
    caller.send(world.address(), notify(&mut dialog, "active", "SIP/2.0 100 Trying\r\n")).await;
    caller.expect_where("SIP/2.0 481", |m| m.must("CSeq").ends_with("NOTIFY")).await;
    caller.send(world.address(), dialog.request("NOTIFY", &["Event: message-summary"], "x")).await;
    caller.expect_where("SIP/2.0 489", |m| m.must("CSeq").ends_with("NOTIFY")).await;
    caller.send(world.address(), dialog.request("BYE", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::HungUp { .. }));
    over(&mut call.leg).await;
    world.at_rest(1).await;
    world.end().await;
}

#[tokio::test]
async fn a_transfer_may_be_refused_unwatched_or_forgotten() {
    for (status, extra, want) in [
        ("603 Decline", "X: 1", vec![(603, true)]),
        ("405 Method Not Allowed", "Allow: INVITE", vec![(405, true)]),
        ("202 Accepted", "Refer-Sub: false", vec![(202, true)]),
        // No NOTIFY ever comes.
        ("202 Accepted", "X: 1", vec![(202, false), (408, true)]),
    ] {
        let (world, carrier) = (World::new().await, Peer::new().await);
        let (mut leg, _, _handle) = answered(&world, &carrier).await;
        leg.control.refer(somebody()).await;
        let refer = carrier.expect("REFER").await;
        carrier.reply(&refer, status, &[extra], "").await;
        for step in want {
            assert_eq!(progress(&mut leg).await, step, "{status} {extra}");
        }
        drop(leg);
        world.end().await;
    }
}

#[tokio::test]
async fn the_peer_asks_for_a_transfer_and_hears_how_it_goes() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (mut call, mut dialog) = established(&mut world, &caller).await;
    let to = "Refer-To: <sip:bob@h?Replaces=x%40y%3Bto-tag%3Db%3Bfrom-tag%3Da>";
    caller.send(world.address(), dialog.request("REFER", &[to, "Referred-By: <sip:carol@h>"], "")).await;
    let LegEvent::ReferAsked { target, referred_by, reply } = event(&mut call.leg).await else { panic!("not asked") };
    let replaced = DialogId { call_id: "x@y".into(), local_tag: "a".into(), remote_tag: "b".into() };
    assert_eq!((target.uri.as_str(), target.replaces), ("sip:bob@h", Some(replaced)));
    assert_eq!(referred_by.as_deref(), Some("<sip:carol@h>"));
    reply.send(Ok(())).expect("awaited");
    caller.expect_where("SIP/2.0 202", |m| m.must("CSeq").ends_with("REFER")).await;
    let id = format!("refer;id={}", dialog.cseq);
    call.leg.control.report_refer(180, "Ringing").await;
    call.leg.control.report_refer(200, "OK").await;
    for (fragment, state) in
        [("SIP/2.0 100 Trying", "active"), ("SIP/2.0 180 Ringing", "active"), ("SIP/2.0 200 OK", "terminated")]
    {
        let notice = caller.expect_where("NOTIFY", |m: &Message| m.body().trim() == fragment).await;
        assert_eq!(notice.must("Event"), id);
        assert!(
            notice.must("Subscription-State").starts_with(state) && notice.must("Content-Type").starts_with("message/sipfrag")
        );
        caller.reply(&notice, "200 OK", &[], "").await;
    }
    for (extra, want) in [
        (vec!["Refer-To: <sip:bob@h>"], "SIP/2.0 486"),
        (vec!["Refer-To: <http://h>"], "SIP/2.0 603"),
        (vec!["X: 1"], "SIP/2.0 400"),
        (vec!["Refer-To: <sip:bob@h>", "Require: unheard-of"], "SIP/2.0 420"),
    ] {
        caller.send(world.address(), dialog.request("REFER", &extra, "")).await;
        if want.ends_with("486") {
            let LegEvent::ReferAsked { reply, .. } = event(&mut call.leg).await else { panic!("not asked") };
            reply.send(Err(486)).expect("awaited");
        }
        caller.expect_where(want, |m| m.must("CSeq").ends_with("REFER")).await;
    }
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn a_call_may_take_the_place_of_another() {
    let (mut world, caller) = (World::new().await, Peer::new().await);
    let (call, dialog) = established(&mut world, &caller).await;
    let ours = call.leg.control.dialog_id().expect("named");
    assert_eq!((ours.call_id.as_str(), ours.remote_tag.as_str()), (dialog.call_id.as_str(), "c1"));
    let uri = dialog.uri.clone();
    let replaces = |from: &str, more: &str| format!("Replaces: {};to-tag={};from-tag={from}{more}", ours.call_id, ours.local_tag);
    for (fields, want) in [
        (vec![replaces("wrong", "")], "SIP/2.0 481"),
        (vec![replaces("c1", ";early-only")], "SIP/2.0 486"),
        (vec!["Replaces: nonsense".to_owned()], "SIP/2.0 400"),
        (vec![replaces("c1", ""), replaces("c1", "")], "SIP/2.0 400"),
    ] {
        let mut other = Dialog::new(&caller, &uri);
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        caller.send(world.address(), other.request("INVITE", &fields, SDP)).await;
        caller.expect_where(want, |m| m.must("Call-ID") == other.call_id).await;
    }
    let mut other = Dialog::new(&caller, &uri);
    let fields = [replaces("c1", ""), "Require: replaces".into(), "Referred-By: <sip:x@y>".into()];
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    caller.send(world.address(), other.request("INVITE", &fields, SDP)).await;
    let next = world.call().await;
    assert_eq!((next.replaces, next.referred_by.as_deref()), (Some(ours), Some("<sip:x@y>")));
    drop(call);
    world.end().await;
}

#[tokio::test]
async fn we_may_take_the_place_of_another_call() {
    let (world, carrier) = (World::new().await, Peer::new().await);
    let (handle, _) = world.registered(&carrier).await;
    let options = DialOptions {
        replaces: Some(DialogId { call_id: "x@y".into(), local_tag: "a".into(), remote_tag: "b".into() }),
        referred_by: Some("<sip:carol@h>".into()),
        uri: Some("sip:bob@h;user=phone".into()),
        ..DialOptions::default()
    };
    let mut leg = world.stack.dial_with(&handle, &target("bob"), SDP.into(), options);
    let invite = carrier.expect("INVITE").await;
    assert_eq!(invite.start(), "INVITE sip:bob@h;user=phone SIP/2.0");
    assert_eq!((invite.must("Replaces"), invite.must("Require")), ("x@y;to-tag=b;from-tag=a", "replaces"));
    assert_eq!(invite.must("Referred-By"), "<sip:carol@h>");
    assert!(leg.control.dialog_id().is_none());
    carrier.reply(&invite, "200 OK", &[&contact(&carrier), "Supported: replaces"], SDP).await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    let named = leg.control.dialog_id().expect("named");
    assert_eq!((named.call_id.as_str(), named.remote_tag.as_str()), (invite.must("Call-ID"), "peer"));
    assert!(leg.control.peer().supports("replaces"));
    world.end().await;
}
