//! The recorder's thread: empties all rings into their tracks every 200 ms.

use super::{Entry, StereoFrame, track};
use rtrb::Consumer;
use std::{
    fmt, io,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How much of a recording a killed process can lose.
const WRITE_EVERY: Duration = Duration::from_millis(200);
/// How long a stopping recorder waits for recordings whose taps are still in use.
const STOP_WITHIN: Duration = Duration::from_secs(2);
const SILENCE: StereoFrame = [0; 320];

pub(super) enum Command {
    Open(Recording),
    /// A recording has ended.
    Wake,
    Stop,
}

pub(super) struct Recording {
    name: String,
    ring: Consumer<Entry>,
    begin: Option<track::Recording>,
    track: Option<Box<dyn track::Track>>,
    failed: Option<Box<dyn FnOnce(String) + Send>>,
    // Dropped with the recording, after the last write: whoever waits for the file is told by that.
    _finished: watch::Sender<()>,
}

pub(super) fn run(commands: &Receiver<Command>) {
    let mut recordings: Vec<Recording> = Vec::new();
    let mut bytes = Vec::new();
    let mut write_at = Instant::now() + WRITE_EVERY;
    let mut stop_at = None;
    loop {
        match commands.recv_timeout(write_at.saturating_duration_since(Instant::now())) {
            Ok(Command::Open(recording)) => recordings.push(recording.begin()),
            Ok(Command::Wake) => recordings.retain_mut(|recording| !recording.has_ended() || recording.write(&mut bytes)),
            Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                stop_at.get_or_insert_with(|| Instant::now() + STOP_WITHIN);
                recordings.retain_mut(|recording| recording.write(&mut bytes));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if Instant::now() >= write_at {
            recordings.retain_mut(|recording| recording.write(&mut bytes));
            write_at = Instant::now() + WRITE_EVERY;
        }
        if stop_at.is_some_and(|stop_at| recordings.is_empty() || Instant::now() >= stop_at) {
            return;
        }
    }
}

impl Recording {
    pub(super) fn new(
        recording: track::Recording,
        ring: Consumer<Entry>,
        failed: Box<dyn FnOnce(String) + Send>,
        finished: watch::Sender<()>,
    ) -> Self {
        let name = recording.name.clone();
        Self { name, ring, begin: Some(recording), track: None, failed: Some(failed), _finished: finished }
    }

    fn begin(mut self) -> Self {
        match self.begin.take().map(|recording| (recording.begin)()).transpose() {
            Ok(track) => self.track = track,
            Err(error) => self.fail(&error),
        }
        self
    }

    fn has_ended(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// Writes what the ring holds; `false` when that was the last of it.
    fn write(&mut self, bytes: &mut Vec<u8>) -> bool {
        // Asked before the ring is emptied: what comes in between is seen next time.
        let ended = self.has_ended();
        bytes.clear();
        while let Ok(entry) = self.ring.pop() {
            match entry {
                Entry::Frame(frame) => put(&frame, bytes),
                Entry::Gap(frames) => (0..frames).for_each(|_| put(&SILENCE, bytes)),
            }
        }
        // After a failure the ring is still emptied, so the call goes on as if recorded.
        if let Some(track) = &mut self.track
            && let Err(error) = track.append(bytes).and_then(|()| if ended { track.complete() } else { Ok(()) })
        {
            self.fail(&error);
        }
        !ended
    }

    fn fail(&mut self, error: &io::Error) {
        self.track = None;
        if let Some(failed) = self.failed.take() {
            failed(format!("{}: {error}", self.name));
        }
    }
}

fn put(frame: &StereoFrame, bytes: &mut Vec<u8>) {
    bytes.extend(frame.iter().flat_map(|sample| sample.to_le_bytes()));
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Wake => "Wake",
            Self::Stop => "Stop",
        })
    }
}
