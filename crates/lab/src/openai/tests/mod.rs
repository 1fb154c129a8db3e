//! The fake against a client without manners.

use super::*;
use crate::samples::Line;
use client::{Client, deltas, kinds, place, refused, update};
use serde_json::{Value, json};

mod client;

const DEADLINE: Duration = Duration::from_secs(10);

fn tone(words: &str, ms: u64) -> Speech {
    Speech::tone(words, 500.0, Duration::from_millis(ms))
}

fn script() -> Converse {
    Converse {
        greeting: Some(tone("Hello, who is there?", 300)),
        exchanges: vec![
            Exchange::new(Line::Maria1.words(), tone("And what is it about, Maria?", 900)),
            Exchange::of(
                Line::Maria2.words(),
                vec![Step::Call(vec![ToolCall::new("end_call", &json!({}))]), Step::Say(tone("Goodbye.", 200))],
            ),
        ],
        beyond: Some(tone("Yes?", 100)),
        texts: vec![("still there".to_owned(), Exchange::new("", tone("Are you there?", 100)))],
        ..Converse::default()
    }
}

async fn fake(script: Converse) -> FakeOpenAi {
    FakeOpenAi::start(FakeOpenAiOptions { script, ..FakeOpenAiOptions::default() }).await.expect("a free port")
}

#[tokio::test]
async fn only_who_has_the_key_and_names_a_model_is_let_in() {
    let fake = fake(script()).await;
    let (key, target) = (("authorization", "Bearer sk-lab"), "/v1/realtime?model=gpt-realtime-2.1");
    assert_eq!(refused(&fake, target, &[]).await, Some(401));
    assert_eq!(refused(&fake, target, &[("authorization", "Bearer sk-other")]).await, Some(401));
    assert_eq!(refused(&fake, "/v1/realtime?model=gpt-4o-realtime-preview", &[key]).await, Some(404));
    assert_eq!(refused(&fake, "/realtime?model=gpt-realtime-2.1", &[key]).await, Some(404));
    assert_eq!(refused(&fake, target, &[key, ("openai-beta", "realtime=v1")]).await, Some(400));
    assert_eq!(refused(&fake, target, &[("api-key", "sk-lab")]).await, None);
}

#[tokio::test]
async fn a_response_has_its_events_in_the_services_order() {
    let fake = fake(script()).await;
    let mut client = Client::set_up(&fake).await;
    let events = client.respond("Greet the caller.").await;
    let wanted = [
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ];
    let places: Vec<_> = wanted.iter().map(|kind| place(&events, kind)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {:?}", kinds(&events));
    assert_eq!(deltas(&events, "response.output_audio_transcript.delta"), "Hello, who is there?");
    let usage = &events[events.len() - 1]["response"]["usage"];
    assert_eq!(usage["total_tokens"], usage["input_tokens"].as_u64().unwrap_or(0) + usage["output_tokens"].as_u64().unwrap_or(0));
    fake.stop().await;
}

#[tokio::test]
async fn the_caller_is_heard_written_down_and_answered() {
    let fake = fake(script()).await;
    let mut client = Client::set_up(&fake).await;
    client.respond("Greet the caller.").await;
    client.say(Line::Maria1).await;
    let events = client.until("response.done").await;
    let order = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
    ];
    let places: Vec<_> = order.iter().map(|kind| place(&events, kind)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{:?}", kinds(&events));
    assert_eq!(deltas(&events, "conversation.item.input_audio_transcription.delta"), Line::Maria1.words());
    fake.latest().expect("a session").look(|log| {
        assert!(log.uplink.contains(&Line::Maria1.samples()) && !log.uplink.contains(&Line::Tom1.samples()));
        assert_eq!((log.misread, log.raw.len()), (0, log.uplink.audio.len() / 2));
    });
}

#[tokio::test]
async fn calls_end_a_response_and_their_answers_begin_the_next() {
    let fake = fake(script()).await;
    let mut client = Client::set_up(&fake).await;
    client.respond("Greet the caller.").await;
    client.say(Line::Maria1).await;
    client.until("response.done").await;
    client.say(Line::Maria2).await;
    let events = client.until("response.done").await;
    let call = events[events.len() - 1]["response"]["output"][0].clone();
    assert_eq!((call["name"].as_str(), call["status"].as_str()), (Some("end_call"), Some("completed")));
    let output = |call_id: &Value| {
        json!({"type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": call_id, "output": "{}"}})
    };
    client.send(output(&json!("call_9999"))).await;
    assert_eq!(client.until("error").await.last().expect("one")["error"]["code"], "invalid_tool_call_id");
    client.send(output(&call["call_id"])).await;
    client.send(json!({"type": "response.create"})).await;
    let events = client.until("response.done").await;
    assert_eq!(deltas(&events, "response.output_audio_transcript.delta"), "Goodbye.");
    assert!(fake.latest().expect("a session").look(|log| log.unanswered.is_empty()));
}

