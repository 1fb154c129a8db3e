//! The engine at its seam, without the recogniser's weights.

use super::*;
use crate::{Brief, Engine, EngineEvent};
use std::{
    future::poll_fn,
    task::{Context, Poll},
};

pub fn brief() -> Brief {
    Brief {
        greeting: "Hello there. How can I help?".into(),
        display_name: "Alice".into(),
        instructions: None,
        model: None,
        voice: None,
        language: None,
        remote_party: "bob".into(),
        outbound: false,
        transfer_targets: Vec::new(),
        tools: crate::tools::Toolbox::default(),
        temperature: None,
        history: Vec::new(),
    }
}

/// Runs an announcement with an ideal playout until it says goodbye; `speech` tells by frame whether the caller speaks.
async fn converse(greeting: &str, speech: impl Fn(usize) -> bool) -> (Vec<String>, usize) {
    let engine = LocalEngine::start(LocalOptions::default()).expect("built in");
    let mut session = engine.open(Brief { greeting: greeting.into(), ..brief() }).await.expect("opens");
    session.start();
    let (mut said, mut samples) = (Vec::new(), 0);
    for frame in 0.. {
        loop {
            let event = poll_fn(|cx: &mut Context<'_>| match session.poll_event(cx) {
                Poll::Ready(event) => Poll::Ready(Some(event)),
                Poll::Pending => Poll::Ready(None),
            });
            match event.await {
                Some(EngineEvent::Said(text)) => said.push(text),
                Some(EngineEvent::Audio(audio)) => samples += audio.len(),
                Some(EngineEvent::Goodbye) => return (said, samples),
                Some(EngineEvent::TurnComplete) => {}
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        session.playout_drained();
        let level = if speech(frame) { 5_000 } else { 0 };
        session.hear(&(0..160).map(|i| if i % 8 < 4 { level } else { -level }).collect::<Vec<i16>>());
        tokio::task::yield_now().await;
    }
    unreachable!("the loop has no end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_greets_takes_a_message_and_says_goodbye() {
    // The caller speaks every other 2 s until the session ends: what matters is the order of what is said.
    let (said, samples) = converse("Hello there. How can I help?", |frame| frame % 400 > 200).await;
    assert_eq!(said[..2], ["Hello there.", "How can I help?"]);
    assert_eq!(said[2], "Please leave your message after the tone.");
    assert_eq!(said.last().map(String::as_str), Some("Goodbye."));
    assert!(samples > 5 * SAMPLE_RATE as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wordless_greeting_does_not_stall_the_call() {
    let (said, _) = converse("…", |_| false).await;
    assert_eq!(said[0], "Please leave your message after the tone.");
}

#[test]
fn an_engine_without_weights_says_why_it_does_not_listen() {
    for (models_dir, want) in [(None, "no folder"), (Some("nowhere".into()), "scripts/models.sh")] {
        let engine = LocalEngine::start(LocalOptions { models_dir, ..LocalOptions::default() }).expect("built in");
        let limitation = engine.limitation().expect("limited");
        assert!(limitation.contains(want), "{limitation}");
        assert!(!engine.capabilities().listens && engine.describe().contains("announces"));
    }
}

#[test]
fn an_engine_with_weights_listens() {
    let Some(folder) = lines::models_folder() else { return };
    let engine = LocalEngine::start(LocalOptions { models_dir: Some(folder), ..LocalOptions::default() }).expect("built in");
    assert_eq!(engine.limitation(), None);
    assert_eq!(engine.describe(), "offline engine: flite kal voice, moonshine tiny, built-in receptionist");
    let capabilities = engine.capabilities();
    assert!(capabilities.listens && capabilities.detects_interruption && capabilities.input_rate == 16_000);
}
