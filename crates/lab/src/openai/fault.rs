//! What can go wrong on purpose, and when.

use super::script::Exchange;
use crate::realtime::{self, Cue};
use std::time::Duration;

/// Something a session does that no script says.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers the upgrade by this HTTP status and body. Only at [`Moment::Upgrade`].
    Refuse { status: u16, body: String },
    /// An `error` event.
    Error { kind: String, code: String },
    /// Closes with this code.
    Close { code: u16, reason: String },
    /// The TCP connection ends without a word.
    Drop,
    /// `session_expired`, then a close, as after an hour.
    Expire,
    /// Sends nothing more; reads on. At [`Moment::Setup`]: `session.updated` never comes.
    Stall,
    /// Reads nothing more: the client's writes run into a wall.
    Deaf,
    /// `session.updated` takes this longer. At [`Moment::Setup`].
    SlowSetup(Duration),
    /// A text as it is: events nobody knows, broken JSON.
    Raw(String),
    /// Bytes as they are, in a binary frame.
    Junk(Vec<u8>),
    /// The next response has nothing in it.
    Empty,
    /// The next response fails.
    Fail { kind: String, code: String },
    /// The next response is cut off after its first piece, with this reason.
    Incomplete(String),
    /// Begins this exchange, when nothing else is being said.
    Speak(Box<Exchange>),
}

impl Act {
    pub fn close(code: u16, reason: &str) -> Self {
        Self::Close { code, reason: reason.to_owned() }
    }

    pub fn error(kind: &str, code: &str) -> Self {
        Self::Error { kind: kind.to_owned(), code: code.to_owned() }
    }

    pub fn fail(kind: &str, code: &str) -> Self {
        Self::Fail { kind: kind.to_owned(), code: code.to_owned() }
    }

    /// With the error document that belongs to the status.
    pub fn refuse(status: u16, code: &str) -> Self {
        Self::Refuse { status, body: format!("{{\"error\": {{\"message\": \"refused\", \"code\": \"{code}\"}}}}") }
    }
}

/// When a fault happens in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The HTTP upgrade.
    Upgrade,
    /// A valid `session.update` has come; it has not been answered.
    Setup,
    /// That long after `session.updated`.
    After(Duration),
    /// The caller begins to speak.
    Utterance,
    /// The caller's utterance is over; the answer has not begun.
    Committed,
    /// A response begins.
    Response,
    /// The first audio of a response has been sent.
    Answer,
}

impl Cue for Moment {
    const UPGRADE: Self = Self::Upgrade;

    fn delay(self) -> Option<Duration> {
        if let Self::After(delay) = self { Some(delay) } else { None }
    }
}

/// An [`Act`] at its [`Moment`].
pub type Fault = realtime::Fault<Moment, Act>;
