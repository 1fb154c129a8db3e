//! Who is no peer of any line: scanners, floods, calls from elsewhere. 127.0.0.1 is the provider, 127.0.0.2 is somebody else.

use crate::peer::{Dialog, Peer, SDP, World, account, event, soon};
use callie_domain::{Account, account::AcceptFrom};
use callie_sip::{LegEvent, StackStats, Strangers};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// What scanners send, each in a dialog of its own.
fn probes(from: SocketAddr) -> Vec<String> {
    let mut probes: Vec<String> = ["OPTIONS", "INVITE", "REGISTER", "CANCEL", "BYE", "SUBSCRIBE", "REFER"]
        .iter()
        .map(|method| Dialog::at(from, "sip:100@127.0.0.1").request(method, &[], ""))
        .collect();
    let mut strange = Dialog::at(from, "sip:100@127.0.0.1");
    strange.to += ";tag=made-up";
    probes.push(strange.request("BYE", &[], ""));
    probes.push(strange.request("INVITE", &[], SDP));
    let mut unknown = Dialog::at(from, "sip:100@127.0.0.1");
    probes.push(unknown.request("SCAN", &[], ""));
    probes.push(Dialog::at(from, "sip:127.0.0.1").request("OPTIONS", &[], ""));
    probes.push("\r\n\r\n".to_owned());
    probes
}

/// A request of the provider is answered; whatever was sent before it has been dealt with.
async fn is_well(world: &World, peer: &Peer, contact: &str) {
    let mut dialog = Dialog::new(peer, contact);
    let call_id = dialog.call_id.clone();
    peer.send(world.address(), dialog.request("OPTIONS", &[], "")).await;
    peer.expect_where("SIP/2.0 200", |m| m.header("Call-ID") == Some(call_id.as_str())).await;
}

#[tokio::test]
async fn scanners_hear_nothing() {
    let (world, peer, scanner) = (World::new().await, Peer::new().await, Peer::at("127.0.0.2:0").await);
    let (_handle, register) = world.registered(&peer).await;
    for probe in probes(scanner.address) {
        scanner.send(world.address(), probe).await;
    }
    is_well(&world, &peer, &register.contact()).await;
    scanner.hears_nothing();
    let stats = world.stack.stats();
    assert!(stats.refused.strangers >= 9 && stats.refused.too_many == 0, "{stats:?}");
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn scanners_hear_nothing_over_tcp() {
    let (world, peer) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("address")).expect("bind");
    let mut scanner = socket.connect(world.address()).await.expect("connect");
    let from = scanner.local_addr().expect("bound");
    for probe in probes(from).iter().filter(|probe| !probe.trim().is_empty()) {
        scanner.write_all(probe.replace("SIP/2.0/UDP", "SIP/2.0/TCP").as_bytes()).await.expect("write");
    }
    is_well(&world, &peer, &register.contact()).await;
    world.becomes(|stats| stats.refused.strangers >= 9).await;
    let mut heard = [0; 256];
    let nothing = tokio::time::timeout(Duration::from_millis(50), scanner.read(&mut heard)).await;
    assert!(nothing.is_err(), "heard: {}", String::from_utf8_lossy(&heard));
    world.end().await;
}

