//! What happens once a session is there.

use crate::service::{AUDIO, Caller, audio, pair, samples};
use base64_simd::STANDARD;
use callie_ai::{EngineEvent, Prompt};
use futures::SinkExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake},
};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_whole_call() {
    let (mut caller, mut peer) = pair().await;
    caller.session.start();
    let greeting = caller.idle_until(peer.next()).await;
    assert!(greeting["realtimeInput"]["text"].as_str().is_some_and(|text| text.contains("Hello, this is Alice.")));

    // Several fields in one message, in a text frame this time.
    let message = AUDIO.replacen('{', r#"{"outputTranscription":{"text":"Hello"},"#, 1);
    let message = format!(r#"{{"serverContent":{message},"usageMetadata":{{"totalTokenCount":7}}}}"#);
    peer.socket.send(Message::text(message)).await.expect("sends");
    peer.content(r#"{"turnComplete": true}"#).await;
    let events = caller.events(4).await;
    assert!(matches!(events[0], EngineEvent::Usage(usage) if usage.total_tokens == 7), "{events:?}");
    assert_eq!(events[1..], [audio(), EngineEvent::Said("Hello".into()), EngineEvent::TurnComplete]);

    peer.content(r#"{"inputTranscription": {"text": "Bye"}}"#).await;
    peer.send(r#"{"toolCall":{"functionCalls":[{"id":"f-1","name":"end_call","args":{"reason":"done"}}]}}"#).await;
    assert_eq!(caller.event().await, EngineEvent::Heard("Bye".into()));
    assert!(matches!(caller.event().await, EngineEvent::ToolUsed(tool) if tool.name == "end_call"));
    let answer = caller.idle_until(peer.next()).await;
    assert_eq!(answer["toolResponse"]["functionResponses"][0]["id"], "f-1");
    peer.content(AUDIO).await;
    peer.content(r#"{"turnComplete": true}"#).await;
    assert_eq!(caller.events(3).await, [audio(), EngineEvent::TurnComplete, EngineEvent::Goodbye]);
    drop(caller);
    peer.gone().await;
}

#[tokio::test]
async fn caller_audio_goes_up_as_it_is_spoken() {
    let (mut caller, mut peer) = pair().await;
    for frame in 0..5_i16 {
        caller.session.hear(&[frame; 320]);
    }
    for pair in [[0, 1], [2, 3]] {
        let message = caller.idle_until(peer.next()).await;
        assert_eq!(samples(&message), [[pair[0]; 320], [pair[1]; 320]].concat());
    }
    caller.session.dtmf('#');
    let message = caller.idle_until(peer.next()).await;
    assert_eq!(message["realtimeInput"]["text"], "(The caller pressed #.)");
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn whoever_waits_for_events_is_woken_when_there_is_something_to_send() {
    type Act = fn(&mut Caller);
    let acts: [(Act, bool); 5] = [
        (|caller| caller.session.hear(&[7; 320]), false),
        (|caller| caller.session.hear(&[7; 320]), true),
        (|caller| caller.session.start(), true),
        (|caller| caller.session.dtmf('1'), true),
        (|caller| caller.session.prompt(Prompt::StillThere), true),
    ];
    let (mut caller, _peer) = pair().await;
    for (i, (act, wakes)) in acts.into_iter().enumerate() {
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        assert!(caller.session.poll_event(&mut Context::from_waker(&waker)).is_pending());
        woken.0.store(false, Ordering::Relaxed);
        act(&mut caller);
        assert_eq!(woken.0.load(Ordering::Relaxed), wakes, "act {i}");
    }
}

#[tokio::test]
async fn an_interruption_overtakes_nothing_and_is_overtaken_by_nothing() {
    let (mut caller, mut peer) = pair().await;
    peer.content(AUDIO).await;
    peer.content(r#"{"interrupted": true}"#).await;
    for _ in 0..50 {
        peer.content(AUDIO).await;
    }
    peer.content(r#"{"turnComplete": true}"#).await;
    peer.content(r#"{"outputTranscription": {"text": "Yes?"}}"#).await;
    let said = EngineEvent::Said("Yes?".into());
    assert_eq!(caller.events(3).await, [audio(), EngineEvent::Interrupted, said]);
}

#[tokio::test]
async fn a_minute_of_audio_in_one_message_is_taken() {
    let (mut caller, mut peer) = pair().await;
    let minute = STANDARD.encode_to_string(vec![1_u8; 60 * 48_000]);
    let content = AUDIO.replace("QB/A4A==", &minute);
    let (event, ()) = tokio::join!(caller.event(), peer.content(&content));
    assert!(matches!(event, EngineEvent::Audio(samples) if samples.len() == 60 * 24_000));
}

#[tokio::test]
async fn junk_is_survived() {
    let (mut caller, mut peer) = pair().await;
    for junk in ["", "{", "[]", "nonsense", "{\"serverContent\": 7}", "{\"new\": {}}"] {
        peer.send(junk).await;
    }
    peer.socket.send(Message::Ping("hi".into())).await.expect("sends");
    peer.content(AUDIO).await;
    let mut notices = 0;
    loop {
        match caller.event().await {
            EngineEvent::Notice(_) => notices += 1,
            event => break assert_eq!(event, audio()),
        }
    }
    assert_eq!(notices, 2, "one for each kind of junk");
}

#[tokio::test]
async fn a_service_that_does_not_read_costs_the_oldest_audio_only() {
    let (mut caller, mut peer) = pair().await;
    let mut notices = 0;
    // Far more than the kernel's buffers hold: two minutes.
    for frame in 0..6_000_u32 {
        caller.session.hear(&[(frame / 2) as i16; 320]);
        if let std::task::Poll::Ready(event) = futures::poll!(std::pin::pin!(caller.event())) {
            assert!(matches!(event, EngineEvent::Notice(_)), "{event:?}");
            notices += 1;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(notices, 1);
    let mut heard = Vec::new();
    while heard.last() != Some(&2_999) {
        heard.push(samples(&caller.idle_until(peer.next()).await)[0]);
    }
    assert!(heard.is_sorted(), "in order");
    assert!(heard.len() < 2_500, "the rest was dropped: {}", heard.len());
    // The newest two seconds, 50 messages, are all there.
    assert_eq!(heard[heard.len() - 50..], (2_950..3_000).collect::<Vec<i16>>());
}
