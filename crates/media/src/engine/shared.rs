//! What a call's tasks and its media thread share. The media thread never waits for any of it: it tries a lock, and when
//! somebody holds it, comes back with the next beat.

use super::{overhear::OverhearFeed, relay::RelayEnd};
use crate::{
    barge::BargeInDetector,
    codec::Codec,
    dtmf::DtmfWay,
    progress::{ProgressListener, Signal},
    quality::MosSpan,
    rtp::srtp::{SrtpParams, SrtpSuite},
    session::{RtcpStats, SessionEvent},
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Facts for the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaEvent {
    /// The caller's first valid packet; RTP goes to its source from now on.
    FirstRtp { from: SocketAddr },
    /// The caller's RTP comes from elsewhere now.
    Latched { from: SocketAddr },
    /// The call is up ([`super::MediaControl::expect_rtp`]) and no packet has come for so long: audio goes one way at most. Told once
    /// in a call, and not if one ever came.
    NoRtp { silent_for: Duration, sending_to: Option<SocketAddr> },
    /// No valid packet for the configured time. Told once per silence; not while the call is held.
    RtpLost { silent_for: Duration },
    /// A key press, by event or by tone: `0–9 * # A–D`. One that comes by both is told once.
    Dtmf(char),
    /// The caller began (`on`) or ceased to speak. `at`: when the first or the last loud packet of the utterance arrived at the
    /// socket, on the clock of [`super::MediaEngine::now`]; exact to a packet (20 ms). The beginning is told after the delay of
    /// the jitter buffer and 60 ms of speech, the end after 400 ms without.
    CallerSpeech { on: bool, at: Duration },
    /// While [`super::MediaControl::watch_barge_in`] asks for it: the caller speaks over the agent, and goes on: no word in passing, no noise, no echo ([`crate::barge`]). `began`: when the
    /// first loud packet of it arrived, about half a second ago; `at`: the beat of the decision. On the same clock.
    BargeIn { at: Duration, began: Duration },
    /// After [`Self::BargeIn`]: the caller has finished. `at`: when the last packet with a voice arrived, 400 ms ago.
    BargeInOver { at: Duration },
    /// The agent began (`on`) or ceased to be heard. `at`: when the first audible packet after 200 ms of none, or the last, was
    /// sent, on the same clock; a busy thread sends up to a tick (5 ms) later. The end is told 200 ms after it.
    AgentSpeech { on: bool, at: Duration },
    /// While [`super::MediaControl::listen`] asks for it: a tone of the network, of a fax machine or of an answering machine.
    Signal(Signal),
    /// While [`super::MediaControl::listen`] asks for it: talk began (`on`) or ended at `at`, on the clock of
    /// [`super::MediaEngine::now`], as it left the jitter buffer. Unlike [`MediaEvent::CallerSpeech`] a tone is none, nor what is
    /// 15 dB below the voice. Told 100 ms after its beginning and 240 ms after its end.
    Talk { on: bool, at: Duration },
    /// The recording ends here; the text names the file and the cause. The call goes on.
    RecordingFailed(String),
}

impl From<SessionEvent> for MediaEvent {
    fn from(event: SessionEvent) -> Self {
        match event {
            SessionEvent::FirstRtp { from } => Self::FirstRtp { from },
            SessionEvent::Latched { from } => Self::Latched { from },
            SessionEvent::NoRtp { silent_for, sending_to } => Self::NoRtp { silent_for, sending_to },
            SessionEvent::RtpLost { silent_for } => Self::RtpLost { silent_for },
            SessionEvent::Dtmf(digit) => Self::Dtmf(digit),
            SessionEvent::CallerSpeech { on, at } => Self::CallerSpeech { on, at },
            SessionEvent::BargeIn { at, began } => Self::BargeIn { at, began },
            SessionEvent::BargeInOver { at } => Self::BargeInOver { at },
            SessionEvent::AgentSpeech { on, at } => Self::AgentSpeech { on, at },
            SessionEvent::Signal(signal) => Self::Signal(signal),
            SessionEvent::Talk { on, at } => Self::Talk { on, at },
        }
    }
}

/// A consistent snapshot, at most 20 ms old. Packets unless named otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaStats {
    pub codec: Codec,
    /// The address RTP is received on.
    pub local: SocketAddr,
    /// Where the caller's RTP was seen to come from.
    pub latched: Option<SocketAddr>,
    /// Valid packets from the caller.
    pub received: u64,
    pub sent: u64,
    /// Packets the system refused to send.
    pub send_errors: u64,
    /// By gaps in the caller's sequence numbers.
    pub lost: u64,
    /// Came after their time of playout.
    pub late: u64,
    /// Datagrams that were no RTP of this call.
    pub junk: u64,
    /// Valid RTP from strangers.
    pub refused: u64,
    /// How RTP is encrypted now, if it is.
    pub srtp: Option<SrtpSuite>,
    /// What was not encrypted under the far end's key; it was neither heard nor believed.
    pub unauthentic: u64,
    /// Encrypted packets that came once more.
    pub replayed: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    pub rtcp: RtcpStats,
    /// How the caller sounds here, estimated ([`crate::quality`]) for every [`crate::session::MOS_WINDOW`].
    pub mos: Option<MosSpan>,
    /// Frames of 20 ms made up for missing ones.
    pub concealed: u64,
    /// Times the agent's speech ran dry in the middle of a turn.
    pub underruns: u64,
    /// Times that something like speech of the caller was heard over the agent, words in passing included.
    pub overlaps: u64,
    /// Frames of 20 ms that the agent was too slow to hear.
    pub unheard: u64,
    /// Frames of 20 ms that the recorder was too slow for.
    pub unrecorded: u64,
    /// Events that nobody fetched in time.
    pub events_dropped: u64,
}

