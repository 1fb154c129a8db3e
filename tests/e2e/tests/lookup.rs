//! Which registrar a line is at: found by the name server, left when it fails, gone back to; and what a silent name server does.

use callie_e2e::peers::{Dnsmasq, Kamailio, kamailio::Digest, present};
use callie_e2e::{Callie, PortBlock, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

async fn registration(callie: &Callie) -> Value {
    callie.get("/users/alice").await.1["registration"].clone()
}

async fn await_registrar(callie: &Callie, registrar: &Kamailio, within: Duration) -> Value {
    let address = json!(registrar.address().to_string());
    eventually(&format!("the line is at {address}"), within, || async {
        let shown = registration(callie).await;
        (shown["state"] == "registered" && shown["registrar"]["address"] == address).then_some(shown)
    })
    .await
}

#[tokio::test]
async fn naptr_and_srv_say_where_and_the_preferred_registrar_gets_its_line_back() {
    if !present(&["kamailio", "dnsmasq"]) {
        return;
    }
    let mut ports = PortBlock::take();
    let mut first = Kamailio::start(&mut ports, Digest::Md5, 8).await;
    let second = Kamailio::start(&mut ports, Digest::Md5, 8).await;
    let dnsmasq = Dnsmasq::start(&mut ports, &[first.address(), second.address()]).await;
    let setup = Callie::setup().env("CALLIE_DNS_SERVERS", dnsmasq.address().to_string()).env("CALLIE_REGISTRAR_AVOID", "2");
    let callie = setup.start().await.expect("callie starts");
    callie.create_user("alice", first.address(), json!({ "sip_server": "carrier.test" })).await;
    callie.register("alice").await;
    first.await_binding("alice", WITHIN).await;
    let shown = await_registrar(&callie, &first, WITHIN).await;
    assert_eq!((&shown["registrar"]["host"], &shown["granted_s"]), (&json!("sip1.carrier.test"), &json!(8)), "{shown}");
    assert!(shown["failover_reason"].is_null() && shown["down_since"].is_null(), "{shown}");

    first.stop();
    let shown = await_registrar(&callie, &second, WITHIN).await;
    second.await_binding("alice", WITHIN).await;
    assert_eq!(shown["registrar"]["host"], "sip2.carrier.test", "{shown}");
    assert!(shown["failover_reason"].as_str().is_some_and(|why| why.contains("sip1.carrier.test")), "{shown}");

    first.restart().await;
    await_registrar(&callie, &first, Duration::from_secs(30)).await;
    first.await_binding("alice", WITHIN).await;
}

#[tokio::test]
async fn the_backup_server_stands_in_and_is_left_without_a_trace() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut ports = PortBlock::take();
    let mut server = Kamailio::start(&mut ports, Digest::Md5, 60).await;
    let backup = Kamailio::start(&mut ports, Digest::Sha256, 24).await;
    server.stop();
    let callie = Callie::setup().env("CALLIE_REGISTRAR_AVOID", "2").start().await.expect("callie starts");
    let line = json!({ "sip": { "backup_server": backup.address().to_string() } });
    callie.create_user("alice", server.address(), line).await;
    callie.connect("alice").await;
    let shown = await_registrar(&callie, &backup, WITHIN).await;
    assert_eq!(shown["registrar"]["is_backup"], true, "{shown}");
    backup.await_binding("alice", WITHIN).await;

    server.restart().await;
    await_registrar(&callie, &server, Duration::from_secs(40)).await;
    server.await_binding("alice", WITHIN).await;
    // It was granted for longer than this.
    backup.await_no_binding("alice", Duration::from_millis(2500)).await;
    callie.terminate(WITHIN);
    server.await_no_binding("alice", WITHIN).await;
}

#[tokio::test]
async fn a_silent_name_server_costs_no_registration() {
    if !present(&["kamailio", "dnsmasq"]) {
        return;
    }
    let mut ports = PortBlock::take();
    let kamailio = Kamailio::start(&mut ports, Digest::Md5, 8).await;
    let mut dnsmasq = Dnsmasq::start(&mut ports, &[kamailio.address()]).await;
    let setup = Callie::setup().env("CALLIE_DNS_SERVERS", dnsmasq.address().to_string());
    let callie = setup.start().await.expect("callie starts");
    callie.create_user("alice", kamailio.address(), json!({ "sip_server": "carrier.test" })).await;
    callie.register("alice").await;
    let mut binding = kamailio.await_binding("alice", WITHIN).await;

    dnsmasq.stop();
    for _ in 0..2 {
        binding = kamailio.await_register_after(&binding, WITHIN).await;
    }
    let told = || async { Some(registration(&callie).await).filter(|shown| shown["dns_failure"].is_string()) };
    let shown = eventually("the silent name server is told of", WITHIN, told).await;
    assert_eq!(shown["state"], "registered", "{shown}");

    dnsmasq.restart().await;
    let mended = || async { registration(&callie).await["dns_failure"].is_null().then_some(()) };
    eventually("the name server is asked again", WITHIN, mended).await;
    kamailio.await_register_after(&binding, WITHIN).await;
}

#[tokio::test]
async fn a_registrar_that_restarts_under_its_connections_has_its_lines_back_at_once() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let mut kamailio = Kamailio::start(callie.ports(), Digest::Md5, 3600).await;
    for user in ["alice", "bob", "carol"] {
        callie.create_user(user, kamailio.address(), json!({ "transport": "tcp" })).await;
        callie.register(user).await;
        kamailio.await_binding(user, WITHIN).await;
    }
    kamailio.restart().await;
    for user in ["alice", "bob", "carol"] {
        kamailio.await_binding(user, Duration::from_secs(15)).await;
    }
}

#[tokio::test]
async fn one_server_has_lines_over_ipv6_and_ipv4() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut setup = Callie::setup();
    let port = setup.ports().one();
    let six = SocketAddr::new("::1".parse().expect("an address"), setup.ports().one());
    let callie = setup.env("CALLIE_SIP_LISTEN", format!("[::]:{port}")).start().await;
    let mut callie = callie.expect("callie starts");
    let over_six = Kamailio::start_at(six, None, Digest::Md5, 60).await;
    let over_four = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    for (user, kamailio, host, transport) in
        [("alice", &over_six, "[::1]", "udp"), ("bob", &over_six, "[::1]", "tcp"), ("carol", &over_four, "127.0.0.1", "udp")]
    {
        callie.create_user(user, kamailio.address(), json!({ "transport": transport })).await;
        callie.register(user).await;
        let binding = kamailio.await_binding(user, WITHIN).await;
        assert!(binding.contact.contains(&format!("@{host}:{port}")), "{binding:?}");
    }
}
