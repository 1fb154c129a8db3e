//! Starting the engine and opening calls on it.

use super::{
    control::MediaControl,
    ear::{Ear, ear},
    line::Line,
    overhear::MAX_LISTENERS,
    shared::{MediaEvent, MediaStats, Ownership, Shared},
    sys,
    thread::MediaThread,
    voice::{Voice, voice},
};
use crate::{
    ports::RtpSocket,
    record::{Finished, Recorder, RecorderError, Recording, Tap},
    session::{Session, SessionParams},
};
use std::{
    io,
    num::{NonZeroU8, NonZeroUsize},
    sync::{Arc, atomic::Ordering, mpsc::TrySendError},
    thread,
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// Events of one call that wait for its task; a caller who presses keys faster than that is no person, and speech begins and
/// ends at most five times a second.
const EVENTS: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// Media threads; each serves several hundred calls.
    pub threads: NonZeroUsize,
    /// Ask for real-time priority (SCHED_FIFO 10).
    pub realtime: bool,
    /// Frames of 20 ms after which an ear is woken.
    pub ear_chunk: NonZeroU8,
}

impl Default for EngineOptions {
    /// A media thread for every four cores, real-time priority if allowed, ears woken every 40 ms.
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            threads: NonZeroUsize::new(cores / 4).unwrap_or(NonZeroUsize::MIN),
            realtime: true,
            ear_chunk: NonZeroU8::MIN.saturating_add(1),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot start a media thread")]
pub struct StartError(#[from] io::Error);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("too many calls are being opened at once")]
    Busy,
    #[error("the media engine has stopped")]
    Stopped,
}

/// One call's media, in parts that can go to different tasks. The call closes when the last part is dropped (the events do
/// not count) or by [`MediaControl::close`].
#[derive(Debug)]
pub struct Media {
    pub ear: Ear,
    pub voice: Voice,
    pub control: MediaControl,
    /// Ends when the call has closed, also because the engine stopped. Bounded; what is not fetched in time is dropped and
    /// counted.
    pub events: mpsc::Receiver<MediaEvent>,
}

/// How the media threads keep their time, summed over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Calls that are open now.
    pub calls: usize,
    pub ticks: u64,
    /// Ticks that started more than 2 ms late.
    pub late_ticks: u64,
    pub worst_lateness: Duration,
}

/// The threads that drive all calls. Dropping it closes what is open and joins them.
#[derive(Debug)]
pub struct MediaEngine {
    // Before the recorder: the threads end their recordings, then the recorder finishes the files.
    threads: Vec<MediaThread>,
    recorder: Recorder,
    ear_chunk: NonZeroU8,
}

