//! More than one registrar: which one is asked, how soon the next one is, and the way back.

use crate::peer::{Message, Peer, SDP, World, account, soon};
use callie_domain::registration::RegistrationStatus;
use callie_domain::{Account, HostPort};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn host(address: SocketAddr) -> HostPort {
    HostPort { host: address.ip().to_string(), port: Some(address.port()) }
}

fn with_backup(server: &Peer, backup: &Peer) -> Account {
    Account { backup_server: Some(host(backup.address)), ..account(server.address) }
}

/// What the account shows when it is registered at `registrar`.
async fn registered_at(handle: &callie_sip::AccountHandle, registrar: SocketAddr) -> RegistrationStatus {
    let at =
        |status: &RegistrationStatus| status.is_registered() && status.registrar.as_ref().is_some_and(|r| r.address == registrar);
    soon("a registration there", handle.status().wait_for(at)).await.expect("running").clone()
}

#[tokio::test]
async fn who_says_503_is_left_for_the_backup_at_once() {
    let (world, server, backup) = (World::new().await, Peer::new().await, Peer::new().await);
    let handle = world.stack.open_account(with_backup(&server, &backup));
    let first = server.expect("REGISTER").await;
    server.reply(&first, "503 Service Unavailable", &["Retry-After: 900"], "").await;
    let contact = backup.register().await.contact();
    assert_eq!(contact, first.contact());
    let status = registered_at(&handle, backup.address).await;
    assert_eq!(status.failover_reason.as_deref(), Some("127.0.0.1 answered 503 Service Unavailable"));
    assert!(status.registrar.is_some_and(|registrar| registrar.is_backup));
    assert_eq!((status.granted_s, status.down_since), (Some(600), None));
    world.end().await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_left_within_moments() {
    let (world, server, backup) = (World::new().await, Peer::new().await, Peer::new().await);
    let account = with_backup(&server, &backup);
    drop(server);
    let began = Instant::now();
    let handle = world.stack.open_account(account);
    backup.register().await;
    let status = registered_at(&handle, backup.address).await;
    assert!(began.elapsed() < world.patience() / 2, "after {:?}", began.elapsed());
    assert!(status.failover_reason.is_some_and(|why| why.contains("refused")), "an ICMP error tells");
    world.end().await;
}

#[tokio::test]
async fn a_silent_server_is_left_before_its_time_is_up() {
    let (world, server, backup) = (World::new().await, Peer::new().await, Peer::new().await);
    let began = Instant::now();
    let handle = world.stack.open_account(with_backup(&server, &backup));
    backup.register().await;
    registered_at(&handle, backup.address).await;
    assert!(began.elapsed() < world.patience(), "after {:?}", began.elapsed());
    world.end().await;
}

#[tokio::test]
async fn back_at_the_server_only_our_own_binding_at_the_backup_goes() {
    let world = World::with(|options| {
        options.register.avoid_for = Duration::from_millis(300);
        options.register.shortest_refresh = Duration::from_millis(500);
    })
    .await;
    let (server, backup) = (Peer::new().await, Peer::new().await);
    let handle = world.stack.open_account(with_backup(&server, &backup));
    let first = server.expect("REGISTER").await;
    server.reply(&first, "503 Service Unavailable", &[], "").await;
    let at_backup = backup.expect("REGISTER").await;
    backup.grant(&at_backup, 1).await;
    registered_at(&handle, backup.address).await;

    let back = server.expect_where("REGISTER", |m| cseq(m) > cseq(&at_backup)).await;
    server.grant(&back, 600).await;
    registered_at(&handle, server.address).await;
    let removal = backup.expect_where("REGISTER", |m| m.header("Expires") == Some("0")).await;
    assert_eq!(removal.contact(), first.contact());
    let (before, now) = (cseq(&at_backup), cseq(&back));
    assert!((before + 1..now).contains(&cseq(&removal)), "{} is between {before} and {now}", cseq(&removal));
    backup.reply(&removal, "200 OK", &[], "").await;
    // In case both are one.
    let again = server.expect_where("REGISTER", |m| cseq(m) > now).await;
    server.grant(&again, 600).await;
    assert!(again.header("Contact") != Some("*") && removal.header("Contact") != Some("*"));
    world.end().await;
}

fn cseq(message: &Message) -> u32 {
    message.must("CSeq").split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

#[tokio::test]
async fn an_address_that_changes_is_registered_and_the_old_one_removed() {
    let world = World::with(|options| options.register.shortest_refresh = Duration::from_millis(300)).await;
    let registrar = Peer::new().await;
    let handle = world.stack.open_account(account(registrar.address));
    let first = registrar.expect("REGISTER").await;
    registrar.grant(&first, 1).await;
    let refresh = registrar.expect_where("REGISTER", |m| cseq(m) > cseq(&first)).await;
    // The NAT has a new address.
    let granted = refresh.response("200 OK", &[&format!("Contact: <{}>;expires=600", refresh.contact())], "");
    let seen = format!(";rport={}", refresh.source.port());
    registrar.send(refresh.source, granted.replace(&seen, ";received=203.0.113.7;rport=4242")).await;
    let moved = registrar.expect_where("REGISTER", |m| m.contact().ends_with("@203.0.113.7:4242")).await;
    let there = |request: &Message| {
        let text = request.response("200 OK", &[&format!("Contact: <{}>;expires=600", request.contact())], "");
        text.replace(&format!(";rport={}", request.source.port()), ";received=203.0.113.7;rport=4242")
    };
    registrar.send(moved.source, there(&moved)).await;
    let removal = registrar.expect_where("REGISTER", |m| m.header("Expires") == Some("0")).await;
    assert_eq!(removal.contact(), first.contact());
    registrar.reply(&removal, "200 OK", &[], "").await;
    let shown = |s: &RegistrationStatus| s.public_address == Some("203.0.113.7:4242".parse().expect("address"));
    soon("the public address", handle.status().wait_for(shown)).await.expect("running");
    world.end().await;
}

/// Answers STUN's Binding requests: `address` is where it says that we are, until it says otherwise.
async fn stun_server(mut address: tokio::sync::watch::Receiver<SocketAddr>) -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let here = socket.local_addr().expect("bound");
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut request = [0; 64];
        while let Ok((_, source)) = socket.recv_from(&mut request).await {
            let SocketAddr::V4(seen) = *address.borrow_and_update() else { return };
            let mut answer = vec![1, 1, 0, 12];
            answer.extend_from_slice(&request[4..20]);
            answer.extend_from_slice(&[0, 0x20, 0, 8, 0, 1]);
            answer.extend_from_slice(&(seen.port() ^ 0x2112).to_be_bytes());
            answer.extend_from_slice(&(u32::from(*seen.ip()) ^ 0x2112_a442).to_be_bytes());
            socket.send_to(&answer, source).await.ok();
        }
    });
    here
}

