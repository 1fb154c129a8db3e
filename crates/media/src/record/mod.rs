//! Recording, off the media path: media threads push frames into rings, one thread writes all recordings.
//!
//! A recording is stereo PCM16 at 8 kHz: left the caller as the agent heard it, right the agent as it was sent. What it is written
//! to is a [`Track`]; the one here is a WAV file in clear, whose header is brought up to date with each write.
//!
//! ```text
//! media thread ─ Tap::push ─▶ ring ─▶ recorder thread ─ every 200 ms ─▶ track
//! ```

mod file;
mod thread;
mod track;

pub use file::{HEADER_BYTES, RepairError, Repaired, header, repair};
pub use track::{Recording, Track};

use crate::FRAME_SAMPLES;
use rtrb::{Producer, RingBuffer};
use std::{
    io,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};
use thread::Command;
use tokio::sync::watch;

/// One beat of 20 ms: 160 pairs of left and right.
pub type StereoFrame = [i16; 2 * FRAME_SAMPLES];

/// Frames a ring holds: 1.5 s, several times what the recorder lets pile up; a disk that stalls longer costs silence.
const RING_FRAMES: usize = 75;
/// Openings and wake-ups on their way to the recorder: a burst of calls.
const COMMANDS: usize = 1024;

/// What a ring carries.
#[expect(clippy::large_enum_variant, reason = "nearly all are frames, and a box would be an allocation per frame")]
enum Entry {
    Frame(StereoFrame),
    /// So many frames were dropped here; silence keeps both sides in step with time.
    Gap(u32),
}

/// The recorder cannot take another recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecorderError {
    #[error("too many recordings are being opened at once")]
    Busy,
    #[error("the recorder has stopped")]
    Stopped,
}

/// The one thread that writes. Dropping it finishes what is in the rings of ended recordings and stops.
#[derive(Debug)]
pub struct Recorder {
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// # Errors
    /// The thread could not be started.
    pub fn start() -> io::Result<Self> {
        let (commands, inbox) = sync_channel(COMMANDS);
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || thread::run(&inbox))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Begins a recording on the recorder's thread. `failed` is called there, at most once, with what went wrong.
    ///
    /// # Errors
    /// The recorder is overloaded or gone; nothing was begun.
    pub fn open(
        &self,
        recording: Recording,
        failed: impl FnOnce(String) + Send + 'static,
    ) -> Result<(Tap, Finished), RecorderError> {
        let commands = self.commands.as_ref().ok_or(RecorderError::Stopped)?;
        let (producer, consumer) = RingBuffer::new(RING_FRAMES);
        let (finished, done) = watch::channel(());
        let recording = thread::Recording::new(recording, consumer, Box::new(failed), finished);
        commands.try_send(Command::Open(recording)).map_err(|refusal| match refusal {
            TrySendError::Full(_) => RecorderError::Busy,
            TrySendError::Disconnected(_) => RecorderError::Stopped,
        })?;
        let tap = Tap { ring: Some(producer), waker: commands.clone(), missing: 0, dropped: 0 };
        Ok((tap, Finished(done)))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(commands) = self.commands.take() {
            // Never blocks for long: the recorder drains its commands before it writes.
            let _ = commands.send(Command::Stop);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The media thread's end of a recording. Dropping it ends the recording.
#[derive(Debug)]
pub struct Tap {
    ring: Option<Producer<Entry>>,
    waker: SyncSender<Command>,
    missing: u32,
    dropped: u64,
}

impl Tap {
    /// Records one frame; neither blocks nor allocates. When the ring is full the frame becomes silence and is counted.
    pub fn push(&mut self, frame: &StereoFrame) {
        let Some(ring) = &mut self.ring else { return };
        if self.missing > 0 && ring.slots() >= 2 && ring.push(Entry::Gap(self.missing)).is_ok() {
            self.missing = 0;
        }
        if self.missing > 0 || ring.push(Entry::Frame(*frame)).is_err() {
            self.missing += 1;
            self.dropped += 1;
        }
    }

    /// Frames of 20 ms that the recorder was too slow for.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(mut ring) = self.ring.take()
            && self.missing > 0
        {
            // With a full ring the silence at the very end is lost, which misplaces nothing.
            let _ = ring.push(Entry::Gap(self.missing));
        }
        // A full queue wakes the recorder anyway.
        let _ = self.waker.try_send(Command::Wake);
    }
}

/// Tells when a recording is complete, or has failed.
#[derive(Debug, Clone)]
pub struct Finished(watch::Receiver<()>);

impl Finished {
    /// Resolves once nothing will be added any more. Cancel safe.
    pub async fn wait(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Frame(_) => f.write_str("Frame"),
            Self::Gap(frames) => write!(f, "Gap({frames})"),
        }
    }
}
