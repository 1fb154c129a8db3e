//! Over TLS: whom we believe, and that nobody rides on what was proven to another.

use crate::authority::{Authority, Clients, Server, Shown};
use crate::connection::Connection;
use crate::peer::{Dialog, Message, SDP, World, account, event, over, soon};
use callie_domain::{Account, HostPort, Secret, TlsSettings, Transport};
use callie_sip::{AccountHandle, LegEvent};
use rustls::version::{TLS12, TLS13};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

const HOST: &str = "sip.carrier.test";

/// A world in which some names lead to `address`.
async fn world(address: SocketAddr) -> World {
    World::with(|options| {
        options.hosts = [HOST, "other.test"].map(|name| (name.to_owned(), address)).into();
    })
    .await
}

fn tls_account(host: &str, port: u16, authority: Option<&Authority>) -> Account {
    let tls = TlsSettings { ca_certificates: authority.map(Authority::pem), ..TlsSettings::default() };
    let server = HostPort { host: host.into(), port: Some(port) };
    Account { transport: Transport::Tls, server, tls, ..account(([127, 0, 0, 1], port).into()) }
}

async fn is_registered(handle: &AccountHandle) {
    soon("registration", handle.status().wait_for(|status| status.is_registered())).await.expect("running");
}

/// What the account is told when it cannot register.
async fn refusal(handle: &AccountHandle) -> String {
    let mut status = handle.status();
    let status = soon("a reason", status.wait_for(|status| status.reason.is_some())).await.expect("running").clone();
    assert!(!status.is_registered());
    status.reason.expect("waited for")
}

fn over_tls(text: &str) -> String {
    text.replace("SIP/2.0/UDP", "SIP/2.0/TLS")
}

#[tokio::test]
async fn calls_both_ways_go_over_the_connection_that_registered() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue(HOST)).await;
    let mut world = world(server.address()).await;
    let handle = world.stack.open_account(tls_account(HOST, server.address().port(), Some(&authority)));
    let mut carrier = server.accept().await;
    let register = carrier.next().await;
    assert!(register.must("Via").starts_with("SIP/2.0/TLS"));
    let reached = format!("@{};transport=tls", carrier.source);
    assert!(register.contact().ends_with(&reached), "{}: the connection's own end", register.contact());
    carrier.grant(&register).await;
    is_registered(&handle).await;

    let nowhere = "127.0.0.1:9".parse().expect("address");
    let mut dialog = Dialog::at(nowhere, &register.contact());
    carrier.send(over_tls(&dialog.request("INVITE", &[], SDP))).await;
    let mut call = world.call().await;
    call.leg.control.answer(SDP.into()).await;
    let ok = carrier.expect("SIP/2.0 200").await;
    assert!(ok.contact().ends_with(&reached), "{}", ok.contact());
    dialog.learn(&ok);
    carrier.send(over_tls(&dialog.request("ACK", &[], ""))).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    call.leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    carrier.send(bye.response("200 OK", &[], "")).await;
    over(&mut call.leg).await;

    let mut leg = world.stack.dial(&handle, &"200".parse().expect("dialable"), SDP.into());
    let invite = carrier.expect("INVITE").await;
    assert!(invite.contact().ends_with(&reached), "{}", invite.contact());
    carrier.send(invite.response("200 OK", &["Contact: <sip:callee@127.0.0.1:9;transport=tls>"], SDP)).await;
    carrier.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    drop(leg);
    let bye = carrier.expect("BYE").await;
    carrier.send(bye.response("200 OK", &[], "")).await;
    world.is_empty(1).await;
    assert_eq!(world.stack.stats().connections, 1);
    world.end().await;
}

#[tokio::test]
async fn uris_are_sips_when_the_account_says_so() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue(HOST)).await;
    let world = world(server.address()).await;
    let account = Account { sips: true, ..tls_account(HOST, server.address().port(), Some(&authority)) };
    let _handle = world.stack.open_account(account);
    let register = server.accept().await.next().await;
    assert!(register.start().starts_with("REGISTER sips:carrier.test "), "{}", register.text);
    for field in ["From", "To", "Contact"] {
        assert!(register.must(field).contains("<sips:"), "{}", register.text);
    }
    world.end().await;
}

/// Registers an account over the connection's next REGISTER.
async fn serve(carrier: &mut Connection) -> Message {
    let register = carrier.next().await;
    carrier.grant(&register).await;
    register
}

