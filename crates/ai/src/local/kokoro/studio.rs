//! The threads that speak with Kokoro for all calls of the process. The first of them loads the model and measures the machine
//! while calls are already being taken; what came of it is the [`Standing`].
//!
//! ```text
//!   greeting ─▶ voice-keep ── on disk ──▶ the call
//!                   │ not yet
//!   sentence ───────┴─▶ voice-0 … n ────▶ the call, and the disk
//!                          └── failed ──▶ Flite
//! ```

use super::{Choice, FAST_ENOUGH, Keep, Kokoro, KokoroWeights, Speed};
use crate::local::Synthesiser;
use rten::{RunError, ThreadPool};
use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};
use tokio::sync::{Semaphore, mpsc, watch};

/// Sentences waiting for a thread. There are never more calls than [`Speed::places`], with one each, and greetings to be kept.
const QUEUE: usize = 64;
/// What is spoken to measure the machine, twice: the first time also touches every weight.
const TRIAL: &str = "Thank you for calling. How can I help you?";

/// How it stands with the voice.
#[derive(Debug, Clone)]
pub enum Standing {
    /// The model is being loaded and the machine measured.
    Trying,
    /// It speaks as it goes, for as many calls at a time as there are permits.
    Speaks { speed: Speed, places: Arc<Semaphore> },
    /// The machine is too slow: it speaks only what was rendered before.
    Greets { speed: Speed },
    /// It does not speak, and this is why.
    Out(String),
}

impl Standing {
    /// What follows from the measurement.
    pub fn after(choice: Choice, speed: Speed, threads: usize, can_keep: bool) -> Self {
        if speed.is_enough() {
            Self::Speaks { speed, places: Arc::new(Semaphore::new(speed.places(threads))) }
        } else if choice == Choice::Kokoro && can_keep {
            Self::Greets { speed }
        } else {
            Self::Out(too_slow(speed))
        }
    }

    /// Why it is not Kokoro that speaks, or not always.
    pub fn lack(&self) -> Option<String> {
        match self {
            Self::Trying => Some("it is being loaded and the machine measured".to_owned()),
            Self::Speaks { .. } => None,
            Self::Greets { speed } => Some(format!("only greetings that were rendered ahead, {}", too_slow(*speed))),
            Self::Out(why) => Some(why.clone()),
        }
    }
}

fn too_slow(speed: Speed) -> String {
    format!("this machine is too slow for more: {speed} on one thread, at most {FAST_ENOUGH:.2} would do")
}

/// Something to be said.
pub struct Sentence {
    pub text: String,
    pub voice: String,
    /// It will be said again in other calls.
    pub keep: bool,
    /// Nobody waits for it any more when it is only to be kept.
    pub reply: Option<mpsc::Sender<Vec<i16>>>,
}

/// Cheap to clone; the threads end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Studio {
    kept: SyncSender<Sentence>,
    standing: watch::Receiver<Standing>,
}

impl std::fmt::Debug for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sentence")
    }
}

/// How the machine is measured.
pub type Trial = fn(&Kokoro, &Arc<ThreadPool>) -> Result<Speed, RunError>;

/// What the threads share.
struct Shop {
    model: Kokoro,
    keep: Option<Keep>,
    flite: Synthesiser,
    standing: watch::Receiver<Standing>,
}

impl Studio {
    /// Returns at once; see [`Studio::standing`].
    pub fn start(weights: KokoroWeights, choice: Choice, keep: Option<Keep>, flite: Synthesiser) -> Self {
        Self::start_with(weights, choice, keep, flite, trial)
    }