#[tokio::test]
async fn a_stun_server_tells_our_address_before_the_first_register_and_when_it_changes() {
    let world = World::with(|options| options.keepalive_every = Duration::from_millis(100)).await;
    let registrar = Peer::new().await;
    let (mapping, mapped) = tokio::sync::watch::channel("198.51.100.4:1111".parse().expect("address"));
    let server = stun_server(mapped).await;
    let mut account = account(registrar.address);
    account.upkeep.stun_server = Some(host(server));
    let handle = world.stack.open_account(account);
    let first = registrar.expect("REGISTER").await;
    assert!(first.contact().ends_with("@198.51.100.4:1111"), "{}", first.contact());
    registrar.grant(&first, 600).await;
    registered_at(&handle, registrar.address).await;
    mapping.send_replace("198.51.100.4:2222".parse().expect("address"));
    let moved = registrar.expect_where("REGISTER", |m| m.contact().ends_with("@198.51.100.4:2222")).await;
    registrar.grant(&moved, 600).await;
    let removal = registrar.expect_where("REGISTER", |m| m.header("Expires") == Some("0")).await;
    assert_eq!(removal.contact(), first.contact());
    world.end().await;
}

#[tokio::test]
async fn calls_take_the_service_route_that_the_registrar_names() {
    let (world, registrar, route) = (World::new().await, Peer::new().await, Peer::new().await);
    let handle = world.stack.open_account(account(registrar.address));
    let register = registrar.expect("REGISTER").await;
    assert_eq!(register.must("Supported"), "path");
    let contact = format!("Contact: <{}>;expires=600", register.contact());
    let via = format!("Service-Route: <sip:{};lr>, <sip:inner.carrier.test;lr>", route.address);
    registrar.reply(&register, "200 OK", &[&contact, &via], "").await;
    registered_at(&handle, registrar.address).await;
    let leg = world.stack.dial(&handle, &"200".parse().expect("dialable"), SDP.into());
    let invite = route.expect("INVITE").await;
    let routes = [format!("<sip:{};lr>", route.address), "<sip:inner.carrier.test;lr>".to_owned()];
    assert_eq!(invite.headers("Route"), routes.iter().map(String::as_str).collect::<Vec<_>>());
    route.reply(&invite, "486 Busy Here", &[], "").await;
    drop(leg);
    world.end().await;
}

#[tokio::test]
async fn a_line_that_stays_down_becomes_an_alert() {
    let world = World::with(|options| options.register.alert_after = Duration::from_millis(300)).await;
    let registrar = Peer::new().await;
    let handle = world.stack.open_account(account(registrar.address));
    let mut status = handle.status();
    let alert = soon("an alert", status.wait_for(|s| s.alert)).await.expect("running").clone();
    assert!(alert.down_since.is_some());
    registrar.register().await;
    soon("its end", status.wait_for(|s| s.is_registered() && !s.alert && s.down_since.is_none())).await.expect("running");
    world.end().await;
}

#[tokio::test]
async fn ipv6_has_its_brackets_and_a_dual_stack_reaches_both() {
    let registrars = [Peer::at("[::1]:0").await, Peer::new().await];
    for listen in ["[::1]:0", "[::]:0"] {
        let world = World::with(|options| options.listen = listen.parse().expect("address")).await;
        let reached = if listen == "[::]:0" { &registrars[..] } else { &registrars[..1] };
        for registrar in reached {
            let handle = world.stack.open_account(Account { user: "six".parse().expect("valid"), ..account(registrar.address) });
            let register = registrar.register().await;
            let here = SocketAddr::new(registrar.address.ip(), world.address().port());
            assert!(register.contact().ends_with(&format!("@{here}")), "{}", register.contact());
            assert!(register.must("Via").starts_with(&format!("SIP/2.0/UDP {here};")), "{}", register.must("Via"));
            registered_at(&handle, registrar.address).await;
        }
        world.end().await;
    }
}