#[tokio::test]
async fn accounts_share_a_connection_only_with_the_same_trust_and_name() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Server::new(&authority.issue(HOST)).await;
    let port = server.address().port();
    let world = world(server.address()).await;
    let first = world.stack.open_account(tls_account(HOST, port, Some(&authority)));
    let mut carrier = server.accept().await;
    serve(&mut carrier).await;
    is_registered(&first).await;
    let second = world.stack.open_account(tls_account(HOST, port, Some(&authority)));
    serve(&mut carrier).await;
    is_registered(&second).await;
    assert_eq!(world.stack.stats().connections, 1);
    // Whoever comes from now on gets a handshake of their own, again and again, and nothing more.
    let others = world.tracker.spawn(async move { while server.next().await.is_err() {} });

    // The same address, port and transport; not the same roots.
    let other_roots = world.stack.open_account(tls_account(HOST, port, Some(&stranger)));
    assert!(refusal(&other_roots).await.contains("not certified by the authority in sip.tls_ca"));
    drop(other_roots);
    // The same roots; not the same name.
    let other_name = world.stack.open_account(tls_account("other.test", port, Some(&authority)));
    let told = refusal(&other_name).await;
    assert!(told.contains("certified for sip.carrier.test, not for other.test"), "{told}");
    assert_eq!(world.stack.stats().connections, 1);
    assert!(!others.is_finished(), "a handshake came about that must not");
    others.abort();
    world.end().await;
}

#[tokio::test]
async fn accounts_do_not_share_a_connection_with_another_client_certificate() {
    let authority = Authority::new();
    let server = Server::with(&authority.issue(HOST), &[&TLS12, &TLS13], Clients::Of(&authority)).await;
    let port = server.address().port();
    let world = world(server.address()).await;
    let shows = |shown: Shown| {
        let mut account = tls_account(HOST, port, Some(&authority));
        account.tls.client_certificate = Some(shown.certificate);
        account.tls.client_key = Some(Secret::new(shown.key));
        account
    };
    let alice = world.stack.open_account(shows(authority.issue("alice.test")));
    let mut carrier = server.accept().await;
    serve(&mut carrier).await;
    is_registered(&alice).await;
    let bob = world.stack.open_account(shows(authority.issue("bob.test")));
    let mut another = server.accept().await;
    serve(&mut another).await;
    is_registered(&bob).await;
    assert_eq!(world.stack.stats().connections, 2);
    let without = world.stack.open_account(tls_account(HOST, port, Some(&authority)));
    assert!(server.next().await.is_err());
    assert!(refusal(&without).await.contains("wants a client certificate"));
    world.end().await;
}

/// `shown` by the server, the account as changed: what is the account told?
async fn check_refused(server: Server, change: impl FnOnce(&mut Account), authority: Option<&Authority>, want: &str) {
    let world = world(server.address()).await;
    let mut account = tls_account(HOST, server.address().port(), authority);
    change(&mut account);
    let handle = world.stack.open_account(account);
    // The server may take the handshake for done before the client has read the certificate.
    let _connection = server.next().await;
    let told = refusal(&handle).await;
    assert!(told.contains(want), "{told:?} does not say {want:?}");
    world.end().await;
}

#[tokio::test]
async fn a_server_that_proves_nothing_is_not_talked_to_and_the_reason_is_told() {
    let authority = Authority::new();
    let good = || authority.issue(HOST);
    let same = |_: &mut Account| ();
    let expired = Server::new(&authority.issue_until(HOST, 2020)).await;
    check_refused(expired, same, Some(&authority), "has expired (2020-01-01): the provider has to renew it").await;
    let other = Server::new(&authority.issue("elsewhere.test")).await;
    check_refused(other, same, Some(&authority), "certified for elsewhere.test, not for sip.carrier.test").await;
    check_refused(Server::new(&good()).await, same, None, "an authority unknown to this machine").await;
    let by_address = |account: &mut Account| account.server.host = "127.0.0.1".into();
    check_refused(Server::new(&good()).await, by_address, Some(&authority), "certified for sip.carrier.test, not for 127.0.0.1")
        .await;
    let no_pem = |account: &mut Account| account.tls.ca_certificates = Some("no certificate".into());
    check_settings(no_pem, "sip.tls_ca cannot be used").await;
}