    /// With a measurement of the caller's.
    pub fn start_with(weights: KokoroWeights, choice: Choice, keep: Option<Keep>, flite: Synthesiser, trial: Trial) -> Self {
        let (tell, standing) = watch::channel(Standing::Trying);
        let (kept, greetings) = sync_channel(QUEUE);
        let opening = Opening { weights, choice, keep, flite, trial, tell, standing: standing.clone(), greetings };
        let started = std::thread::Builder::new().name("voice-0".into()).spawn(move || opening.run());
        if let Err(error) = started {
            // The other end of `standing` went with the closure: see there.
            tracing::error!(%error, "no thread for the kokoro voice");
        }
        Self { kept, standing }
    }

    pub fn standing(&self) -> Standing {
        let standing = self.standing.borrow().clone();
        match standing {
            Standing::Trying if self.standing.has_changed().is_err() => Standing::Out("its thread has ended".to_owned()),
            standing => standing,
        }
    }

    /// Waits until the machine is measured.
    pub async fn settled(&self) {
        let mut standing = self.standing.clone();
        // When the threads are gone, there is nothing to wait for.
        let _ = standing.wait_for(|standing| !matches!(standing, Standing::Trying)).await;
    }

    /// Queues a sentence; gives it back when there is no room.
    pub fn speak(&self, sentence: Sentence) -> Result<(), Sentence> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        self.kept.try_send(sentence).map_err(|e| match e {
            Full(sentence) | Disconnected(sentence) => sentence,
        })
    }
}

/// What the first thread needs to open the studio.
struct Opening {
    weights: KokoroWeights,
    choice: Choice,
    keep: Option<Keep>,
    flite: Synthesiser,
    trial: Trial,
    tell: watch::Sender<Standing>,
    standing: watch::Receiver<Standing>,
    greetings: Receiver<Sentence>,
}

impl Opening {
    fn run(self) {
        let Self { weights, choice, keep, flite, trial, tell, standing, greetings } = self;
        let threads = std::thread::available_parallelism().map_or(1, |cores| (NonZeroUsize::get(cores) / 2).max(1));
        let out = |why: String| {
            tracing::warn!("the kokoro voice is not used: {why}");
            tell.send_replace(Standing::Out(why));
        };
        let measure = || -> Result<(Kokoro, Speed), String> {
            let model = Kokoro::load(&weights).map_err(|e| e.to_string())?;
            let speed = trial(&model, &one_thread()).map_err(|e| format!("the model does not run: {e}"))?;
            Ok((model, speed))
        };
        let (model, speed) = match catch_unwind(AssertUnwindSafe(measure)) {
            Ok(Ok(measured)) => measured,
            Ok(Err(why)) => return out(why),
            Err(_) => return out("it failed on its first sentence".to_owned()),
        };
        let verdict = Standing::after(choice, speed, threads, keep.is_some());
        if let Standing::Out(why) = verdict {
            // The model's memory is given back.
            return out(why);
        }
        let shop = Arc::new(Shop { model, keep, flite, standing });
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for n in 1..threads {
            let (shop, queue) = (shop.clone(), queue.clone());
            if let Err(error) = std::thread::Builder::new().name(format!("voice-{n}")).spawn(move || shop.render(&queue)) {
                tracing::warn!(%error, "one thread less for the kokoro voice");
            }
        }
        let reception = shop.clone();
        if let Err(error) =
            std::thread::Builder::new().name("voice-keep".into()).spawn(move || reception.receive(&greetings, &jobs))
        {
            return out(format!("no thread for it: {error}"));
        }
        tell_of(&verdict, threads);
        tell.send_replace(verdict);
        shop.render(&queue);
    }
}

fn tell_of(verdict: &Standing, threads: usize) {
    match verdict {
        Standing::Speaks { speed, places } => {
            tracing::info!(
                factor = speed.factor(),
                threads,
                calls = places.available_permits(),
                "the kokoro voice is used: {speed}"
            );
        }
        verdict => tracing::warn!("the kokoro voice is used for little: {}", verdict.lack().unwrap_or_default()),
    }
}

/// The model runs on one thread, however many cores there are: sentences of several calls share them better so.
fn one_thread() -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(1))
}

