//! The live feed.

use super::world::World;
use crate::api::Phase;
use crate::exchange::LiveEvent;
use axum::body::BodyDataStream;
use callie_domain::record::{CallEvent, CallFact, Direction, Speaker, Turn};
use callie_domain::registration::RegistrationStatus;
use callie_domain::{CallId, UserId};
use futures::StreamExt;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

fn user(id: &str) -> UserId {
    id.parse().expect("valid")
}

fn registration(id: &str) -> Arc<LiveEvent> {
    Arc::new(LiveEvent::Registration { user_id: user(id), registration: RegistrationStatus::OFF })
}

async fn open(world: &World, path: &str) -> BodyDataStream {
    open_as(world, path, &[]).await
}

async fn open_as(world: &World, path: &str, headers: &[(&str, &str)]) -> BodyDataStream {
    let response = world.response("GET", path, headers, "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut feed = response.into_body().into_data_stream();
    assert_eq!(next(&mut feed).await, ": open\n\n");
    feed
}

async fn next(feed: &mut BodyDataStream) -> String {
    let chunk = tokio::time::timeout(Duration::from_secs(60), feed.next()).await.expect("in time");
    chunk.map(|bytes| String::from_utf8(bytes.expect("readable").to_vec()).expect("text")).unwrap_or_default()
}

#[tokio::test]
async fn events_are_named_numbered_and_json() {
    let world = World::new();
    let mut feed = open(&world, "/events").await;
    let event = CallEvent { at: Timestamp::UNIX_EPOCH, offset_ms: 5, fact: CallFact::Dtmf { digit: '7' } };
    let call_id = CallId::new(Timestamp::UNIX_EPOCH, 1);
    let call = LiveEvent::Call { call_id, user_id: user("alice"), direction: Direction::Inbound, event };
    for event in [Arc::new(call), registration("alice"), Arc::new(LiveEvent::User { user_id: user("bob"), change: "created" })] {
        world.exchange.feed.send(event).expect("heard");
    }
    let call = next(&mut feed).await;
    let json = r#"{"type":"call","call_id":"00000000000000000000000001","user_id":"alice","direction":"inbound","at":"1970-01-01T00:00:00Z","offset_ms":5,"event":"dtmf","digit":"7"}"#;
    assert_eq!(call, format!("id: 1\nevent: call\ndata: {json}\n\n"));
    assert!(next(&mut feed).await.starts_with("id: 2\nevent: registration\ndata: {"));
    assert!(next(&mut feed).await.starts_with("id: 3\nevent: user\ndata: {"));
}

#[tokio::test]
async fn what_is_said_comes_turn_by_turn() {
    let world = World::new();
    let mut feed = open(&world, "/events").await;
    let text = "My boiler leaks.".to_owned();
    let turn = Turn { index: 1, speaker: Speaker::Caller, started_ms: 10, ended_ms: 20, text, interrupted: false, latency: None };
    let event = CallEvent { at: Timestamp::UNIX_EPOCH, offset_ms: 5, fact: CallFact::Turn { turn } };
    let call_id = CallId::new(Timestamp::UNIX_EPOCH, 1);
    let call = LiveEvent::Call { call_id, user_id: user("alice"), direction: Direction::Inbound, event };
    world.exchange.feed.send(Arc::new(call)).expect("heard");
    let told = next(&mut feed).await;
    let turn = r#""event":"turn","turn":{"ended_ms":20,"index":1,"interrupted":false,"speaker":"caller","started_ms":10,"text":"My boiler leaks."}"#;
    assert!(told.starts_with("id: 1\nevent: call\ndata: {") && told.contains(turn), "{told}");
}

#[tokio::test]
async fn a_reader_may_listen_to_one_user() {
    let world = World::new();
    let mut feed = open(&world, "/events?user_id=bob").await;
    for id in ["alice", "bob"] {
        world.exchange.feed.send(registration(id)).expect("heard");
    }
    let first = next(&mut feed).await;
    assert!(first.starts_with("id: 1\n") && first.contains(r#""user_id":"bob""#), "{first}");
    assert_eq!(world.get("/events?user_id=a+b").await.status, 422);
    assert_eq!(world.get("/events?colour=red").await.status, 422);
}

#[tokio::test]
async fn a_slow_reader_is_told_how_much_it_missed() {
    let world = World::new();
    let mut feed = open(&world, "/events?user_id=alice").await;
    for _ in 0..10 {
        world.exchange.feed.send(registration("bob")).expect("heard");
    }
    assert_eq!(next(&mut feed).await, "id: 1\nevent: lagged\ndata: {\"type\":\"lagged\",\"missed\":6}\n\n");
}

#[tokio::test]
async fn the_feed_ends_when_the_server_stops() {
    let world = World::new();
    let mut feed = open(&world, "/events").await;
    world.phase.send_replace(Phase::Stopping);
    assert_eq!(next(&mut feed).await, "", "the end of the stream");
}

#[tokio::test(start_paused = true)]
async fn a_silent_feed_says_that_it_is_alive() {
    let world = World::new();
    let mut feed = open(&world, "/events").await;
    assert_eq!(next(&mut feed).await, ": still here\n\n");
}

/// Nothing here looks round by the clock: who ends something ends the feeds as well.
#[tokio::test]
async fn a_feed_ends_at_once_with_what_opened_it() {
    let world = World::new();
    let without_a_key = open(&world, "/events").await;
    let made = world.post("/keys", r#"{"name": "head", "role": "admin"}"#).await.json();
    let (id, key) = (made["id"].as_str().expect("an id"), made["key"].as_str().expect("a key"));
    let second = world.send("POST", "/keys", &[("x-api-key", key)], r#"{"name": "b", "role": "admin"}"#).await.json();
    let other = second["key"].as_str().expect("a key");

    let signed_in = world.post("/session", &format!(r#"{{"key": "{key}"}}"#)).await;
    let cookie = signed_in.header("set-cookie").split(';').next().expect("a pair").to_owned();
    let signed_in = signed_in.json();
    let csrf = signed_in["identity"]["csrf_token"].as_str().expect("a text");
    let of_page = open_as(&world, "/events", &[("cookie", &cookie)]).await;
    let of_key = open_as(&world, "/events", &[("x-api-key", key)]).await;
    let mut of_other = open_as(&world, "/events", &[("x-api-key", other)]).await;

    let ended = async |mut feed: BodyDataStream, why: &str| {
        let last = format!("event: ended\ndata: {{\"type\":\"ended\",\"reason\":\"{why}\"}}\n\n");
        assert_eq!(next(&mut feed).await, last);
        assert_eq!(next(&mut feed).await, "", "and nothing more");
    };
    ended(without_a_key, "from now on a key is needed").await;
    assert_eq!(world.send("DELETE", "/session", &[("cookie", &cookie), ("x-csrf-token", csrf)], "").await.status, 200);
    ended(of_page, "the session has ended").await;
    assert_eq!(world.send("DELETE", &format!("/keys/{id}"), &[("x-api-key", other)], "").await.status, 200);
    ended(of_key, "the key was revoked").await;
    world.exchange.feed.send(registration("alice")).expect("heard");
    assert!(next(&mut of_other).await.starts_with("id: 1\nevent: registration\n"), "who may stay stays");
}
