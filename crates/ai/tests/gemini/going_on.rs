//! Sessions that end, over real sockets: another takes over, or the end has its cause. The times and decisions are tested where
//! time can jump (`gemini::talk`); here it is seen that the sockets follow them.

use crate::service::{AUDIO, Caller, Peer, Service, audio, open, options, samples};
use callie_ai::{Brief, Engine, EngineCause, EngineEvent, GeminiEngine, GeminiOptions};
use futures::SinkExt;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// Greeted, with a handle that knows of it.
async fn talking(service: &Service) -> (Caller, Peer) {
    let (mut caller, mut peer) = service.pair().await;
    caller.session.start();
    caller.idle_until(peer.next()).await;
    peer.content(AUDIO).await;
    peer.content(r#"{"turnComplete": true}"#).await;
    peer.send(r#"{"sessionResumptionUpdate": {"newHandle": "h-1", "resumable": true}}"#).await;
    assert_eq!(caller.event().await, audio());
    assert_eq!(caller.event().await, EngineEvent::TurnComplete);
    caller.session.playout_drained();
    (caller, peer)
}

/// What the service does to the first session, and why the second was opened.
async fn check_mended(what: &str, act: impl AsyncFnOnce(&mut Peer), reason: &str) {
    let service = Service::listen().await;
    let (mut caller, mut peer) = talking(&service).await;
    let serve = async {
        act(&mut peer).await;
        drop(peer);
        service.session().await
    };
    let (event, mut peer) = tokio::join!(caller.telling_event(), serve);
    match event {
        EngineEvent::SessionChanged { reason: told, resumed: true } => assert!(told.contains(reason), "{what}: {told}"),
        other => panic!("{what}: {other:?}"),
    }
    assert_eq!(peer.setup["sessionResumption"], json!({"handle": "h-1"}), "{what}");
    peer.content(AUDIO).await;
    assert_eq!(caller.event().await, audio(), "{what}: and on it goes");
}

#[tokio::test]
async fn what_breaks_is_mended() {
    for (code, reason) in [(1000, ""), (1001, "going away"), (1011, "Internal error encountered."), (1011, "Deadline expired")] {
        check_mended(reason, async |peer| peer.close(code, reason).await, &format!("closed with {code}")).await;
    }
    check_mended("torn off", async |_| {}, "connection_lost").await;
    check_mended(
        "too large a message",
        async |peer| {
            let large = format!(r#"{{"x":"{}"}}"#, "y".repeat(11 << 20));
            // It is refused before it has been sent to its end.
            let _ = peer.socket.send(Message::binary(large.into_bytes())).await;
        },
        "service_failed",
    )
    .await;
    check_mended(
        "text that is none",
        async |peer| {
            use tokio::io::AsyncWriteExt;
            peer.socket.get_mut().write_all(&[0x81, 2, 0xff, 0xfe]).await.expect("writes");
        },
        "service_failed",
    )
    .await;
}

/// What the service does, and the cause the call's record gets.
async fn check_end(code: u16, reason: &str, cause: EngineCause) {
    let service = Service::listen().await;
    let (mut caller, mut peer) = talking(&service).await;
    peer.content(AUDIO).await;
    let ((error, before), ()) = tokio::join!(caller.failure(), peer.close(code, reason));
    assert_eq!(error.cause, cause, "{error}");
    assert!(error.detail.contains(reason), "{error}");
    assert_eq!(before.first(), Some(&audio()), "{reason}: what came before the end is not lost");
    let after = futures::poll!(std::pin::pin!(caller.event()));
    assert!(after.is_pending(), "{reason}: nothing comes after the end");
    caller.session.hear(&[1; 640]);
    caller.session.start();
}

#[tokio::test]
async fn what_cannot_be_mended_has_its_cause() {
    use EngineCause::*;
    check_end(1007, "Request contains an invalid argument.", SetupRefused).await;
    check_end(1007, "API key expired.", KeyRefused).await;
    check_end(1008, "models/m is not found", ModelUnknown).await;
    check_end(1011, "You exceeded your current quota", QuotaExceeded).await;
}

#[tokio::test]
async fn what_is_said_while_there_is_no_session_reaches_the_next() {
    let service = Service::listen().await;
    let (mut caller, mut peer) = talking(&service).await;
    let serve = async {
        peer.close(1011, "Internal error encountered.").await;
        service.accept().await
    };
    // It is set up no sooner than the caller has spoken.
    let mut peer = caller.idle_until(serve).await;
    (0..10_i16).for_each(|frame| caller.session.hear(&[1_000 + frame; 320]));
    caller.idle_until(peer.next()).await;
    peer.send(r#"{"setupComplete": {}}"#).await;
    assert!(matches!(caller.telling_event().await, EngineEvent::SessionChanged { .. }));
    let mut heard = Vec::new();
    while heard.len() < 10 * 320 {
        heard.extend(samples(&caller.idle_until(peer.next()).await));
    }
    assert_eq!(heard, (0..10_i16).flat_map(|frame| [1_000 + frame; 320]).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_announced_end_is_met_by_a_second_session_beside_the_first() {
    let service = Service::listen().await;
    let (mut caller, mut first) = talking(&service).await;
    let serve = async {
        first.send(r#"{"goAway": {"timeLeft": "50s"}}"#).await;
        service.session().await
    };
    let (event, mut second) = tokio::join!(caller.telling_event(), serve);
    assert!(matches!(&event, EngineEvent::SessionChanged { resumed: true, reason } if reason.contains("announced")), "{event:?}");
    assert_eq!(second.setup["sessionResumption"], json!({"handle": "h-1"}));
    // The first is hung up on, and the caller is heard in the second.
    caller.idle_until(first.gone()).await;
    (0..2).for_each(|_| caller.session.hear(&[7; 320]));
    assert_eq!(samples(&caller.idle_until(second.next()).await), [7; 640]);
    drop(caller);
    second.gone().await;
}

#[tokio::test]
async fn whoever_hangs_up_leaves_no_session_behind() {
    let service = Service::listen().await;
    let (mut caller, mut first) = talking(&service).await;
    // The caller speaks, so the second session waits.
    caller.session.hear(&[3_000; 320]);
    first.send(r#"{"goAway": {"timeLeft": "50s"}}"#).await;
    let event = caller.event().await;
    assert!(matches!(event, EngineEvent::Notice(_)), "{event:?}");
    let mut second = caller.idle_until(service.session()).await;
    caller.idle_until(second.is_read()).await;
    drop(caller);
    first.gone().await;
    second.gone().await;
}

/// The clock stands still and jumps whenever everybody waits.
#[tokio::test(start_paused = true)]
async fn a_mute_service_is_asked_twice_and_in_another_session_and_given_up() {
    let service = Service::listen().await;
    let patient = GeminiOptions { connect_timeout: Duration::from_secs(60), ..options(&service.url()) };
    let (caller, mut peer) = tokio::join!(open(patient), service.session());
    let mut caller = caller.expect("opens");
    let start = tokio::time::Instant::now();
    caller.session.start();
    assert!(matches!(caller.event().await, EngineEvent::Notice(_)));
    assert_eq!(start.elapsed().as_secs(), 3);
    let (event, mut second) = tokio::join!(caller.event(), service.session());
    assert!(matches!(event, EngineEvent::SessionChanged { resumed: false, .. }), "{event:?}");
    let (error, _) = caller.failure().await;
    assert_eq!(error.cause, EngineCause::Stalled);
    for peer in [&mut peer, &mut second] {
        assert!(peer.next().await["realtimeInput"]["text"].is_string());
    }
}

#[tokio::test]
async fn a_check_opens_a_session_and_hangs_up() {
    let service = Service::listen().await;
    let engine = GeminiEngine::new(options(&service.url())).expect("right");
    let brief = Brief { model: Some("gemini-3.1-flash-live-preview".into()), ..crate::service::brief() };
    assert_eq!(engine.model(&brief).as_deref(), Some("gemini-3.1-flash-live-preview"));
    let serve = async {
        let mut peer = service.session().await;
        assert_eq!(peer.setup["model"], "models/gemini-3.1-flash-live-preview");
        peer.gone().await;
    };
    let (checked, ()) = tokio::join!(engine.check(brief), serve);
    assert_eq!(checked, Ok(()));

    let serve = async {
        let mut peer = service.accept().await;
        peer.next().await;
        peer.close(1007, "API key not valid. Please pass a valid API key.").await;
    };
    let (checked, ()) = tokio::join!(engine.check(crate::service::brief()), serve);
    assert_eq!(checked.expect_err("refused").cause, EngineCause::KeyRefused);
}

/// Another engine has failed in mid-call.
#[tokio::test]
async fn who_takes_over_knows_what_was_said() {
    let said = |by_agent, text: &str| callie_ai::Utterance { by_agent, text: text.into() };
    let brief = Brief {
        greeting: "I am back.".into(),
        history: vec![said(true, "Hello, this is Alice."), said(false, "A table, please.")],
        ..crate::service::brief()
    };
    let service = Service::listen().await;
    let engine = GeminiEngine::new(options(&service.url())).expect("right");
    let (session, mut peer) = tokio::join!(engine.open(brief.clone()), service.session());
    let mut caller = Caller { session: session.expect("opens") };
    assert_eq!(peer.setup["historyConfig"], json!({"initialHistoryInClientContent": true}));
    caller.session.start();
    let history = caller.idle_until(peer.next()).await;
    assert_eq!(history["clientContent"]["turns"][2]["parts"][0]["text"], "A table, please.");
    assert_eq!(history["clientContent"]["turnComplete"], true);
    let bridge = caller.idle_until(peer.next()).await;
    assert!(
        bridge["realtimeInput"]["text"].as_str().is_some_and(|text| text.contains("Do not greet") && text.contains("I am back."))
    );

    // A service that knows no history is told in the instruction.
    let serve = async {
        let mut peer = service.accept().await;
        peer.next().await;
        peer.close(1007, "Invalid JSON payload received. Unknown name \"historyConfig\" at 'setup'").await;
        service.session().await
    };
    let (session, peer) = tokio::join!(engine.open(brief), serve);
    assert!(session.is_ok());
    let instruction = peer.setup["systemInstruction"]["parts"][0]["text"].as_str().expect("text");
    assert!(instruction.contains("A table, please.") && peer.setup.get("historyConfig").is_none());
}