/// Speaks [`TRIAL`]; the better of two, unless the first is hopeless.
pub(super) fn trial(model: &Kokoro, threads: &Arc<ThreadPool>) -> Result<Speed, RunError> {
    let once = || model.measure(TRIAL, super::DEFAULT_VOICE, threads);
    let first = once()?;
    if first.factor() > 3.0 * FAST_ENOUGH {
        return Ok(first);
    }
    let second = once()?;
    Ok(if second.factor() < first.factor() { second } else { first })
}

impl Shop {
    /// Sees to what is on disk already, and passes on what is not.
    fn receive(&self, sentences: &Receiver<Sentence>, jobs: &SyncSender<Sentence>) {
        while let Ok(mut sentence) = sentences.recv() {
            if let Some(samples) = self.kept(&sentence) {
                if let Some(reply) = sentence.reply {
                    let _ = reply.try_send(samples);
                }
                continue;
            }
            let streams = matches!(*self.standing.borrow(), Standing::Speaks { .. });
            if !streams && let Some(reply) = sentence.reply.take() {
                // This call does not wait for it; the next one has it.
                self.with_flite(&sentence.text, reply);
            }
            if let Err(error) = jobs.try_send(sentence) {
                use std::sync::mpsc::TrySendError::{Disconnected, Full};
                let (Full(sentence) | Disconnected(sentence)) = error;
                if let Some(reply) = sentence.reply {
                    tracing::warn!("too many sentences are waiting for the kokoro voice; one is spoken by flite");
                    self.with_flite(&sentence.text, reply);
                }
            }
        }
    }

    fn render(&self, queue: &Mutex<Receiver<Sentence>>) {
        let threads = one_thread();
        loop {
            let next = match queue.lock() {
                Ok(receiver) => receiver.recv(),
                Err(_) => return,
            };
            let Ok(sentence) = next else { return };
            if sentence.reply.as_ref().is_some_and(mpsc::Sender::is_closed) {
                continue;
            }
            // Another call may have asked for the same.
            let samples = self.kept(&sentence).or_else(|| self.speak(&sentence, &threads));
            match (sentence.reply, samples) {
                (Some(reply), Some(samples)) => _ = reply.try_send(samples),
                (Some(reply), None) => self.with_flite(&sentence.text, reply),
                (None, _) => {}
            }
        }
    }

    fn kept(&self, sentence: &Sentence) -> Option<Vec<i16>> {
        let keep = self.keep.as_ref().filter(|_| sentence.keep)?;
        keep.get(&self.model.key(&sentence.text, &sentence.voice))
    }

    /// Nothing when the model failed.
    fn speak(&self, sentence: &Sentence, threads: &Arc<ThreadPool>) -> Option<Vec<i16>> {
        let cancelled = || sentence.reply.as_ref().is_some_and(mpsc::Sender::is_closed);
        let run = || self.model.speak(&sentence.text, &sentence.voice, threads, cancelled);
        // A bug of the runtime must cost one sentence, not the thread.
        let samples = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(samples)) => samples,
            Ok(Err(error)) => {
                tracing::error!(%error, "the kokoro voice failed on a sentence; flite speaks it");
                return None;
            }
            Err(_) => {
                tracing::error!("the kokoro voice failed on a sentence; flite speaks it");
                return None;
            }
        };
        if let Some(keep) = self.keep.as_ref().filter(|_| sentence.keep && !cancelled())
            && let Err(error) = keep.put(&self.model.key(&sentence.text, &sentence.voice), &samples)
        {
            tracing::warn!(%error, "a greeting in the kokoro voice cannot be kept");
        }
        Some(samples)
    }

    fn with_flite(&self, text: &str, reply: mpsc::Sender<Vec<i16>>) {
        if let Err(error) = self.flite.speak(text.to_owned(), reply) {
            tracing::error!(%error, "a sentence was left out");
        }
    }
}
