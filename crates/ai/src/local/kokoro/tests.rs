//! The voice itself; skipped, and says so, where `scripts/models.sh kokoro` has not been.

use super::{super::lines::models_folder, super::recogniser::Transcriber, *};
use crate::local::Synthesiser;
use callie_media::{codec::G711, resample::Up8To16};
use rten::{RunError, ThreadPool};
use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The recogniser's folder too: these tests want to hear what is said.
pub fn weights() -> Option<(PathBuf, KokoroWeights)> {
    let folder = models_folder()?;
    match KokoroWeights::find(&folder) {
        Ok(weights) => Some((folder, weights)),
        Err(error) => {
            // Past the test harness, which would swallow it.
            let _ = writeln!(std::io::stderr(), "skipped: {error}");
            None
        }
    }
}

pub fn fast(_: &Kokoro, _: &Arc<ThreadPool>) -> Result<Speed, RunError> {
    Ok(Speed { computed: Duration::from_millis(800), spoken: Duration::from_secs(2) })
}

fn slow(_: &Kokoro, _: &Arc<ThreadPool>) -> Result<Speed, RunError> {
    Ok(Speed { computed: Duration::from_millis(3_000), spoken: Duration::from_secs(2) })
}

fn flite() -> Synthesiser {
    Synthesiser::start().expect("built in")
}

/// As the ears get it from a telephone.
fn heard(narrow: &[i16]) -> Vec<i16> {
    let mut codes = vec![0; narrow.len()];
    G711::Pcmu.encode_i16(narrow, &mut codes);
    let mut decoded = vec![0.0; codes.len()];
    G711::Pcmu.decode(&codes, &mut decoded);
    let mut wide = vec![0.0; decoded.len() * 2];
    Up8To16::new().process(&decoded, &mut wide);
    wide.into_iter().map(|s| s as i16).collect()
}

async fn say(studio: &Studio, text: &str, keep: bool) -> Vec<i16> {
    let (reply, mut spoken) = mpsc::channel(1);
    let sentence = Sentence { text: text.into(), voice: DEFAULT_VOICE.into(), keep, reply: Some(reply) };
    studio.speak(sentence).expect("there is room");
    spoken.recv().await.expect("spoken")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_it_says_is_understood() {
    let Some((folder, weights)) = weights() else { return };
    let studio = Studio::start_with(weights, Choice::Auto, None, flite(), fast);
    studio.settled().await;
    assert!(matches!(studio.standing(), Standing::Speaks { .. }), "{:?}", studio.standing());
    let recogniser = Transcriber::start(&super::super::recogniser::Weights::find(&folder).expect("there")).expect("loads");
    for (text, key_words) in [
        ("Hello! This is Alice Johnson's AI assistant.", &["hello", "alice johnson", "assistant"][..]),
        ("Please leave your message after the tone.", &["leave your message", "tone"]),
        ("We are open from eight thirty until a quarter past five.", &["open from", "quarter past"]),
    ] {
        let samples = say(&studio, text, false).await;
        let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        assert!((6_000..32_767).contains(&peak), "{text}: {peak}");
        let words = recogniser.transcribe(heard(&samples), true).expect("queued").await.expect("answered").to_lowercase();
        for key in key_words {
            assert!(words.contains(key), "{key:?} is not in {words:?}");
        }
    }
    assert!(say(&studio, "日本語 💥", false).await.is_empty(), "there is nothing in it to be spoken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_kept_greeting_is_the_same_to_the_sample() {
    let Some((_, weights)) = weights() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let keep = Keep::new(folder.path().to_owned());
    let text = "Good morning.";
    let studio = Studio::start_with(weights.clone(), Choice::Auto, Some(keep.clone()), flite(), fast);
    studio.settled().await;
    let first = say(&studio, text, true).await;
    assert!(first.len() > 2_000);
    assert!(say(&studio, text, true).await == first);
    drop(studio);

    // What is on disk is what is played, also after a restart: a file with another sample proves it.
    let files: Vec<PathBuf> = std::fs::read_dir(folder.path()).expect("there").flatten().map(|entry| entry.path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mut bytes = std::fs::read(&files[0]).expect("readable");
    let last = bytes.len() - 2;
    bytes[last..].copy_from_slice(&4_321_i16.to_le_bytes());
    std::fs::write(&files[0], &bytes).expect("writable");
    let again = Studio::start_with(weights, Choice::Auto, Some(keep), flite(), fast);
    again.settled().await;
    let kept = say(&again, text, true).await;
    assert!(kept.len() == first.len() && kept.last() == Some(&4_321) && kept[..kept.len() - 1] == first[..first.len() - 1]);
    assert!(say(&again, text, false).await.last() != Some(&4_321), "what is not to be kept is not looked up");
    assert!(say(&again, "Good evening.", true).await.len() > 2_000);
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_a_slow_machine_greetings_are_rendered_for_the_next_call() {
    let Some((_, weights)) = weights() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let keep = Keep::new(folder.path().to_owned());
    let studio = Studio::start_with(weights.clone(), Choice::Kokoro, Some(keep), flite(), slow);
    studio.settled().await;
    let why = studio.standing().lack().expect("it lacks something");
    assert!(why.contains("too slow") && why.contains("1.50 s"), "{why}");
    let (reply, mut spoken) = mpsc::channel(1);
    flite().speak("Good morning.".into(), reply).expect("queued");
    let plain = spoken.recv().await.expect("spoken");
    assert!(say(&studio, "Good morning.", true).await == plain, "the first call hears flite");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while say(&studio, "Good morning.", true).await == plain {
        assert!(std::time::Instant::now() < deadline, "it is never rendered");
        tokio::task::yield_now().await;
    }
    drop(studio);

    let auto = Studio::start_with(weights, Choice::Auto, None, flite(), slow);
    auto.settled().await;
    assert!(matches!(auto.standing(), Standing::Out(why) if why.contains("too slow")));
}

/// The figures in docs/benchmarks.md: `cargo test --release -p callie-ai kokoro_figures -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a test"]
fn kokoro_figures() {
    let Some((_, weights)) = weights() else { return };
    let mut out = std::io::stderr();
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().replace('\t', " ");
        format!("{} {}", line("VmRSS"), line("VmHWM"))
    };
    let _ = writeln!(out, "before: {}", resident());
    let began = std::time::Instant::now();
    let model = Kokoro::load(&weights).expect("loads");
    let _ = writeln!(out, "loaded in {:?}: {}", began.elapsed(), resident());
    let threads = Arc::new(ThreadPool::with_num_threads(1));
    let texts = [
        "Is that right?",
        "Hello! This is Alice Johnson's AI assistant.",
        "How can I help you today?",
        "Thank you, I have written it down: you are Maria Lopez, and you call about the invoice.",
        "We are open from eight thirty in the morning until a quarter past five.",
    ];
    let trial = super::studio::trial(&model, &threads).expect("spoken");
    let _ = writeln!(out, "the start's own measurement: {trial}");
    for _ in 0..3 {
        for text in texts {
            let began = std::time::Instant::now();
            let samples = model.speak(text, DEFAULT_VOICE, &threads, || false).expect("spoken");
            let (took, spoken) = (began.elapsed().as_secs_f32(), samples.len() as f32 / 8_000.0);
            let _ = writeln!(out, "{took:.2} s for {spoken:.2} s: factor {:.2}   {text}", took / spoken);
        }
    }
    let _ = writeln!(out, "after: {}", resident());
}
