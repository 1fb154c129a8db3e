//! What goes wrong on purpose, and when.

use super::script::Exchange;
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

/// An [`Act`] at its [`Moment`].
#[derive(Clone, Debug)]
pub struct Fault {
    pub at: Moment,
    pub act: Act,
}

impl Fault {
    pub fn new(at: Moment, act: Act) -> Self {
        Self { at, act }
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// With the number of times they may still happen; `None` is always.
    active: Vec<(Fault, Option<u32>)>,
}

impl Faults {
    pub fn set(&mut self, fault: Fault, times: Option<u32>) {
        self.active.push((fault, times));
    }

    pub fn clear(&mut self) {
        self.active.clear();
    }

    /// What happens at this moment; uses up one of the times.
    pub fn take(&mut self, at: Moment) -> Vec<Act> {
        self.take_if(|moment| moment == at).into_iter().map(|fault| fault.act).collect()
    }

    /// What is to happen so long after the setup.
    pub fn take_timed(&mut self) -> Vec<(Duration, Act)> {
        let delay = |fault: Fault| match fault.at {
            Moment::After(delay) => Some((delay, fault.act)),
            _ => None,
        };
        self.take_if(|moment| matches!(moment, Moment::After(_))).into_iter().filter_map(delay).collect()
    }

    fn take_if(&mut self, wanted: impl Fn(Moment) -> bool) -> Vec<Fault> {
        let mut taken = Vec::new();
        self.active.retain_mut(|(fault, times)| {
            if !wanted(fault.at) {
                return true;
            }
            taken.push(fault.clone());
            times.as_mut().is_none_or(|times| {
                *times = times.saturating_sub(1);
                *times > 0
            })
        });
        taken
    }
}
