//! Real speech through the telephone's codec and back; skipped, and says so, where the weights are not installed.

use super::*;
use crate::local::lines::{heard, weights};
use callie_lab::samples::Line;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_telephone_caller_is_understood() {
    let Some(weights) = weights() else { return };
    let transcriber = Transcriber::start(&weights).expect("the weights load");
    for (line, key_words) in [
        // Names are its weak side: Maria comes back as Marita.
        (Line::Maria1, &["this is", "lopez"][..]),
        (Line::Maria2, &["calling about", "invoice", "tuesday", "wrong address"]),
        (Line::Maria3, &["yes", "thank you", "goodbye"]),
        (Line::Tom1, &["tom baker", "book a table", "four people"]),
        (Line::Tom2, &["thirty", "please"]),
        (Line::Tom3, &["no", "make it eight", "instead"]),
        (Line::Number, &["phone number"]),
        (Line::Human, &["speak to a human"]),
        (Line::Long, &["heating", "apartment", "neighbours", "call me back", "as soon as possible"]),
    ] {
        let samples = heard(line);
        let text = transcriber.transcribe(samples, true).expect("queued").await.expect("answered");
        let text = plain(&text);
        for words in key_words {
            assert!(text.contains(words), "{line:?}: {words:?} is not in {text:?}");
        }
    }
}

/// Lower case, British spelling and numbers as words: what the model is free to write either way.
fn plain(text: &str) -> String {
    let mut plain = text.to_lowercase().replace("neighbors", "neighbours");
    for (digits, word) in [("30", "thirty"), ("8", "eight"), ("4 ", "four ")] {
        plain = plain.replace(digits, word);
    }
    plain
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn strange_audio_is_survived() {
    let Some(weights) = weights() else { return };
    let transcriber = Transcriber::start(&weights).expect("the weights load");
    for (samples, speech) in [(vec![], true), (vec![0; 1], false), (vec![0; 16_000], false), (vec![i16::MIN; 8_000], true)] {
        let text = transcriber.transcribe(samples, speech).expect("queued").await.expect("answered");
        assert!(text.len() < 100, "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_queue_refuses_and_abandoned_work_is_dropped() {
    let Some(weights) = weights() else { return };
    let transcriber = Transcriber::start(&weights).expect("the weights load");
    let long = heard(Line::Long);
    let abandoned: Vec<_> = (0..100).map(|_| transcriber.transcribe(long.clone(), true)).collect();
    assert!(abandoned.iter().filter(|queued| queued.is_err()).count() >= 30, "the queue has a bound");
    drop(abandoned);
    let began = std::time::Instant::now();
    let text = loop {
        match transcriber.transcribe(heard(Line::Tom2), true) {
            Ok(transcription) => break transcription.await.expect("answered"),
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(text.to_lowercase().contains("seven") || text.contains('7'), "{text}");
    assert!(began.elapsed().as_secs() < 10, "the abandoned ones were not computed to the end");
}