impl MediaEngine {
    /// Without the right to real-time priority it warns once and works without.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn start(options: EngineOptions) -> Result<Self, StartError> {
        let recorder = Recorder::start()?;
        let mut threads = Vec::with_capacity(options.threads.get());
        let mut refusal = None;
        for index in 0..options.threads.get() {
            let (thread, refused) = MediaThread::start(index, options.realtime)?;
            refusal = refusal.or(refused);
            threads.push(thread);
        }
        if let Some(error) = refusal {
            tracing::warn!(%error, "media threads run without real-time priority: packets may leave late on a busy machine");
        }
        Ok(Self { threads, recorder, ear_chunk: options.ear_chunk })
    }

    /// The clock of all [`MediaEvent`]s and of [`Ear::pop_timed`]: monotonic, since the machine started. Read it together with
    /// the wall clock to translate one into the other.
    #[must_use]
    pub fn now() -> Duration {
        sys::now()
    }

    /// Opens the media of a call; packets leave within 20 ms if the remote address is known. Does not block.
    ///
    /// # Errors
    /// The engine cannot take the call; the socket and its port are freed.
    pub fn open(&self, mut socket: RtpSocket, params: SessionParams, recording: Option<Recording>) -> Result<Media, OpenError> {
        let thread = self.least_loaded().ok_or(OpenError::Stopped)?;
        let (events_in, events) = mpsc::channel(EVENTS);
        let (tap, finished) = self.record(recording, &events_in)?.unzip();
        // Refused by no kernel we know; the jitter is then known to a beat only.
        let _ = sys::stamp_arrivals(socket.udp());
        match socket.rtcp().filter(|_| params.rtcp.is_on() && !params.rtcp.mux) {
            Some(rtcp) => drop(sys::stamp_arrivals(rtcp)),
            None => socket.close_rtcp(),
        }
        open_the_way(&socket, &params);
        let stats = MediaStats::new(params.codec, socket.local_addr());
        let shared = Arc::new(Shared::new(stats));
        let owner = Arc::new(Ownership(Arc::clone(&shared)));
        let (ear, ear_feed) = ear(params.ear_rate, self.ear_chunk, Arc::clone(&owner));
        let (voice, voice_feed) = voice(params.voice_rate, Arc::clone(&owner));
        let (closed_in, closed) = watch::channel(());
        let control = MediaControl {
            owner,
            dtmf_negotiated: params.dtmf_payload_type.is_some(),
            closed,
            recording: finished,
            ear_rate: params.ear_rate,
            line_rate: params.codec.rate(),
        };
        let line = Line {
            session: Session::new(params, sys::now()),
            ear: ear_feed,
            voice: voice_feed,
            relay: None,
            tap,
            listeners: Vec::with_capacity(MAX_LISTENERS),
            events: events_in,
            stats,
            shared,
            beats: 0,
            socket,
            _closed: closed_in,
        };
        thread.counters.calls.fetch_add(1, Ordering::Relaxed);
        thread.openings.try_send(Box::new(line)).map_err(|refusal| {
            thread.counters.calls.fetch_sub(1, Ordering::Relaxed);
            match refusal {
                TrySendError::Full(_) => OpenError::Busy,
                TrySendError::Disconnected(_) => OpenError::Stopped,
            }
        })?;
        Ok(Media { ear, voice, control, events })
    }

    /// Ticks of each thread since the start: a thread that stands still shows here, and nowhere else.
    #[must_use]
    pub fn ticks(&self) -> Vec<u64> {
        self.threads.iter().map(|thread| thread.counters.ticks.load(Ordering::Relaxed)).collect()
    }

    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.threads.iter().fold(EngineStats::default(), |sum, thread| {
            let counters = &thread.counters;
            let worst = Duration::from_micros(counters.worst_lateness_us.load(Ordering::Relaxed));
            EngineStats {
                calls: sum.calls + counters.calls.load(Ordering::Relaxed),
                ticks: sum.ticks + counters.ticks.load(Ordering::Relaxed),
                late_ticks: sum.late_ticks + counters.late_ticks.load(Ordering::Relaxed),
                worst_lateness: sum.worst_lateness.max(worst),
            }
        })
    }

    fn least_loaded(&self) -> Option<&MediaThread> {
        self.threads.iter().min_by_key(|thread| thread.counters.calls.load(Ordering::Relaxed))
    }

    fn record(
        &self,
        recording: Option<Recording>,
        events: &mpsc::Sender<MediaEvent>,
    ) -> Result<Option<(Tap, Finished)>, OpenError> {
        // Weak: a recording must not keep the call's events open.
        let events = events.downgrade();
        let failed = move |text| {
            if let Some(events) = events.upgrade() {
                let _ = events.try_send(MediaEvent::RecordingFailed(text));
            }
        };
        recording.map(|recording| self.recorder.open(recording, failed)).transpose().map_err(|error| match error {
            RecorderError::Busy => OpenError::Busy,
            RecorderError::Stopped => OpenError::Stopped,
        })
    }
}

/// An empty datagram (RFC 6263 §4.1), sent before the far end knows where to send: a NAT then has our mapping before the far end's
/// first packet comes to it. Linux's gives us another port when the far end is first, and who trusts our SDP is never heard.
fn open_the_way(socket: &RtpSocket, params: &SessionParams) {
    let rtp = params.remote.map(|remote| (socket.udp(), remote));
    let rtcp = socket.rtcp().zip(params.rtcp.remote);
    for (socket, remote) in [rtp, rtcp].into_iter().flatten() {
        // Lost, it is as if it had not been sent.
        let _ = socket.send_to(&[], remote);
    }
}