impl MediaStats {
    pub(super) fn new(codec: Codec, local: SocketAddr) -> Self {
        Self {
            codec,
            local,
            latched: None,
            received: 0,
            sent: 0,
            send_errors: 0,
            lost: 0,
            late: 0,
            junk: 0,
            refused: 0,
            srtp: None,
            unauthentic: 0,
            replayed: 0,
            jitter: Duration::ZERO,
            rtcp: RtcpStats::default(),
            mos: None,
            concealed: 0,
            underruns: 0,
            overlaps: 0,
            unheard: 0,
            unrecorded: 0,
            events_dropped: 0,
        }
    }
}

/// Messages to the media thread; the latest of each kind counts, keys queue up.
#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) remote: Option<SocketAddr>,
    pub(super) held: Option<bool>,
    pub(super) muted: Option<bool>,
    pub(super) srtp: Option<SrtpParams>,
    pub(super) relay: Option<RelayChange>,
    pub(super) rtcp_remote: Option<SocketAddr>,
    pub(super) expects_rtp: bool,
    /// `Some(None)` ends the listening.
    pub(super) listener: Option<Option<Box<ProgressListener>>>,
    /// `Some(None)` ends the watch.
    pub(super) detector: Option<Option<Box<BargeInDetector>>>,
    /// Who listens from now on, besides those who do.
    pub(super) listeners: Vec<OverhearFeed>,
    /// Bounded by [`super::control`].
    pub(super) digits: VecDeque<(char, DtmfWay)>,
}

#[derive(Debug)]
pub(super) enum RelayChange {
    Join(Box<RelayEnd>),
    Part,
}

impl RelayChange {
    pub(super) fn into_end(self) -> Option<Box<RelayEnd>> {
        match self {
            Self::Join(end) => Some(end),
            Self::Part => None,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    /// The call has no owner any more, or asks to be closed.
    pub(super) closing: AtomicBool,
    pub(super) has_mail: AtomicBool,
    mail: Mutex<Mail>,
    stats: Mutex<MediaStats>,
    pub(super) ear_ready: Notify,
    pub(super) voice: VoiceProgress,
}

/// How far the agent's speech has come. Counts only grow.
#[derive(Debug, Default)]
pub(super) struct VoiceProgress {
    /// Speech of older generations is not to be played.
    pub(super) generation: AtomicU32,
    /// Nothing is to be played now.
    pub(super) paused: AtomicBool,
    /// Samples that were played or flushed.
    pub(super) samples_gone: AtomicU64,
    /// Pieces of speech, counted from the first, of which all has been sent or flushed.
    pub(super) pieces_drained: AtomicU64,
    pub(super) room: Notify,
    pub(super) drained: Notify,
}

impl Shared {
    pub(super) fn new(stats: MediaStats) -> Self {
        Self {
            closing: AtomicBool::new(false),
            has_mail: AtomicBool::new(false),
            mail: Mutex::default(),
            stats: Mutex::new(stats),
            ear_ready: Notify::new(),
            voice: VoiceProgress::default(),
        }
    }

    pub(super) fn post<T>(&self, write: impl FnOnce(&mut Mail) -> T) -> T {
        let written = write(&mut self.mail.lock().unwrap_or_else(PoisonError::into_inner));
        self.has_mail.store(true, Ordering::Release);
        written
    }

    /// For the media thread: `read` gets the mail if there is any and nobody is writing.
    pub(super) fn collect(&self, read: impl FnOnce(&mut Mail)) {
        if self.has_mail.load(Ordering::Acquire)
            && let Ok(mut mail) = self.mail.try_lock()
        {
            self.has_mail.store(false, Ordering::Relaxed);
            read(&mut mail);
        }
    }

    pub(super) fn stats(&self) -> MediaStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the media thread: gives up when somebody is reading.
    pub(super) fn publish(&self, stats: &MediaStats) {
        if let Ok(mut published) = self.stats.try_lock() {
            *published = *stats;
        }
    }

    /// The last word, when the call leaves the media thread.
    pub(super) fn publish_final(&self, stats: &MediaStats) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = *stats;
    }
}

/// Held by each part of [`super::Media`]; the call closes when the last one is dropped.
#[derive(Debug)]
pub(super) struct Ownership(pub(super) std::sync::Arc<Shared>);

impl Drop for Ownership {
    fn drop(&mut self) {
        self.0.closing.store(true, Ordering::Release);
    }
}
