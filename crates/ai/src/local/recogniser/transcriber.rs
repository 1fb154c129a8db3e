//! The recogniser for all calls of the process: a few threads, a bounded queue, so that neither the media path nor the async
//! threads ever compute a transcript, and a burst of turns cannot take the machine.

use super::{Moonshine, Weights, WeightsError};
use crate::{EngineCause, EngineError};
use rten::ThreadPool;
use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};
use tokio::sync::oneshot;

/// Utterances waiting for a thread. At a quarter of a second each, more would be answered too late to be of use.
const QUEUE: usize = 64;

/// What came of an utterance: its words, empty when there were none or the recogniser failed.
pub type Transcription = oneshot::Receiver<String>;

struct Job {
    samples: Vec<i16>,
    speech: bool,
    reply: oneshot::Sender<String>,
}

/// Cheap to clone; the threads end when the last clone is dropped.
#[derive(Clone)]
pub struct Transcriber {
    jobs: SyncSender<Job>,
}

impl std::fmt::Debug for Transcriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transcriber(moonshine tiny)")
    }
}

impl Transcriber {
    /// Loads the model and starts one thread for every two cores.
    ///
    /// # Errors
    /// When a file is not what it should be, or the system refuses a thread.
    pub fn start(weights: &Weights) -> Result<Self, WeightsError> {
        let model = Arc::new(Moonshine::load(weights)?);
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        for n in 0..(cores / 2).max(1) {
            let (model, queue) = (model.clone(), queue.clone());
            std::thread::Builder::new().name(format!("recognise-{n}")).spawn(move || work(&model, &queue)).map_err(|e| {
                WeightsError::Unreadable { file: weights.encoder(), detail: format!("no thread to run it on: {e}") }
            })?;
        }
        Ok(Self { jobs })
    }

    /// Queues one utterance (mono, 16 kHz); `speech` when the ears are sure that somebody spoke. Dropping the answer cancels
    /// the work.
    ///
    /// # Errors
    /// When too many utterances wait already.
    pub fn transcribe(&self, samples: Vec<i16>, speech: bool) -> Result<Transcription, EngineError> {
        let (reply, transcription) = oneshot::channel();
        self.jobs.try_send(Job { samples, speech, reply }).map_err(|e| match e {
            TrySendError::Full(_) => EngineError::new(EngineCause::Internal, "too many utterances are waiting to be recognised"),
            TrySendError::Disconnected(_) => EngineError::new(EngineCause::Internal, "the recogniser's threads have ended"),
        })?;
        Ok(transcription)
    }
}

#[cfg(test)]
impl Transcriber {
    /// One that "hears" the given texts, one for each utterance, then nothing.
    pub fn scripted(texts: &[&'static str]) -> Self {
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let texts = texts.to_vec();
        let answer = move || {
            let mut texts = texts.into_iter();
            while let Ok(job) = queue.recv() {
                let _ = job.reply.send(texts.next().unwrap_or_default().to_owned());
            }
        };
        std::thread::Builder::new().spawn(answer).expect("a thread");
        Self { jobs }
    }
}

fn work(model: &Moonshine, queue: &Mutex<Receiver<Job>>) {
    // The model runs on this one thread, however many cores there are: turns of several calls share them better so.
    let threads = Arc::new(ThreadPool::with_num_threads(1));
    loop {
        let next = match queue.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        let Ok(job) = next else { return };
        if job.reply.is_closed() {
            continue;
        }
        let run = || model.transcribe(&job.samples, job.speech, &threads, || job.reply.is_closed());
        // A bug of the runtime must cost one utterance, not the thread.
        let text = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                tracing::error!(%error, "an utterance could not be recognised");
                String::new()
            }
            Err(_) => {
                tracing::error!("speech recognition failed on an utterance; it is taken for unclear");
                String::new()
            }
        };
        let _ = job.reply.send(text);
    }
}
