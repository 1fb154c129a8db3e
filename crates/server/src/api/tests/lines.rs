//! Connecting, disconnecting and calling.

use super::world::World;
use crate::exchange::DialError;
use callie_domain::registration::RegistrationState;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn connect_writes_the_wish_and_tells_the_registrars_answer() {
    for (state, status, registered) in [
        (RegistrationState::Registered, "registered", true),
        (RegistrationState::WrongPassword, "wrong_password", false),
        (RegistrationState::Retrying, "retrying", false),
    ] {
        let world = World::with_alice().await;
        *world.exchange.registrar.lock().expect("not poisoned") = state;
        let reply = world.post("/users/alice/sip/connect", "").await;
        let answer = reply.json();
        assert_eq!((reply.status, &answer["status"]), (200, &json!("connected")));
        assert_eq!((&answer["registration"]["state"], &answer["registered"]), (&json!(status), &json!(registered)));
        assert_eq!(answer["sip_status"], json!({"connected": true, "registered": registered, "active_calls": 0}));
        assert!(world.store.user("alice").expect("there").sip.connect);
    }
}

#[tokio::test(start_paused = true)]
async fn connect_does_not_wait_longer_than_three_seconds() {
    let world = World::with_alice().await;
    *world.exchange.registrar.lock().expect("not poisoned") = RegistrationState::Registering;
    let began = Instant::now();
    let reply = world.post("/users/alice/sip/connect", "").await;
    assert_eq!((reply.status, &reply.json()["registration"]["state"]), (200, &json!("registering")));
    let waited = began.elapsed();
    assert!((Duration::from_millis(2_900)..Duration::from_millis(3_200)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn connect_answers_as_soon_as_the_registrar_does() {
    let world = World::with_alice().await;
    *world.exchange.registrar.lock().expect("not poisoned") = RegistrationState::Registering;
    let registrar = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        *world.exchange.registrar.lock().expect("not poisoned") = RegistrationState::Registered;
    };
    let began = Instant::now();
    let (reply, ()) = tokio::join!(world.post("/users/alice/sip/connect", ""), registrar);
    assert_eq!(reply.json()["registered"], true);
    assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
}

#[tokio::test]
async fn both_wishes_may_be_repeated() {
    let world = World::with_alice().await;
    for (path, want) in [
        ("disconnect", "already_disconnected"),
        ("connect", "connected"),
        ("connect", "already_connected"),
        ("disconnect", "disconnected"),
        ("disconnect", "already_disconnected"),
    ] {
        let reply = world.post(&format!("/users/alice/sip/{path}"), "").await;
        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!(want)), "{path}");
    }
    assert_eq!(world.store.writes.load(Relaxed), 2);
}

