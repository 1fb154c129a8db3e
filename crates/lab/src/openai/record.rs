//! What the fake saw of a session and did in it, with times, for tests and measurements.

use crate::realtime::{Closed, Log, Uplink};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Per session and list; what is beyond is not kept.
const MARKS: usize = 20_000;

/// The record of one session.
#[derive(Debug)]
pub struct SessionLog {
    /// Counts from 1 in the order of the upgrades.
    pub number: u64,
    pub opened: Instant,
    /// Headers of the upgrade without the key, names in lower case.
    pub headers: Vec<(String, String)>,
    pub model: String,
    /// The session that was asked for first, as sent; null before it came.
    pub setup: Value,
    /// When `session.updated` was sent.
    pub ready: Option<Instant>,
    /// The caller, at 16 kHz.
    pub uplink: Uplink,
    /// The caller as it came: G.711 codes, or bytes of samples, up to the length that is kept.
    pub raw: Vec<u8>,
    /// Messages of audio that came before the session was updated, and were read in the wrong format.
    pub misread: u64,
    /// Everything but audio that came, whole.
    pub received: Vec<(Instant, Value)>,
    pub sent: Vec<(Instant, Sent)>,
    /// What was truncated, and to how many milliseconds.
    pub truncated: Vec<(Instant, String, u64)>,
    /// Calls that had no answer when the next response was asked for.
    pub unanswered: Vec<String>,
    pub pings: u64,
    pub closed: Option<Closed>,
    keep: usize,
}

/// Something that went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Created,
    Updated,
    SpeechStarted,
    Committed,
    /// Words of the caller.
    Heard(String),
    ResponseCreated,
    /// Audio of so many milliseconds.
    Audio {
        ms: u64,
    },
    /// The status.
    ResponseDone(String),
    Truncated,
    /// The code.
    Error(String),
    Other,
}

impl Log for SessionLog {
    fn close(&mut self, closed: Closed) {
        self.closed.get_or_insert(closed);
    }

    fn ping(&mut self) {
        self.pings += 1;
    }
}

impl SessionLog {
    pub(super) fn new(number: u64, now: Instant, keep: Duration) -> Self {
        Self {
            number,
            opened: now,
            headers: Vec::new(),
            model: String::new(),
            setup: Value::Null,
            ready: None,
            uplink: Uplink::new(keep),
            raw: Vec::new(),
            misread: 0,
            received: Vec::new(),
            sent: Vec::new(),
            truncated: Vec::new(),
            unanswered: Vec::new(),
            pings: 0,
            closed: None,
            keep: keep.as_secs() as usize * 48_000,
        }
    }

    pub(super) fn hear(&mut self, raw: &[u8], samples: &[i16], now: Instant) {
        self.uplink.hear(samples, now);
        let room = self.keep.saturating_sub(self.raw.len());
        self.raw.extend_from_slice(raw.get(..raw.len().min(room)).unwrap_or_default());
    }

    pub(super) fn receive(&mut self, message: Value, now: Instant) {
        if self.received.len() < MARKS {
            self.received.push((now, message));
        }
    }

    pub(super) fn send(&mut self, what: Sent, now: Instant) {
        if self.sent.len() < MARKS {
            self.sent.push((now, what));
        }
    }

    /// What came of this type.
    pub fn messages(&self, kind: &str) -> Vec<&Value> {
        self.received.iter().map(|(_, message)| message).filter(|message| message["type"] == kind).collect()
    }

    /// The texts of all items that the client has created, in order.
    pub fn told(&self) -> Vec<&str> {
        let items = self.messages("conversation.item.create");
        items.into_iter().filter_map(|message| message["item"]["content"][0]["text"].as_str()).collect()
    }

    pub fn count_sent(&self, wanted: impl Fn(&Sent) -> bool) -> usize {
        self.sent.iter().filter(|(_, sent)| wanted(sent)).count()
    }

    /// The codes of the errors that the client was told.
    pub fn errors(&self) -> Vec<&str> {
        self.sent.iter().filter_map(|(_, sent)| if let Sent::Error(code) = sent { Some(code.as_str()) } else { None }).collect()
    }

    /// When something of that kind was sent for the first time at or after `since`.
    pub fn first_sent(&self, since: Instant, wanted: impl Fn(&Sent) -> bool) -> Option<Instant> {
        self.sent.iter().find(|(at, sent)| *at >= since && wanted(sent)).map(|(at, _)| *at)
    }
}
