//! Lines at a real registrar: both digests, both transports, its restart, a wrong password, and nobody there at all.

use callie_e2e::eventually::throughout;
use callie_e2e::peers::{Kamailio, kamailio::Digest, present};
use callie_e2e::{Callie, eventually};
use serde_json::json;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

async fn check_registers(digest: Digest, transport: &str) {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), digest, 60).await;
    callie.create_user("alice", kamailio.address(), json!({ "transport": transport, "mac_address": "00:15:65:0a:0b:0c" })).await;
    callie.register("alice").await;

    let binding = kamailio.await_binding("alice", WITHIN).await;
    assert_eq!(binding.user_agent, "Yealink SIP-T46S 66.85.0.5 ~00:15:65:0a:0b:0c");
    assert_eq!(binding.contact.contains("transport=tcp"), transport == "tcp", "{binding:?}");
    assert!(!binding.contact.contains("sip:alice@"), "the Contact's user is a random token: {binding:?}");

    let (_, user) = callie.get("/users/alice").await;
    assert_eq!(user["registration"]["state"], "registered", "{user}");
    let status = callie.get("/admin/status").await.1;
    assert_eq!(status["registered_sip_clients"], 1, "{status}");
}

#[tokio::test]
async fn registers_with_md5_over_udp() {
    check_registers(Digest::Md5, "udp").await;
}

#[tokio::test]
async fn registers_with_md5_over_tcp() {
    check_registers(Digest::Md5, "tcp").await;
}

#[tokio::test]
async fn registers_with_sha_256_over_udp() {
    check_registers(Digest::Sha256, "udp").await;
}

#[tokio::test]
async fn registers_with_sha_256_over_tcp() {
    check_registers(Digest::Sha256, "tcp").await;
}

#[tokio::test]
async fn each_user_shows_its_own_telephone() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({ "custom_user_agent": "Alices Telephone/7" })).await;
    callie.create_user("bob", kamailio.address(), json!({ "model": "SIP-T42G" })).await;
    callie.register("alice").await;
    callie.register("bob").await;

    let alice = kamailio.await_binding("alice", WITHIN).await;
    let bob = kamailio.await_binding("bob", WITHIN).await;
    assert_eq!(alice.user_agent, "Alices Telephone/7");
    assert!(bob.user_agent.starts_with("Yealink SIP-T42G 66.85.0.5 ~00:15:65:"), "{bob:?}");
    assert_ne!(alice.contact, bob.contact);
}

#[tokio::test]
async fn lines_come_back_after_the_registrar_has_lost_them() {
    if !present(&["kamailio"]) {
        return;
    }
    for transport in ["udp", "tcp"] {
        let mut callie = Callie::start().await;
        let mut kamailio = Kamailio::start(callie.ports(), Digest::Md5, 8).await;
        callie.create_user("alice", kamailio.address(), json!({ "transport": transport })).await;
        callie.register("alice").await;
        kamailio.await_binding("alice", WITHIN).await;

        kamailio.restart().await;
        assert_eq!(kamailio.bindings(), [], "{transport}: a restart forgets the bindings");
        kamailio.await_binding("alice", Duration::from_secs(45)).await;
        callie.await_registration("alice", true, WITHIN).await;
    }
}

#[tokio::test]
async fn a_line_goes_when_it_is_no_longer_wanted() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    for user in ["alice", "bob", "carol"] {
        callie.create_user(user, kamailio.address(), json!({})).await;
        callie.register(user).await;
        kamailio.await_binding(user, WITHIN).await;
    }
    let (status, _) = callie.post("/users/alice/sip/disconnect", json!({})).await;
    assert_eq!(status, 200);
    let (status, _) = callie.put("/users/bob", json!({ "is_active": false })).await;
    assert_eq!(status, 200);
    let (status, _) = callie.delete("/users/carol").await;
    assert_eq!(status, 200);
    for user in ["alice", "bob", "carol"] {
        kamailio.await_no_binding(user, WITHIN).await;
    }
}

#[tokio::test]
async fn a_connected_line_is_connected_again_after_a_restart_of_ours() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({})).await;
    callie.register("alice").await;
    let (status, _, setup) = callie.terminate(WITHIN);
    assert!(status.success(), "{status}");
    kamailio.await_no_binding("alice", Duration::from_secs(2)).await;
    let callie = setup.start().await.expect("it starts again");
    callie.await_registration("alice", true, WITHIN).await;
    kamailio.await_binding("alice", WITHIN).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_hammered_and_mended_by_a_put() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({ "sip_password": "not the password" })).await;
    callie.connect("alice").await;
    let attempts = eventually("the password is found wrong", WITHIN, || async {
        let registration = callie.get("/users/alice").await.1["registration"].clone();
        (registration["state"] == "wrong_password").then(|| registration["attempts"].as_u64().unwrap_or(u64::MAX))
    })
    .await;
    assert!(attempts <= 4, "{attempts} REGISTERs before giving up");
    throughout("no REGISTER after the refusal", Duration::from_secs(5), || async {
        callie.get("/users/alice").await.1["registration"]["attempts"].as_u64() == Some(attempts)
    })
    .await;
    assert!(!callie.log().contains("not the password"), "the password stands in the log");

    let (status, body) = callie.put("/users/alice", json!({ "sip_password": "secret-alice" })).await;
    assert_eq!(status, 200, "{body}");
    callie.await_registration("alice", true, WITHIN).await;
    kamailio.await_binding("alice", WITHIN).await;
}

#[tokio::test]
async fn an_unreachable_registrar_is_told_and_found_once_it_is_there() {
    if !present(&["kamailio"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let mut kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    kamailio.stop();
    callie.create_user("alice", kamailio.address(), json!({})).await;
    callie.connect("alice").await;
    let registration = eventually("the registrar is found missing", Duration::from_secs(45), || async {
        let registration = callie.get("/users/alice").await.1["registration"].clone();
        (registration["state"] == "retrying").then_some(registration)
    })
    .await;
    assert!(registration["reason"].is_string() && registration["next_attempt_at"].is_string(), "{registration}");
    assert_eq!(callie.get("/health/ready").await.0, 200, "one user's registrar is not the server's health");

    kamailio.restart().await;
    callie.await_registration("alice", true, Duration::from_secs(90)).await;
}
