//! What can go wrong on purpose, and when.

use super::script::{Exchange, Script};
use crate::realtime::{self, Cue};
use std::time::Duration;

/// Something a session does that no script says.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answers the upgrade by this HTTP status and body. Only at [`Moment::Upgrade`].
    Refuse {
        status: u16,
        body: String,
    },
    /// Closes with this code; the reason is cut to 123 bytes.
    Close {
        code: u16,
        reason: String,
    },
    /// The TCP connection ends without a word.
    Drop,
    /// Sends nothing more; reads on. At [`Moment::Setup`]: `setupComplete` never comes.
    Stall,
    /// Announces the end, and closes with this code when the time is over.
    GoAway {
        time_left: Duration,
        code: u16,
        reason: String,
    },
    /// `setupComplete` comes so much later. Only at the moments of the setup.
    SlowSetup {
        by: Duration,
    },
    /// A text as it is, in a text frame: unknown messages, broken JSON.
    Raw(String),
    /// Bytes as they are, in a binary frame.
    Junk(Vec<u8>),
    /// A valid message with an unknown field of that many bytes.
    Huge {
        bytes: usize,
    },
    Ping,
    /// From now on every message goes out in frames of this size, with a pause between them.
    Drip {
        frame_bytes: usize,
        pause: Duration,
    },
    /// Reads nothing more: the client's writes run into a wall.
    Deaf,
    /// The next turn is `turnComplete` alone.
    EmptyTurn,
    /// The next turn is `turnComplete` alone, with the reason `RESPONSE_REJECTED`.
    RejectTurn,
    /// Begins this exchange, after the running turn if there is one.
    Speak(Box<Exchange>),
    /// From now on this script; what runs is forgotten.
    Follow(Script),
    /// The running turn is interrupted, as if the caller had spoken.
    Interrupt,
}

impl Act {
    pub fn close(code: u16, reason: &str) -> Self {
        Self::Close { code, reason: reason.to_owned() }
    }

    pub fn refuse(status: u16) -> Self {
        Self::Refuse { status, body: format!("{{\"error\": {{\"code\": {status}}}}}") }
    }
}

/// When a fault happens in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The HTTP upgrade.
    Upgrade,
    /// A valid setup has come; `setupComplete` has not been sent.
    Setup,
    /// A valid setup has come that takes up another session.
    Resume,
    /// A valid setup has come of a session that is to be told what was said.
    Seed,
    /// That long after `setupComplete`.
    After(Duration),
    /// The caller begins to speak.
    Utterance,
    /// The caller has spoken; the answer is still to come.
    Question,
    /// The first audio of a turn has been sent.
    Answer,
    /// Tools have been asked for.
    ToolCall,
}

impl Cue for Moment {
    const UPGRADE: Self = Self::Upgrade;

    fn delay(self) -> Option<Duration> {
        if let Self::After(delay) = self { Some(delay) } else { None }
    }
}

/// An [`Act`] at its [`Moment`].
pub type Fault = realtime::Fault<Moment, Act>;