#[tokio::test]
async fn strangers_are_refused_where_that_is_wanted() {
    let world = World::with(|options| options.strangers = Strangers::Refuse).await;
    let scanner = Peer::at("127.0.0.2:0").await;
    for (method, code) in [("OPTIONS", 404), ("INVITE", 404), ("REGISTER", 405), ("BYE", 481), ("SCAN", 501)] {
        let mut dialog = Dialog::new(&scanner, "sip:100@127.0.0.1");
        scanner.send(world.address(), dialog.request(method, &[], "")).await;
        scanner.expect(&format!("SIP/2.0 {code}")).await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_call_from_elsewhere_is_refused_and_leaves_a_note() {
    let (mut world, peer, other) = (World::new().await, Peer::new().await, Peer::at("127.0.0.2:0").await);
    let (handle, register) = world.registered(&peer).await;
    let mut dialog = Dialog::new(&other, &register.contact());
    let invite = dialog.request("INVITE", &[], SDP);
    other.send(world.address(), &invite).await;
    other.expect("SIP/2.0 403").await;
    assert!(world.calls.try_recv().is_err());
    assert_eq!(world.stack.stats().refused.not_provider, 1);
    let trace = handle.trace();
    let noted = trace.iter().find(|message| message.note.is_some()).expect("a note");
    assert_eq!(noted.text, invite);
    assert!(noted.note.as_deref().is_some_and(|note| note.contains("127.0.0.2")), "{noted:?}");
    world.end().await;
}

#[tokio::test]
async fn a_line_may_take_calls_from_anyone() {
    let (mut world, peer, other) = (World::new().await, Peer::new().await, Peer::at("127.0.0.2:0").await);
    let open = Account { accept_from: AcceptFrom::Anyone, ..account(peer.address) };
    let handle = world.stack.open_account(open);
    let register = peer.register().await;
    soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");
    let mut dialog = Dialog::new(&other, &register.contact());
    other.send(world.address(), dialog.request("INVITE", &["P-Asserted-Identity: <sip:boss@h>"], SDP)).await;
    let call = world.call().await;
    assert_eq!(call.from, "+49301234", "a stranger's assertion is not believed");
    drop(call);
    other.expect("SIP/2.0 480").await;
    world.end().await;
}

#[tokio::test]
async fn a_flood_of_strangers_costs_little_and_a_call_goes_on() {
    const FLOOD: u64 = 20_000;
    let (mut world, peer, flood) = (World::new().await, Peer::new().await, Peer::at("127.0.0.2:0").await);
    let (_handle, register) = world.registered(&peer).await;
    let contact = register.contact();
    let mut dialog = Dialog::new(&peer, &contact);
    peer.send(world.address(), dialog.request("INVITE", &[], SDP)).await;
    let mut call = world.call().await;
    call.leg.control.answer(SDP.into()).await;
    let ok = peer.expect("SIP/2.0 200").await;
    dialog.learn(&ok);
    for n in 0..FLOOD {
        let uri = if n % 2 == 0 { "sip:100@127.0.0.1" } else { contact.as_str() };
        let method = if n % 3 == 0 { "OPTIONS" } else { "INVITE" };
        flood.send(world.address(), Dialog::new(&flood, uri).request(method, &[], "")).await;
        if n % 64 == 0 {
            tokio::task::yield_now().await;
        }
        if n == FLOOD / 2 {
            peer.send(world.address(), dialog.request("ACK", &[], "")).await;
        }
    }
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    peer.send(world.address(), dialog.request("BYE", &[], "")).await;
    peer.expect_where("SIP/2.0 200", |m| m.must("CSeq").ends_with("BYE")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::HungUp { .. }));
    let StackStats { refused, finished_transactions, garbage, .. } = world.stack.stats();
    assert!(refused.too_many > FLOOD / 2, "{refused:?}");
    assert!(finished_transactions < 200 && garbage == 0, "{:?}", world.stack.stats());
    assert!(world.calls.try_recv().is_err());
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn calls_without_an_ack_take_no_room_without_bound() {
    const MOST_OF_PEER: usize = 1_536;
    let mut world = World::with(|options| options.t1 = Duration::from_millis(500)).await;
    let peer = Peer::new().await;
    let (_handle, register) = world.registered(&peer).await;
    let mut calls = Vec::new();
    for n in 0..MOST_OF_PEER + 100 {
        peer.send(world.address(), Dialog::new(&peer, &register.contact()).request("INVITE", &[], SDP)).await;
        if n % 16 == 0 {
            tokio::task::yield_now().await;
        }
        while let Ok(call) = world.calls.try_recv() {
            calls.push(call);
        }
    }
    peer.expect("SIP/2.0 503").await;
    while let Ok(call) = world.calls.try_recv() {
        calls.push(call);
    }
    let stats = world.stack.stats();
    assert!(stats.setting_up <= MOST_OF_PEER && stats.refused.no_room > 0, "{stats:?}");
    assert!(calls.len() <= MOST_OF_PEER);
    drop(calls);
    world.end().await;
}