#[tokio::test]
async fn who_speaks_over_a_response_cancels_it_and_late_pieces_come_nevertheless() {
    let long = Converse { greeting: Some(tone("One two three.", 20_000)), late_pieces: 3, ..script() };
    let fake = fake(long).await;
    let mut client = Client::set_up(&fake).await;
    client.send(json!({"type": "response.create"})).await;
    client.until("response.output_audio.delta").await;
    client.say(Line::Maria1).await;
    let events = client.until("response.done").await;
    let started = place(&events, "input_audio_buffer.speech_started").expect("started");
    let late = kinds(&events[started..]).iter().filter(|kind| **kind == "response.output_audio.delta").count();
    assert_eq!(late, 3);
    let done = &events[events.len() - 1]["response"];
    assert_eq!((done["status"].as_str(), done["status_details"]["reason"].as_str()), (Some("cancelled"), Some("turn_detected")));
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_the_session_lives_on() {
    let fake = fake(script()).await;
    let mut client = Client::open(&fake).await;
    let create = |item: Value| json!({"type": "conversation.item.create", "event_id": "e-1", "item": item});
    let truncate = |item: &str, ms: u64| json!({"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms});
    let mut beyond = update();
    beyond["session"]["temperature"] = json!(0.8);
    for (message, code) in [
        (beyond, "unknown_parameter"),
        (json!({"type": "session.start"}), "invalid_value"),
        (json!({"type": "response.create", "instructions": "x"}), "unknown_parameter"),
        (json!({"type": "response.create", "response": {"temperature": 1}}), "unknown_parameter"),
        (json!({"type": "response.cancel"}), "response_cancel_not_active"),
        (json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty"),
        (json!({"type": "input_audio_buffer.append", "audio": "no base64!"}), "invalid_value"),
        (create(json!({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "x"}]})), "invalid_value"),
        (create(json!({"type": "message", "role": "user", "text": "x"})), "unknown_parameter"),
        (create(json!({"type": "function_call_output", "call_id": "c", "output": {}})), "invalid_value"),
        (truncate("item_none", 5), "item_not_found"),
    ] {
        client.send(message.clone()).await;
        let events = client.until("error").await;
        assert_eq!(events.last().expect("one")["error"]["code"], code, "{message}");
    }
    client.send(update()).await;
    client.until("session.updated").await;
    let greeting = client.respond("Greet.").await;
    let item =
        greeting[place(&greeting, "conversation.item.added").expect("added")]["item"]["id"].as_str().expect("an id").to_owned();
    client.send(truncate(&item, 100_000)).await;
    assert_eq!(client.until("error").await.last().expect("one")["error"]["code"], "invalid_value");
    client.send(truncate(&item, 200)).await;
    client.until("conversation.item.truncated").await;
    client.send(truncate(&item, 201)).await;
    client.until("error").await;
}

#[tokio::test]
async fn one_response_at_a_time() {
    let fake = fake(Converse { pace: Pace::Every(Duration::from_millis(200)), ..script() }).await;
    let mut client = Client::set_up(&fake).await;
    client.send(json!({"type": "response.create"})).await;
    client.until("response.output_audio.delta").await;
    client.send(json!({"type": "response.create", "event_id": "second"})).await;
    let refused = client.until("error").await;
    let error = &refused.last().expect("one")["error"];
    assert_eq!(
        (error["code"].as_str(), error["event_id"].as_str()),
        (Some("conversation_already_has_active_response"), Some("second"))
    );
}

#[tokio::test]
async fn a_new_session_goes_on_where_its_items_say() {
    let fake = fake(script()).await;
    let mut client = Client::set_up(&fake).await;
    let message = |role: &str, kind: &str, text: &str| {
        json!({"type": "conversation.item.create",
        "item": {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}})
    };
    client.send(message("assistant", "output_text", "Hello, who is there?")).await;
    client.send(message("user", "input_text", Line::Maria1.words())).await;
    let events = client.respond("").await;
    assert_eq!(deltas(&events, "response.output_audio_transcript.delta"), "And what is it about, Maria?");
    client.send(message("system", "input_text", "(Ask whether they are still there.)")).await;
    assert_eq!(deltas(&client.respond("").await, "response.output_audio_transcript.delta"), "Are you there?");
}

#[tokio::test]
async fn faults_happen_on_cue() {
    let fake = fake(script()).await;
    let done = |events: &[Value]| events.last().expect("one")["response"]["status"].as_str().unwrap_or_default().to_owned();
    for (act, status) in [
        (Act::Empty, "completed"),
        (Act::fail("server_error", ""), "failed"),
        (Act::fail("tokens", "rate_limit_exceeded"), "failed"),
        (Act::Incomplete("max_output_tokens".into()), "incomplete"),
    ] {
        fake.fault_once(Fault::new(Moment::Response, act));
        let mut client = Client::set_up(&fake).await;
        assert_eq!(done(&client.respond("Greet.").await), status);
        assert_eq!(done(&client.respond("Greet.").await), "completed", "once");
    }
    for (act, kind) in [
        (Act::close(1011, "internal error"), "close"),
        (Act::Expire, "error"),
        (Act::Raw("{\"type\":\"response.smell\"}".into()), "response.smell"),
        (Act::Junk(vec![1, 2]), "binary"),
        (Act::error("server_error", ""), "error"),
    ] {
        fake.fault_once(Fault::new(Moment::Answer, act));
        let mut client = Client::set_up(&fake).await;
        client.send(json!({"type": "response.create"})).await;
        client.until(kind).await;
    }
    fake.fault_once(Fault::new(Moment::Upgrade, Act::refuse(503, "overloaded")));
    assert_eq!(refused(&fake, "/v1/realtime?model=gpt-realtime-2.1", &[("authorization", "Bearer sk-lab")]).await, Some(503));
}

#[tokio::test]
async fn who_speaks_before_the_session_is_updated_is_caught() {
    let fake = fake(script()).await;
    let mut client = Client::open(&fake).await;
    client.send(update()).await;
    client.say(Line::Hmm).await;
    client.until("session.updated").await;
    assert!(fake.latest().expect("a session").look(|log| log.misread > 0));
}