#[tokio::test]
async fn an_inactive_user_is_not_connected_and_does_not_call() {
    let world = World::with_alice().await;
    world.put("/users/alice", r#"{"is_active": false}"#).await;
    for (path, body) in [("/users/alice/sip/connect", ""), ("/users/alice/call", r#"{"number": "1"}"#)] {
        let reply = world.post(path, body).await;
        assert_eq!((reply.status, &reply.json()["type"]), (409, &json!("urn:callie:problem:not-active")), "{path}");
        assert!(reply.text().contains("is_active"), "the remedy is named");
    }
}

#[tokio::test]
async fn inactive_takes_the_line_down_and_active_brings_it_back() {
    let world = World::with_alice().await;
    world.post("/users/alice/sip/connect", "").await;
    for active in [false, true] {
        let reply = world.put("/users/alice", &json!({"is_active": active}).to_string()).await;
        assert_eq!(reply.json()["sip_status"]["connected"], active);
    }
}

#[tokio::test]
async fn numbers_are_read_before_they_are_dialled() {
    let world = World::with_alice().await;
    world.post("/users/alice/sip/connect", "").await;
    for (body, status, dialled) in [
        (r#"{"number": "+1 (234) 567-890", "message": "Hi"}"#, 202, "+1234567890"),
        (r#"{"number": "sip:bob@example.com", "message": null}"#, 202, "bob@example.com"),
    ] {
        let reply = world.post("/users/alice/call", body).await;
        assert_eq!((reply.status, &reply.json()["target_number"]), (status, &json!(dialled)), "{body}");
    }
    let messages: Vec<_> = world.exchange.dialled.lock().expect("not poisoned").iter().map(|d| d.words.message.clone()).collect();
    assert_eq!(messages, [Some("Hi".to_owned()), None]);
    for (body, fields) in [
        (r#"{}"#, "number"),
        (r#"{"number": ""}"#, "number"),
        (r#"{"number": 123}"#, "number"),
        (r#"{"number": "1\r\nVia: x"}"#, "number"),
        (r#"{"number": "1", "colour": 1}"#, "colour"),
        (r#"{"number": "a b", "message": 7, "x": 1}"#, "message number x"),
    ] {
        let reply = world.post("/users/alice/call", body).await;
        assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, fields), "{body}");
    }
}

#[tokio::test]
async fn refusals_of_the_exchange_are_told_apart() {
    let world = World::with_alice().await;
    let reply = world.post("/users/alice/call", r#"{"number": "1"}"#).await;
    assert_eq!(reply.status, 409, "not connected");
    assert!(reply.text().contains("POST /users/alice/sip/connect"));
    let alice = || "alice".parse().expect("valid");
    for (refusal, want) in [
        (DialError::NoSuchUser(alice()), 404),
        (DialError::NotConnected(alice()), 409),
        (DialError::TooManyCalls(alice()), 429),
        (DialError::ShuttingDown, 503),
        (DialError::Internal("out of luck".into()), 500),
    ] {
        *world.exchange.refusal.lock().expect("not poisoned") = Some(refusal.clone());
        assert_eq!(world.post("/users/alice/call", r#"{"number": "1"}"#).await.status, want, "{refusal}");
    }
}

#[tokio::test]
async fn an_examination_answers_with_its_report_which_is_kept() {
    let world = World::with_alice().await;
    assert_eq!(world.get("/users/alice/doctor").await.status, 404);
    let reply = world.post("/users/alice/doctor", "").await;
    assert_eq!((reply.status, &reply.json()["outcome"]), (200, &json!("warning")));
    let finding = json!({"subject": "nat", "title": "NAT", "outcome": "warning", "text": "a private address", "remedy": "set external_address"});
    assert_eq!(reply.json()["findings"], json!([finding]));
    assert_eq!(world.get("/users/alice/doctor").await.json(), reply.json());
    let again = world.post("/users/alice/doctor", r#"{"number": "+493012345"}"#).await;
    assert_eq!((again.status, &again.json()["type"]), (409, &json!("urn:callie:problem:examination-under-way")));
}

#[tokio::test]
async fn an_examination_with_faults_is_refused() {
    let world = World::with_alice().await;
    for (path, body, status) in [
        ("/users/alice/doctor", "[]", 422),
        ("/users/alice/doctor", "{", 400),
        ("/users/alice/doctor", r#"{"number": 7}"#, 422),
        ("/users/alice/doctor", r#"{"numer": "1"}"#, 422),
        ("/users/nobody/doctor", "", 404),
    ] {
        assert_eq!(world.post(path, body).await.status, status, "{path} {body}");
    }
    assert_eq!(world.get("/users/nobody/doctor").await.status, 404);
}

#[tokio::test]
async fn presets_are_listed_with_their_sources() {
    let world = World::with_alice().await;
    let reply = world.get("/presets").await;
    let presets = reply.json()["presets"].as_array().cloned().unwrap_or_default();
    assert!(presets.len() >= 6 && presets.iter().all(|p| p["sources"].as_array().is_some_and(|s| !s.is_empty())), "{presets:?}");
}
