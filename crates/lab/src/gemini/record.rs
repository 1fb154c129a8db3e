//! What the fake saw of a session and did in it, with times, for tests and measurements.

use super::endpoint::Endpoint;
use super::fault::Act;
use crate::analysis::{self, Match};
use callie_media::resample::Down16To8;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Caller audio is kept at this rate, whatever rate was declared.
pub const UPLINK_RATE_HZ: usize = 16_000;
/// Our own trigger's words.
const GREETING_TRIGGER: &str = "Greet the other side";
/// A busy machine is forgiven; no client that stops on purpose restarts so soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Per session and list; what is beyond is counted, not kept.
const MARKS: usize = 20_000;

/// A session, running or over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Session {
    log: Arc<Mutex<SessionLog>>,
    acts: mpsc::Sender<Act>,
}

impl Session {
    pub(super) fn new(log: SessionLog, acts: mpsc::Sender<Act>) -> Self {
        Self { log: Arc::new(Mutex::new(log)), acts }
    }

    /// Looks at the record as it is now. Keep it short: the session waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&SessionLog) -> T) -> T {
        look(&self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note(&self, note: impl FnOnce(&mut SessionLog)) {
        note(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Does this now. False if the session is over, or 16 such wishes are waiting.
    pub fn act(&self, act: Act) -> bool {
        self.acts.try_send(act).is_ok()
    }
}

/// The record of one session.
#[derive(Debug)]
pub struct SessionLog {
    /// Counts from 1 in the order of the upgrades.
    pub number: u64,
    pub opened: Instant,
    /// Path of the request without its query.
    pub path: String,
    /// Headers of the upgrade without the key, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The key came in the URL, where proxies log it.
    pub key_in_query: bool,
    /// As sent, with canonical names; null before it came.
    pub setup: Value,
    pub model: String,
    /// When `setupComplete` was sent.
    pub ready: Option<Instant>,
    pub uplink: Uplink,
    pub texts: Vec<(Instant, String)>,
    /// The `clientContent` and `contextUpdate` messages.
    pub contents: Vec<Value>,
    /// Each function response.
    pub tool_responses: Vec<(Instant, Value)>,
    pub sent: Vec<(Instant, Sent)>,
    /// 24 kHz samples sent in all.
    pub sent_samples: u64,
    /// The caller had been greeted when it began: it was taken up or told of.
    pub begins_greeted: bool,
    /// What the service would have put up with, and a caller would not.
    pub complaints: Vec<String>,
    pub closed: Option<Closed>,
}

/// Something that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    SetupComplete,
    /// Audio of so many samples at 24 kHz. The time is when the socket had taken it.
    Audio {
        samples: usize,
    },
    /// Words of the caller.
    Heard(String),
    Interrupted,
    GenerationComplete,
    TurnComplete,
    /// The names and ids.
    ToolCall(Vec<(String, String)>),
    /// The ids.
    ToolCancel(Vec<String>),
    /// A handle to resume by.
    Handle(String),
    GoAway,
    Other,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub at: Instant,
    pub by: Side,
    /// `None`: without a close frame.
    pub code: Option<u16>,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Fake,
}

impl SessionLog {
    pub(super) fn new(number: u64, now: Instant, keep: Duration) -> Self {
        Self {
            number,
            opened: now,
            path: String::new(),
            headers: Vec::new(),
            key_in_query: false,
            setup: Value::Null,
            model: String::new(),
            ready: None,
            uplink: Uplink::new(keep),
            texts: Vec::new(),
            contents: Vec::new(),
            tool_responses: Vec::new(),
            sent: Vec::new(),
            sent_samples: 0,
            begins_greeted: false,
            complaints: Vec::new(),
            closed: None,
        }
    }

    pub(super) fn sent(&mut self, at: Instant, what: Sent) {
        if let Sent::Audio { samples } = what {
            self.sent_samples += samples as u64;
        }
        if self.sent.len() < MARKS {
            self.sent.push((at, what));
        }
    }

    /// A text came in. Who asks for a greeting after somebody was greeted is complained about.
    pub(super) fn text(&mut self, at: Instant, text: &str) {
        let heard = self.begins_greeted || self.sent.iter().any(|(_, sent)| matches!(sent, Sent::Audio { .. }));
        if heard && text.contains(GREETING_TRIGGER) {
            self.complaints.push(format!("a second greeting was asked for: {text}"));
        }
        self.texts.push((at, text.to_owned()));
    }

    /// Caller audio came in. It must never stop: who stops sending is never found to be silent.
    pub(super) fn hear(&mut self, samples: &[i16], now: Instant) {
        let pause = self.uplink.last.map_or(Duration::ZERO, |last| now - last);
        if pause > LONGEST_PAUSE {
            self.complaints.push(format!("the caller's audio stopped for {pause:?}"));
        }
        self.uplink.hear(samples, now);
    }

    /// When something of that kind was sent for the first time at or after `since`.
    pub fn first_sent(&self, since: Instant, wanted: impl Fn(&Sent) -> bool) -> Option<Instant> {
        self.sent.iter().find(|(at, sent)| *at >= since && wanted(sent)).map(|(at, _)| *at)
    }

    pub fn count_sent(&self, wanted: impl Fn(&Sent) -> bool) -> usize {
        self.sent.iter().filter(|(_, sent)| wanted(sent)).count()
    }
}

/// What came up from the caller.
#[derive(Debug)]
pub struct Uplink {
    pub messages: u64,
    /// Samples at 16 kHz in all.
    pub samples: u64,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    /// The longest time between two audio messages.
    pub largest_gap: Duration,
    /// When the message came with which a voice began: 60 ms of it after silence.
    pub onsets: Vec<Instant>,
    /// The message's arrival, and where its samples begin in `audio`.
    pub arrivals: Vec<(Instant, usize)>,
    /// The audio at 16 kHz, up to the length that is kept.
    pub audio: Vec<i16>,
    keep_samples: usize,
}

impl Uplink {
    pub(crate) fn new(keep: Duration) -> Self {
        Self {
            messages: 0,
            samples: 0,
            first: None,
            last: None,
            largest_gap: Duration::ZERO,
            onsets: Vec::new(),
            arrivals: Vec::new(),
            audio: Vec::new(),
            keep_samples: (keep.as_secs_f64() * UPLINK_RATE_HZ as f64) as usize,
        }
    }

    pub(crate) fn hear(&mut self, samples: &[i16], now: Instant) {
        self.messages += 1;
        self.samples += samples.len() as u64;
        if let Some(last) = self.last {
            self.largest_gap = self.largest_gap.max(now - last);
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
        let room = self.keep_samples.saturating_sub(self.audio.len());
        if room > 0 {
            self.arrivals.push((now, self.audio.len()));
            self.audio.extend_from_slice(samples.get(..samples.len().min(room)).unwrap_or_default());
        }
    }

    pub(crate) fn voice_began(&mut self, now: Instant) {
        if self.onsets.len() < MARKS {
            self.onsets.push(now);
        }
    }

    /// How much audio came.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples * 1_000_000 / UPLINK_RATE_HZ as u64)
    }

    /// Time between the first message and the last.
    pub fn elapsed(&self) -> Duration {
        self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first)
    }

    /// The audio kept, as a telephone hears it: 8 kHz.
    pub fn narrow(&self) -> Vec<i16> {
        let wide: Vec<f32> = self.audio.iter().copied().map(f32::from).collect();
        let mut narrow = vec![0.0; wide.len() / 2];
        Down16To8::new().process(&wide, &mut narrow);
        narrow.into_iter().map(|sample| sample as i16).collect()
    }

    /// Where a line (8 kHz) fits best into what was heard; [`Match::at`] is in samples at 8 kHz.
    pub fn find(&self, line: &[i16]) -> Option<Match> {
        analysis::find(line, &self.narrow())
    }

    /// Was this line (8 kHz) said?
    pub fn contains(&self, line: &[i16]) -> bool {
        analysis::contains(line, &self.narrow())
    }

    /// When the message arrived in which this sample (16 kHz) was.
    pub fn arrival_of(&self, sample: usize) -> Option<Instant> {
        let after = self.arrivals.partition_point(|(_, from)| *from <= sample);
        self.arrivals.get(after.checked_sub(1)?).map(|(at, _)| *at)
    }

    /// The utterances in what was kept, as the fake's own ear cuts them.
    pub fn utterances(&self, silence: Duration) -> usize {
        let mut endpoint = Endpoint::new(silence);
        endpoint.hear(&self.audio).into_iter().filter(|voice| *voice == super::endpoint::Voice::Began).count()
    }
}
