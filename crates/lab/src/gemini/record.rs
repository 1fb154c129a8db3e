//! What the fake saw of a session and did in it, with times, for tests and measurements.

use crate::realtime::{Closed, Log, Uplink};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Our own trigger's words.
const GREETING_TRIGGER: &str = "Greet the other side";
/// A busy machine is forgiven; no client that stops on purpose restarts so soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Per session; what is beyond is counted, not kept.
const MARKS: usize = 20_000;

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

impl Log for SessionLog {
    fn close(&mut self, closed: Closed) {
        self.closed.get_or_insert(closed);
    }
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
