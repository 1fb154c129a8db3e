//! What happens once a session is there.

use crate::service::{Caller, Peer, Service, open, options, pair};
use base64_simd::STANDARD;
use callie_ai::{EngineCause, EngineEvent, GeminiOptions, Prompt};
use futures::SinkExt;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake},
    time::Duration,
};
use tokio_tungstenite::tungstenite::Message;

const AUDIO: &str = r#"{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AQACAA=="}}]}}"#;

fn audio() -> EngineEvent {
    EngineEvent::Audio(vec![1, 2])
}

/// The samples of a message of caller audio.
fn samples(message: &Value) -> Vec<i16> {
    let audio = &message["realtimeInput"]["audio"];
    assert_eq!(audio["mimeType"], "audio/pcm;rate=16000", "{message}");
    let bytes = STANDARD.decode_to_vec(audio["data"].as_str().expect("data")).expect("base64");
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

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

/// What the service does, and the cause the call's record gets.
async fn check_end(what: &str, act: impl AsyncFnOnce(&mut Peer), cause: EngineCause, detail: &str) {
    let (mut caller, mut peer) = pair().await;
    peer.content(AUDIO).await;
    let acts = async move {
        act(&mut peer).await;
        drop(peer);
    };
    let ((error, before), ()) = tokio::join!(caller.failure(), acts);
    assert_eq!(error.cause, cause, "{what}: {error}");
    assert!(error.detail.contains(detail), "{what}: {error}");
    assert_eq!(before.first(), Some(&audio()), "{what}: what came before the end is not lost");
    let after = futures::poll!(std::pin::pin!(caller.event()));
    assert!(after.is_pending(), "{what}: nothing comes after the end");
    caller.session.hear(&[1; 640]);
    caller.session.start();
}

#[tokio::test]
async fn each_way_to_end_has_its_cause() {
    use EngineCause::*;
    for (code, reason, cause) in [
        (1000, "", ConnectionLost),
        (1001, "going away", SessionExpired),
        (1007, "Request contains an invalid argument.", SetupRefused),
        (1007, "API key expired.", KeyRefused),
        (1008, "Operation is not implemented, or supported, or enabled.", ServiceFailed),
        (1008, "models/m is not found", ModelUnknown),
        (1011, "Internal error encountered.", ServiceFailed),
        (1011, "Deadline expired before operation could complete.", SessionExpired),
        (1011, "You exceeded your current quota", QuotaExceeded),
    ] {
        check_end(&format!("{code} {reason}"), async |peer| peer.close(code, reason).await, cause, reason).await;
    }
    check_end(
        "announced",
        async |peer| {
            peer.send(r#"{"goAway": {"timeLeft": "1s"}}"#).await;
            peer.close(1011, "").await;
        },
        SessionExpired,
        "1011",
    )
    .await;
    check_end("torn off", async |_| {}, ConnectionLost, "").await;
    check_end(
        "too large a message",
        async |peer| {
            let large = format!(r#"{{"x":"{}"}}"#, "y".repeat(11 << 20));
            // It is refused before it has been sent to its end.
            let _ = peer.socket.send(Message::binary(large.into_bytes())).await;
        },
        ServiceFailed,
        "",
    )
    .await;
    check_end(
        "text that is none",
        async |peer| {
            use tokio::io::AsyncWriteExt;
            peer.socket.get_mut().write_all(&[0x81, 2, 0xff, 0xfe]).await.expect("writes");
        },
        ServiceFailed,
        "",
    )
    .await;
}

#[tokio::test]
async fn a_minute_of_audio_in_one_message_is_taken() {
    let (mut caller, mut peer) = pair().await;
    let minute = STANDARD.encode_to_string(vec![1_u8; 60 * 48_000]);
    let content = AUDIO.replace("AQACAA==", &minute);
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

/// The clock stands still and jumps whenever everybody waits.
#[tokio::test(start_paused = true)]
async fn a_mute_service_is_asked_twice_and_given_up() {
    let service = Service::listen().await;
    let (caller, mut peer) = tokio::join!(
        open(GeminiOptions { connect_timeout: Duration::from_secs(60), ..options(&service.url()) }),
        service.session()
    );
    let mut caller = caller.expect("opens");
    let start = tokio::time::Instant::now();
    caller.session.start();
    assert!(matches!(caller.event().await, EngineEvent::Notice(_)));
    assert_eq!(start.elapsed().as_secs(), 3);
    let (error, _) = caller.failure().await;
    assert_eq!((error.cause, start.elapsed().as_secs()), (EngineCause::Stalled, 9));
    assert!(peer.next().await["realtimeInput"]["text"].is_string());
    assert!(peer.next().await["realtimeInput"]["text"].is_string());
}
