//! Text to speech for all calls of the process: Flite's `kal` voice, 8 kHz, on a few threads of its own, so that neither
//! the media path nor the async threads ever compute speech.

use crate::{EngineCause, EngineError};
use flite_rs::Engine as Flite;
use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
};
use tokio::sync::mpsc;

/// Hertz.
pub const SAMPLE_RATE: u32 = 8_000;

/// Sentences waiting for a thread. One call has at most one in the queue.
const QUEUE: usize = 1_024;

struct Job {
    text: String,
    reply: mpsc::Sender<Vec<i16>>,
}

/// Cheap to clone; the threads end when the last clone is dropped.
#[derive(Clone)]
pub struct Synthesiser {
    jobs: SyncSender<Job>,
}

impl std::fmt::Debug for Synthesiser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Synthesiser(flite kal, 8 kHz)")
    }
}

impl Synthesiser {
    /// Loads the voice and starts the threads: one for each core, at most four.
    pub fn start() -> Result<Self, EngineError> {
        let unavailable = |what: String| EngineError::new(EngineCause::Internal, what);
        let flite = Arc::new(flite()?);
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
        for n in 0..threads {
            let (flite, queue) = (flite.clone(), queue.clone());
            std::thread::Builder::new()
                .name(format!("speech-{n}"))
                .spawn(move || speak_jobs(&flite, &queue))
                .map_err(|e| unavailable(format!("no thread for speech synthesis: {e}")))?;
        }
        Ok(Self { jobs })
    }

    /// Queues one sentence; the samples (mono, 8 kHz) go to `reply`, or nowhere when the call is gone by then.
    pub fn speak(&self, text: String, reply: mpsc::Sender<Vec<i16>>) -> Result<(), EngineError> {
        self.jobs.try_send(Job { text, reply }).map_err(|e| match e {
            TrySendError::Full(_) => EngineError::new(EngineCause::Internal, "too many sentences are waiting for synthesis"),
            TrySendError::Disconnected(_) => EngineError::new(EngineCause::Internal, "the speech threads have ended"),
        })
    }
}

/// Flite, told what its dictionary has wrong: the word that we say most often.
pub(super) fn flite() -> Result<Flite, EngineError> {
    let unavailable = |what: &dyn std::fmt::Display| {
        EngineError::new(EngineCause::Internal, format!("the built-in voice does not load: {what}"))
    };
    let mut flite = Flite::try_new().map_err(|e| unavailable(&e))?;
    flite.add_lex_entries("ai : ey1 ay1").map_err(|e| unavailable(&e))?;
    Ok(flite)
}

fn speak_jobs(flite: &Flite, queue: &Mutex<Receiver<Job>>) {
    loop {
        let next = match queue.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        let Ok(job) = next else { return };
        if job.reply.is_closed() {
            continue;
        }
        // A bug of the synthesiser must cost one sentence, not the thread.
        let spoken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| flite.synthesize(&job.text).samples));
        let samples = spoken.unwrap_or_else(|_| {
            tracing::error!("speech synthesis failed on a sentence; it is left out");
            Vec::new()
        });
        let _ = job.reply.try_send(samples);
    }
}

/// Splits prose into sentences, so that the first can be heard while the next is computed.
pub fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        current.push(if c.is_control() { ' ' } else { c });
        let ends = matches!(c, '.' | '!' | '?' | ';' | ':') && chars.peek().is_none_or(|next| next.is_whitespace());
        if ends || c == '\n' || (current.len() > 240 && c == ' ') {
            found.push(std::mem::take(&mut current));
        }
    }
    found.push(current);
    found.iter().map(|s| s.trim().to_owned()).filter(|s| s.chars().any(char::is_alphanumeric)).collect()
}

/// The tone after which a caller may speak: 1 kHz, 250 ms, with soft edges.
pub fn tone() -> Vec<i16> {
    let length = SAMPLE_RATE as usize / 4;
    let edge = 80.0;
    (0..length)
        .map(|i| {
            let fade = (i as f32 / edge).min((length - i) as f32 / edge).min(1.0);
            let angle = i as f32 * std::f32::consts::TAU * 1_000.0 / SAMPLE_RATE as f32;
            (angle.sin() * 8_000.0 * fade) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_split_at_sentences() {
        for (text, want) in [
            ("Hi! This is Alice's AI assistant.", vec!["Hi!", "This is Alice's AI assistant."]),
            ("Call 1.5 times", vec!["Call 1.5 times"]),
            ("… ", vec![]),
            ("One\ntwo", vec!["One", "two"]),
        ] {
            assert_eq!(sentences(text), want);
        }
        assert!(sentences(&"word ".repeat(200)).iter().all(|s| s.len() < 260));
    }

    #[tokio::test]
    async fn sentences_become_speech() {
        let synthesiser = Synthesiser::start().expect("built in");
        let (reply, mut spoken) = mpsc::channel(1);
        synthesiser.speak("Hello from the assistant.".into(), reply).expect("queued");
        let samples = spoken.recv().await.expect("spoken");
        let seconds = samples.len() as f32 / SAMPLE_RATE as f32;
        assert!((0.8..4.0).contains(&seconds), "{seconds}");
        assert!(samples.iter().any(|s| s.unsigned_abs() > 3_000));
    }

    #[tokio::test]
    async fn strange_texts_are_spoken_or_left_out() {
        let synthesiser = Synthesiser::start().expect("built in");
        for text in ["", "\u{0}\u{1}", "日本語", "💥💥", "9999999999999999999999999999999", "<xml/>", "'''''", &"a".repeat(5_000)]
        {
            let (reply, mut spoken) = mpsc::channel(1);
            synthesiser.speak(text.into(), reply).expect("queued");
            assert!(spoken.recv().await.is_some(), "{text:?}");
        }
    }
}
