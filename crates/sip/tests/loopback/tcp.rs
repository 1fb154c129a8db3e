//! Over TCP: one shared connection, its Contact, its loss.

use crate::connection::Connection;
use crate::peer::{Dialog, SDP, World, account, event, over, soon};
use callie_domain::{Account, Transport};
use callie_sip::LegEvent;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn calls_stay_on_the_connection_of_their_account() {
    let mut world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let tcp = Account { transport: Transport::Tcp, ..account(listener.local_addr().expect("bound")) };
    let handle = world.stack.open_account(tcp);
    let mut carrier = Connection::accept(&listener).await;
    let register = carrier.next().await;
    carrier.grant(&register).await;
    soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");

    let nowhere = "127.0.0.1:9".parse().expect("address");
    let mut dialog = Dialog::at(nowhere, &register.contact());
    let invite = dialog.request("INVITE", &[], SDP).replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    carrier.send(invite).await;
    let mut call = world.call().await;
    call.leg.control.answer(SDP.into()).await;
    let ok = carrier.expect("SIP/2.0 200").await;
    assert!(ok.contact().ends_with(";transport=tcp"), "{}", ok.contact());
    dialog.learn(&ok);
    carrier.send(dialog.request("ACK", &[], "").replace("SIP/2.0/UDP", "SIP/2.0/TCP")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    call.leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    carrier.send(bye.response("200 OK", &[], "")).await;
    over(&mut call.leg).await;

    let mut leg = world.stack.dial(&handle, &"200".parse().expect("dialable"), SDP.into());
    let invite = carrier.expect("INVITE").await;
    carrier.send(invite.response("200 OK", &["Contact: <sip:callee@127.0.0.1:9;transport=tcp>"], SDP)).await;
    carrier.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    drop(leg);
    let bye = carrier.expect("BYE").await;
    assert!(bye.must("Via").starts_with("SIP/2.0/TCP"));
    carrier.send(bye.response("200 OK", &[], "")).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn accounts_share_a_connection_and_survive_its_loss() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let tcp = Account { transport: Transport::Tcp, ..account(listener.local_addr().expect("bound")) };
    let handles: Vec<_> = (0..3).map(|_| world.stack.open_account(tcp.clone())).collect();
    let mut first = Connection::accept(&listener).await;
    let mut contacts = Vec::new();
    for _ in &handles {
        let register = first.next().await;
        assert!(register.contact().ends_with(";transport=tcp"), "{}", register.contact());
        assert!(register.must("Via").starts_with("SIP/2.0/TCP"));
        first.grant(&register).await;
        contacts.push(register.contact());
    }
    contacts.sort();
    for handle in &handles {
        soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");
    }
    assert_eq!(world.stack.stats().connections, 1);
    drop(first);
    let mut second = Connection::accept(&listener).await;
    let mut again = Vec::new();
    for _ in &handles {
        let register = second.next().await;
        second.grant(&register).await;
        again.push(register.contact());
    }
    again.sort();
    assert_eq!(contacts, again, "every account comes back, under the same Contact");
    world.end().await;
}

#[tokio::test]
async fn who_has_answered_pings_and_stops_is_left_and_registered_at_again() {
    let world = World::with(|options| options.keepalive_every = std::time::Duration::from_millis(100)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let tcp = Account { transport: Transport::Tcp, ..account(listener.local_addr().expect("bound")) };
    let handle = world.stack.open_account(tcp);
    let mut first = Connection::accept(&listener).await;
    let register = first.next().await;
    first.grant(&register).await;
    let mut status = handle.status();
    soon("registration", status.wait_for(|s| s.is_registered())).await.expect("running");
    for _ in 0..3 {
        first.send("\r\n").await;
        soon("a ping", first.pinged()).await;
    }
    assert!(status.borrow().is_registered(), "as long as it answers");
    // From now on it says nothing.
    let down = soon("the end", status.wait_for(|s| !s.is_registered())).await.expect("running").clone();
    assert!(down.down_since.is_some());
    let mut second = Connection::accept(&listener).await;
    let again = second.next().await;
    second.grant(&again).await;
    assert_eq!(again.contact(), register.contact());
    soon("registration", status.wait_for(|s| s.is_registered())).await.expect("running");
    assert_eq!(world.stack.stats().broken_connections, 1);
    world.end().await;
}

#[tokio::test]
async fn who_never_answers_a_ping_is_left_alone() {
    let world = World::with(|options| options.keepalive_every = std::time::Duration::from_millis(50)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let tcp = Account { transport: Transport::Tcp, ..account(listener.local_addr().expect("bound")) };
    let handle = world.stack.open_account(tcp);
    let mut carrier = Connection::accept(&listener).await;
    let register = carrier.next().await;
    carrier.grant(&register).await;
    soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");
    for _ in 0..30 {
        soon("a ping", carrier.pinged()).await;
    }
    assert!(handle.status().borrow().is_registered());
    world.end().await;
}

#[tokio::test]
async fn requests_come_over_our_listener_too() {
    let world = World::with(|options| options.strangers = callie_sip::Strangers::Refuse).await;
    let stream = TcpStream::connect(world.address()).await.expect("connect");
    let source = stream.local_addr().expect("connected");
    let mut connection = Connection::over(stream, source);
    let request = format!(
        "OPTIONS sip:{} SIP/2.0\r\nVia: SIP/2.0/TCP {source};branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        world.address()
    );
    connection.send(request).await;
    assert!(connection.next().await.start().starts_with("SIP/2.0 200"));
    world.end().await;
}
