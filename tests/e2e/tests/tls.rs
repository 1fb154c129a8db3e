//! Lines over TLS at a real registrar: registered and refreshed, called and calling, back at once after its restart, and told
//! what is wrong where they are not. And at the lab's carrier, whose certificate is of its own making.

use callie_e2e::certificates::Authority;
use callie_e2e::peers::kamailio::Secure;
use callie_e2e::peers::{Kamailio, present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, CarrierTls, Subscriber};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
const NUMBER: &str = "+1234567890";
const HERE: &str = "IP:127.0.0.1";

fn trusting(authority: &Authority) -> Value {
    json!({ "transport": "tls", "tls_ca": authority.pem() })
}

/// A server with alice registered over TLS.
async fn alice(authority: &Authority, expires: u32) -> (Callie, Kamailio) {
    let mut callie = Callie::start().await;
    let secure = Secure::new(callie.ports(), authority.issue("kamailio", HERE));
    let kamailio = Kamailio::start_secure(callie.ports(), secure, expires).await;
    callie.create_user("alice", kamailio.secure_address(), trusting(authority)).await;
    callie.register("alice").await;
    (callie, kamailio)
}

/// Why a line is not registered, once somebody knows.
async fn reason(callie: &Callie, user: &str) -> String {
    eventually("there is a reason", WITHIN, || async {
        let registration = callie.get(&format!("/users/{user}")).await.1["registration"].clone();
        assert_ne!(registration["state"], "registered", "{registration}");
        registration["reason"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn a_line_over_tls_is_registered_refreshed_called_and_calls() {
    if !present(&["kamailio", "sipp", "openssl"]) {
        return;
    }
    let authority = Authority::new("authority of the provider");
    let (mut callie, kamailio) = alice(&authority, 10).await;
    let binding = kamailio.await_binding("alice", WITHIN).await;
    assert!(binding.contact.contains("transport=tls"), "{binding:?}");
    let refreshed = kamailio.await_register_after(&binding, WITHIN).await;
    assert_eq!(refreshed.contact, binding.contact, "over the same connection");

    let caller = Scenario::caller("call_and_echo", "alice", kamailio.address()).pause(Duration::from_secs(2));
    let mut sipp = caller.start(callie.ports());
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["reason"], "remote_hung_up", "{call}");
    assert!(call["media"]["packets_sent"].as_u64().unwrap_or(0) > 50, "{call}");

    let mut sipp = Scenario::callee("answer_and_hang_up").pause(Duration::from_secs(2)).start(callie.ports());
    kamailio.add_number(NUMBER, sipp.address());
    let (status, body) = callie.post("/users/alice/call", json!({ "number": NUMBER, "message": "Hello." })).await;
    assert_eq!(status, 202, "{body}");
    sipp.finish(WITHIN);
    let ended = eventually("the second call has ended", WITHIN, || async {
        let calls = callie.calls().await;
        calls.into_iter().find(|call| call["direction"] == "outbound" && call["termination"].is_object())
    })
    .await;
    assert_eq!(ended["termination"]["reason"], "remote_hung_up", "{ended}");
    callie.await_idle(WITHIN).await;
}

#[tokio::test]
async fn a_line_over_tls_is_back_at_once_after_the_registrars_restart() {
    if !present(&["kamailio", "openssl"]) {
        return;
    }
    let authority = Authority::new("authority of the provider");
    let (callie, mut kamailio) = alice(&authority, 600).await;
    kamailio.await_binding("alice", WITHIN).await;
    kamailio.restart().await;
    // Its refresh would come after eight minutes: it is the lost connection that tells.
    kamailio.await_binding("alice", Duration::from_secs(20)).await;
    callie.await_registration("alice", true, WITHIN).await;
}

#[tokio::test]
async fn a_registrar_that_wants_a_certificate_gets_it_and_nobody_else_does() {
    if !present(&["kamailio", "openssl"]) {
        return;
    }
    let authority = Authority::new("authority of the provider");
    let mut callie = Callie::setup().env("CALLIE_LOG", "trace").start().await.expect("callie starts");
    let secure = Secure::new(callie.ports(), authority.issue("kamailio", HERE)).wants_clients_of(&authority);
    let kamailio = Kamailio::start_secure(callie.ports(), secure, 60).await;
    callie.create_user("alice", kamailio.secure_address(), trusting(&authority)).await;
    callie.connect("alice").await;
    let told = reason(&callie, "alice").await;
    assert!(told.contains("client certificate") && told.contains("sip.tls_client_certificate"), "{told}");

    let shown = authority.issue("alice", "DNS:alice.example");
    let change = json!({ "sip": { "tls_client_certificate": shown.chain_pem(), "tls_client_key": shown.key_pem() } });
    let (status, body) = callie.put("/users/alice", change).await;
    assert_eq!(status, 200, "{body}");
    callie.await_registration("alice", true, WITHIN).await;
    kamailio.await_binding("alice", WITHIN).await;

    let (_, user) = callie.get("/users/alice").await;
    let (log, user) = (callie.log(), user.to_string());
    for line in shown.key_pem().lines().filter(|line| !line.starts_with("-----")) {
        assert!(!log.contains(line) && !user.contains(line), "the client's key stands in the log or in an answer");
    }
    assert!(!log.contains("secret-alice"), "the password stands in the log");
}

#[tokio::test]
async fn a_line_is_told_why_a_registrar_is_not_believed() {
    if !present(&["kamailio", "openssl"]) {
        return;
    }
    let (authority, another) = (Authority::new("authority of the provider"), Authority::new("another authority"));
    let mut callie = Callie::start().await;
    let secure = Secure::new(callie.ports(), authority.issue("kamailio", "DNS:sip.elsewhere.example"));
    let kamailio = Kamailio::start_secure(callie.ports(), secure, 60).await;
    for (user, tls, want) in [
        ("alice", trusting(&authority), "certified for sip.elsewhere.example, not for 127.0.0.1"),
        ("bob", trusting(&another), "not certified by the authority in sip.tls_ca"),
        ("carol", json!({ "transport": "tls" }), "an authority unknown to this machine"),
    ] {
        callie.create_user(user, kamailio.secure_address(), tls).await;
        callie.connect(user).await;
        let told = reason(&callie, user).await;
        assert!(told.contains(want), "{user} is told {told:?}, not {want:?}");
        assert_eq!(callie.log().matches(want).count(), 1, "once in the log, however often it is tried");
    }
    assert_eq!(kamailio.bindings(), []);
    let named = json!({ "sip": { "tls_server_name": "sip.elsewhere.example" } });
    let (status, body) = callie.put("/users/alice", named).await;
    assert_eq!(status, 200, "{body}");
    callie.await_registration("alice", true, WITHIN).await;
}

#[tokio::test]
async fn the_labs_carrier_takes_tls() {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let carrier = Carrier::start(CarrierOptions {
        domain: Some("carrier.test".into()),
        subscribers: vec![Subscriber::new("alice", "secret-alice")],
        tls: Some(CarrierTls { listen, names: vec!["127.0.0.1".into()] }),
        ..CarrierOptions::default()
    })
    .await
    .expect("the carrier starts");
    let callie = Callie::start().await;
    let address = carrier.tls_address().expect("it takes TLS");
    callie.create_user("alice", address, json!({ "transport": "tls", "tls_ca": carrier.authority() })).await;
    callie.register("alice").await;
    let bindings = carrier.bindings();
    assert!(bindings.iter().all(|binding| binding.contact.contains("transport=tls")), "{bindings:?}");
    carrier.stop().await;
}
