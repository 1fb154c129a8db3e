//! Wrong clients are caught.

use super::client::PATH;
use super::*;

#[tokio::test]
async fn keys_paths_and_the_first_message_are_looked_at() {
    let options = FakeGeminiOptions { wrong_key_is_http: true, ..FakeGeminiOptions::default() };
    let fake = FakeGemini::start(options).await.expect("a free port");
    assert_eq!(Client::upgrade(&fake, PATH, Some("wrong")).await.err(), Some(403));
    assert_eq!(Client::upgrade(&fake, PATH, None).await.err(), Some(403));
    assert_eq!(Client::upgrade(&fake, "/elsewhere", Some("lab-key")).await.err(), Some(404));
    assert!(Client::upgrade(&fake, &format!("{PATH}?key=lab-key"), None).await.is_ok());
    let last = fake.latest().expect("a session");
    assert!(last.look(|log| log.key_in_query && log.path == PATH && !format!("{log:?}").contains("lab-key")));
    assert_eq!(fake.connections(), 4);
    fake.stop().await;
}

/// Sends the setup with `part` at `pointer`, then `messages`; the fake closes with that code and a reason that has `wanted` in it.
async fn check(pointer: &str, part: Value, messages: &[Value], code: u16, wanted: &str) {
    let fake = fake(Script::Silent).await;
    let mut setup = setup();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    setup.pointer_mut(parent).expect("a parent")[name] = part;
    let mut client = Client::connect(&fake).await;
    client.send(setup).await;
    if !messages.is_empty() {
        client.until("/setupComplete").await;
    }
    for message in messages {
        client.send(message.clone()).await;
    }
    let end = client.end().await;
    let Event::Closed(closed, reason) = &end else { panic!("{end:?} instead of {wanted}") };
    assert!(*closed == code && reason.contains(wanted), "{end:?} instead of {code} {wanted}");
    let record = fake.latest().and_then(|session| session.look(|log| log.closed.clone())).expect("closed");
    assert_eq!((record.by, record.code, &record.reason), (Side::Fake, Some(code), reason));
    fake.stop().await;
}

#[tokio::test]
async fn setups_that_the_model_does_not_understand_are_refused() {
    check("/setup/model", json!("models/gemini-9"), &[], 1008, "models/gemini-9 is not found for API version v1beta").await;
    check("/setup/generationConfig/thinkingConfig", json!({"thinkingBudget": 0}), &[], 1007, "thinkingConfig").await;
    check("/setup/proactivity", json!({"proactiveAudio": true}), &[], 1007, "\"proactivity\" at 'setup'").await;
    check("/setup/instructions", json!("hi"), &[], 1007, "\"instructions\" at 'setup'").await;
    check("/realtimeInput", json!({"text": "hi"}), &[], 1007, "already set").await;
    check("/setup/sessionResumption", json!({"handle": "old"}), &[], 1007, "handle").await;
}

#[tokio::test]
async fn messages_that_make_no_sense_end_the_session() {
    let (nowhere, none) = ("/setup/labels", json!({}));
    let pcm = |data: &str| json!({"mimeType": "audio/pcm;rate=16000", "data": data});
    let cases = [
        (json!({"realtimeInput": {"mediaChunks": [pcm("AAAA")]}}), "media_chunks is deprecated"),
        (json!({"realtimeInput": {"activityStart": {}}}), "Explicit activity control is not supported"),
        (json!({"realtimeInput": {"audio": pcm("AAAA"), "text": "hi"}}), "exactly one"),
        (json!({"realtimeInput": {"audio": pcm("AA")}}), "half a sample"),
        (json!({"realtimeInput": {"audio": pcm("A*")}}), "Base64"),
        (json!({"realtimeInput": {"audio": {"mimeType": "audio/ulaw", "data": ""}}}), "audio/ulaw"),
        (json!({"realtimeInput": {"audio": {"mime": "audio/pcm", "data": ""}}}), "\"mime\" at 'realtimeInput.audio'"),
        (json!({"realtimeInput": {"text": "a"}, "toolResponse": {}}), "already set"),
        (json!({"clientContent": {"turns": [{"role": "assistant", "parts": []}]}}), "assistant"),
        (json!({"toolResponse": {"functionResponses": [{"id": "x", "name": "y", "response": {}}]}}), "no open call"),
        (setup(), "second time"),
    ];
    for (message, wanted) in cases {
        check(nowhere, none.clone(), &[message], 1007, wanted).await;
    }
    let seeded = json!({"initialHistoryInClientContent": true});
    check("/setup/historyConfig", seeded, &[json!({"realtimeInput": {"text": "hi"}})], 1007, "initial history").await;
    let detection = "/setup/realtimeInputConfig/automaticActivityDetection";
    check(detection, json!({"disabled": true}), &[json!({"realtimeInput": {"audioStreamEnd": true}})], 1007, "audioStreamEnd")
        .await;
    check("/setup/model", json!("models/gemini-3.1-flash-live-preview"), &[json!({"contextUpdate": {}})], 1007, "contextUpdate")
        .await;
}

#[tokio::test]
async fn a_wrong_key_may_be_refused_after_the_upgrade() {
    let fake = fake(Script::Silent).await;
    let mut client = Client::upgrade(&fake, PATH, Some("wrong")).await.expect("upgraded");
    client.send(setup()).await;
    assert_eq!(client.end().await, Event::Closed(1007, "API key not valid. Please pass a valid API key.".to_owned()));
    fake.stop().await;
}

#[tokio::test]
async fn nothing_may_be_sent_before_setup_is_complete() {
    let options = FakeGeminiOptions { setup_time: Duration::from_secs(5), ..FakeGeminiOptions::default() };
    let fake = FakeGemini::start(options).await.expect("a free port");
    for first in [setup(), json!({"realtimeInput": {"text": "hi"}})] {
        let mut client = Client::connect(&fake).await;
        client.send(first).await;
        client.text("too early").await;
        let end = client.end().await;
        assert!(matches!(&end, Event::Closed(1007, reason) if reason.contains("realtimeInput")), "{end:?}");
    }
    fake.stop().await;
}