/// Settings that no connection can be opened with.
async fn check_settings(change: impl FnOnce(&mut Account), want: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("bound");
    let world = world(address).await;
    let mut account = tls_account(HOST, address.port(), None);
    change(&mut account);
    let handle = world.stack.open_account(account);
    assert!(refusal(&handle).await.contains(want));
    world.end().await;
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_is_told_from_one_that_is_down() {
    let authority = Authority::new();
    for (version, want) in [(&TLS13, "wants a client certificate"), (&TLS12, "client certificate")] {
        let server = Server::with(&authority.issue(HOST), &[version], Clients::Of(&authority)).await;
        check_refused(server, |_| (), Some(&authority), want).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_found_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("bound");
    let world = world(address).await;
    let handle = world.stack.open_account(tls_account(HOST, address.port(), None));
    let mut plain = Connection::accept(&listener).await;
    plain.send("SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    assert!(refusal(&handle).await.contains("does not speak TLS"));
    world.end().await;
}

#[tokio::test]
async fn names_may_be_set_and_addresses_certified() {
    let authority = Authority::new();
    for (name, host, server_name) in [("elsewhere.test", HOST, Some("elsewhere.test")), ("127.0.0.1", "127.0.0.1", None)] {
        let server = Server::new(&authority.issue(name)).await;
        let world = world(server.address()).await;
        let mut account = tls_account(host, server.address().port(), Some(&authority));
        account.tls.server_name = server_name.map(str::to_owned);
        let handle = world.stack.open_account(account);
        let mut carrier = server.accept().await;
        serve(&mut carrier).await;
        is_registered(&handle).await;
        world.end().await;
    }
}

#[tokio::test]
async fn a_lost_connection_is_opened_again_at_once() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue(HOST)).await;
    let world = world(server.address()).await;
    let handle = world.stack.open_account(tls_account(HOST, server.address().port(), Some(&authority)));
    let mut carrier = server.accept().await;
    let before = serve(&mut carrier).await.contact();
    is_registered(&handle).await;
    drop(carrier);
    let mut carrier = server.accept().await;
    let again = carrier.expect("REGISTER").await;
    assert_ne!(again.contact(), before, "it names the new connection");
    carrier.grant(&again).await;
    is_registered(&handle).await;
    world.end().await;
}

#[tokio::test]
async fn a_malformed_message_costs_nobody_the_connection() {
    let authority = Authority::new();
    let server = Server::new(&authority.issue(HOST)).await;
    let mut world = world(server.address()).await;
    let handle = world.stack.open_account(tls_account(HOST, server.address().port(), Some(&authority)));
    let mut carrier = server.accept().await;
    let register = serve(&mut carrier).await;
    is_registered(&handle).await;
    for odd in [
        "OPTIONS sip:a@b SIP/2.0\r\nno colon\r\nContent-Length: 4\r\n\r\nbody",
        "INVITE \r\nVia: x\r\nContent-Length: 0\r\n\r\n",
        "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: no via\r\nContent-Length: 0\r\n\r\n",
    ] {
        carrier.send(odd).await;
    }
    let nowhere = "127.0.0.1:9".parse().expect("address");
    carrier.send(over_tls(&Dialog::at(nowhere, &register.contact()).request("INVITE", &[], SDP))).await;
    drop(world.call().await);
    let stats = world.stack.stats();
    assert_eq!((stats.malformed_messages, stats.broken_connections, stats.connections), (3, 0, 1), "{stats:?}");
    assert!(handle.status().borrow().is_registered());
    world.end().await;
}

#[tokio::test]
async fn peers_may_connect_to_us() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let files = authority.issue("callie.test").write(folder.path());
    let world = World::with(|options| {
        options.tls = Some(files);
        options.strangers = callie_sip::Strangers::Refuse;
    })
    .await;
    let address = world.stack.tls_address().expect("it listens");
    let tcp = TcpStream::connect(address).await.expect("connect");
    let source = tcp.local_addr().expect("connected");
    let name = "callie.test".try_into().expect("a name");
    let connector = TlsConnector::from(authority.client());
    let tls = soon("a handshake", connector.connect(name, tcp)).await.expect("a handshake");
    let mut peer = Connection::over(tls, source);
    let mut dialog = Dialog::at(source, &format!("sip:{address};transport=tls"));
    peer.send(over_tls(&dialog.request("OPTIONS", &[], ""))).await;
    assert!(peer.next().await.start().starts_with("SIP/2.0 200"));
    assert_eq!(world.stack.stats().connections, 1);
    drop(peer);
    world.becomes(|stats| stats.connections == 0).await;
    // What is no handshake is no connection either.
    let mut plain = Connection::over(TcpStream::connect(address).await.expect("connect"), source);
    plain.send("OPTIONS sip:a@b SIP/2.0\r\n\r\n").await;
    plain.is_closed().await;
    world.end().await;
}
