//! What a session of the fake does: its half of a conversation, or a pattern for measuring.

use super::speech::Speech;
use serde_json::Value;
use std::time::Duration;

/// The behaviour of a session, chosen when it is set up.
#[derive(Clone, Debug)]
pub enum Script {
    Converse(Converse),
    /// Sends the caller's audio back, resampled to 24 kHz, message by message.
    Echo,
    /// From the first input on, a tone of [`CONTINUOUS_TONE_HZ`] without end, `lead_ms` ahead of real time.
    Continuous {
        lead_ms: u32,
    },
    /// From the first input on, this speech in a burst as one turn, every so often.
    Turns {
        every: Duration,
        speech: Speech,
    },
    /// Takes everything and says nothing.
    Silent,
}

/// Pitch of [`Script::Continuous`], hertz.
pub const CONTINUOUS_TONE_HZ: f64 = 400.0;

/// A scripted conversation: the greeting, then one exchange for each of the caller's utterances.
#[derive(Clone, Debug, Default)]
pub struct Converse {
    /// Said when the first text comes in: the greeting trigger. A trigger alone is not taken for an utterance.
    pub greeting: Option<Speech>,
    pub exchanges: Vec<Exchange>,
    /// Said to every utterance beyond the exchanges.
    pub beyond: Option<Speech>,
    /// Answers to texts after the greeting trigger that contain these words; the first match counts. A text that matches
    /// nothing gets the next exchange if the last turn was empty or the session was taken up or told of, or else `beyond`.
    pub texts: Vec<(String, Exchange)>,
    pub interruption: Interruption,
    /// It does not notice that the caller talks over it.
    pub stubborn: bool,
}

/// What happens when the caller talks over an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Pieces of 100 ms of the interrupted turn that still arrive after `interrupted`.
    pub late_pieces: usize,
    /// The turn is closed by `turnComplete`, after the late pieces.
    pub turn_complete: bool,
}

impl Default for Interruption {
    fn default() -> Self {
        Self { late_pieces: 0, turn_complete: true }
    }
}

/// What the fake does about one utterance of the caller. Without steps it is an empty turn.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The caller's words, for `inputTranscription`; nothing is transcribed if empty.
    pub heard: String,
    pub hearing: Hearing,
    pub steps: Vec<Step>,
    pub end: TurnEnd,
}

impl Exchange {
    /// The caller says `heard`, the fake says `speech`.
    pub fn new(heard: &str, speech: Speech) -> Self {
        Self::of(heard, vec![Step::Say(speech)])
    }

    pub fn of(heard: &str, steps: Vec<Step>) -> Self {
        Self { heard: heard.to_owned(), hearing: Hearing::Early, steps, end: TurnEnd::Complete }
    }

    /// `turnComplete` without any content, as happens to real callers.
    pub fn empty(heard: &str) -> Self {
        Self::of(heard, Vec::new())
    }

    /// An empty turn with the reason `RESPONSE_REJECTED`.
    pub fn rejected(heard: &str) -> Self {
        Self { end: TurnEnd::Because("RESPONSE_REJECTED".to_owned()), ..Self::empty(heard) }
    }

    /// Ends with `end_call` after the last words; the answer to it is waited for.
    pub fn then_end_call(mut self) -> Self {
        self.steps.push(Step::Call(vec![ToolCall::new("end_call", serde_json::json!({"reason": "the caller said goodbye"}))]));
        self
    }

    /// Transcribes the caller this long after the answer has begun.
    pub fn heard_late(mut self, after: Duration) -> Self {
        self.hearing = Hearing::Late(after);
        self
    }
}

/// When the caller's words are transcribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// Before the answer.
    Early,
    /// This long after the turn has begun.
    Late(Duration),
}

#[derive(Clone, Debug)]
pub enum Step {
    Say(Speech),
    /// All of it in one message.
    Burst(Speech),
    /// Asks for tools, in one message, and goes on when all are answered.
    Call(Vec<ToolCall>),
    /// Asks for tools and goes on at once; the answers may come at any time.
    CallAside(Vec<ToolCall>),
    /// Takes back all calls that are not answered yet.
    Cancel,
    Pause(Duration),
    /// This text as a message of its own, whatever it is.
    Raw(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    pub name: String,
    pub args: Value,
}

impl ToolCall {
    pub fn new(name: &str, args: Value) -> Self {
        Self { name: name.to_owned(), args }
    }
}

/// How a turn is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// `generationComplete`, then, when it must have been played, `turnComplete` with the usage.
    Complete,
    /// `turnComplete` with this `turnCompleteReason`.
    Because(String),
    /// Nothing more is said about it.
    Missing,
}
