//! What happens in a call, as it is kept and pushed to the live feed.

use super::{AnsweredBy, Claim, Message, Termination, Turn};
use crate::call::transfer::Completion;
use crate::toll::Limit;
use crate::user::TransferMode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Caller,
    Agent,
}

/// How the use of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEnd {
    /// It gave what was asked for.
    Result,
    /// It could not, and said why.
    Error,
    /// It took too long and was stopped.
    Timeout,
    /// Nobody wanted it any more: the model took it back, or the call was over.
    Cancelled,
}

/// A request that the use of a tool sent, with nothing of what was asked or answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRequest {
    /// The span that the other side was told as its parent (W3C Trace Context): 16 hexadecimal digits.
    pub span: String,
    /// `GET` of a web service, `tools/call` of an MCP server.
    pub method: String,
    pub host: String,
    pub port: u16,
    /// From the beginning of the use, milliseconds.
    pub after_ms: u64,
    pub took_ms: u64,
    /// Of HTTP, where there was an answer of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was none, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is done about dead air, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadAirStep {
    /// The engine is asked once more.
    Nudge,
    /// It is to go on in another session of its service.
    Renew,
    /// Another engine is called.
    TakeOver,
}

/// What became of a barge-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BargeInOutcome {
    /// The caller meant it: what the agent still had to say was dropped.
    Interrupted,
    /// It was nothing: the agent went on where it had stopped.
    Resumed,
}

/// What an engine was given and gave, summed over its session so far. The counts by modality are zero where they are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenCounts {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub total_tokens: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audio_input_tokens: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audio_output_tokens: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub text_input_tokens: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub text_output_tokens: u64,
    /// Of the input tokens, those that were billed as cached.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_input_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl TokenCounts {
    fn all(self) -> [u64; 8] {
        [
            self.input_tokens,
            self.output_tokens,
            self.total_tokens,
            self.audio_input_tokens,
            self.audio_output_tokens,
            self.text_input_tokens,
            self.text_output_tokens,
            self.cached_input_tokens,
        ]
    }

    /// In any of its counts.
    pub fn is_below(self, other: Self) -> bool {
        self.all().iter().zip(other.all()).any(|(own, other)| *own < other)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            total_tokens: self.total_tokens.saturating_add(other.total_tokens),
            audio_input_tokens: self.audio_input_tokens.saturating_add(other.audio_input_tokens),
            audio_output_tokens: self.audio_output_tokens.saturating_add(other.audio_output_tokens),
            text_input_tokens: self.text_input_tokens.saturating_add(other.text_input_tokens),
            text_output_tokens: self.text_output_tokens.saturating_add(other.text_output_tokens),
            cached_input_tokens: self.cached_input_tokens.saturating_add(other.cached_input_tokens),
        }
    }
}

/// One event: when, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallEvent {
    pub at: Timestamp,
    /// Milliseconds since the call began.
    pub offset_ms: u64,
    #[serde(flatten)]
    pub fact: CallFact,
}

/// What happened. Stored as JSON under the tag `event`; variants may be added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CallFact {
    /// An INVITE came in.
    Invited {
        from: String,
    },
    /// We sent an INVITE.
    Dialled {
        to: String,
    },
    /// 100–199 of the other side, or ours to it.
    Ringing {
        code: u16,
    },
    MediaOpened {
        local_port: u16,
        codec: String,
    },
    AgentReady {
        engine: String,
        /// The model that talks, where it has a name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
    Answered,
    /// The dialog is up: our 200 was acknowledged, or we acknowledged theirs.
    Established,
    /// The first RTP packet of the other side, and where it really came from.
    RtpLatched {
        address: String,
    },
    /// A tone of the network, of a fax machine or of an answering machine was heard; told once for each kind.
    ToneHeard {
        tone: String,
    },
    /// Who has answered, and what speaks for it. A later one replaces it.
    AnsweredBy {
        by: AnsweredBy,
        evidence: String,
    },
    /// The message for an answering machine is spoken from now on.
    MessageDropped {
        message: String,
    },
    SpeechStarted {
        speaker: Speaker,
    },
    /// `text` is what was said, where it is known.
    SpeechEnded {
        speaker: Speaker,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// The caller spoke over the agent, which fell silent so many milliseconds into the call.
    BargeIn {
        at_ms: u64,
        outcome: BargeInOutcome,
    },
    /// A turn is over and its words are known. A later one with the same index replaces it.
    Turn {
        turn: Turn,
    },
    Dtmf {
        digit: char,
    },
    /// The agent used a tool. Arguments and result are JSON texts, shortened.
    ToolUsed {
        name: String,
        arguments: String,
        result: String,
        /// How it ended; absent in records of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<ToolEnd>,
        /// From the agent's wish to this, milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took_ms: Option<u64>,
        /// What it sent into the network for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        requests: Vec<ToolRequest>,
    },
    /// The agent took a message for the user.
    MessageTaken {
        message: Message,
    },
    /// A conversation engine failed; another takes over, or the call ends.
    EngineFailed {
        engine: String,
        cause: String,
        detail: String,
        remedy: String,
    },
    /// The engine went on in another session of its service. `resumed`: the service remembered the conversation; otherwise it
    /// was told.
    SessionChanged {
        engine: String,
        reason: String,
        resumed: bool,
    },
    /// The caller has spoken, nothing was audible for so long, and this was done about it.
    DeadAir {
        step: DeadAirStep,
        silent_ms: u64,
    },
    /// The agent is heard again, so long after the caller.
    DeadAirEnded {
        silent_ms: u64,
    },
    /// What the engine says it used, summed over the call so far.
    EngineUsage {
        #[serde(flatten)]
        tokens: TokenCounts,
    },
    Hold {
        on: bool,
    },
    /// The caller is being handed over: to a target by its name, or to a number.
    TransferStarted {
        mode: TransferMode,
        target: String,
    },
    /// News of the target's telephone, by the provider's NOTIFY or from our own leg to it.
    TransferProgress {
        code: u16,
        phrase: String,
    },
    /// The provider does not transfer; we call the target ourselves.
    TransferFellBack {
        reason: String,
    },
    /// The caller and the target are together: `joined` by us, or `referred` by the provider.
    TransferCompleted {
        how: Completion,
    },
    /// The agent goes on with the caller, unless the call is over.
    TransferFailed {
        reason: String,
    },
    /// Another leg took the place of the call's (RFC 3891).
    LegReplaced {
        sip_call_id: String,
    },
    /// A limit of the user does not allow what was to be dialled.
    DialRefused {
        to: String,
        limit: Limit,
        detail: String,
    },
    /// The agent said that it did something which no tool of the call did.
    ClaimUnsupported {
        claim: Claim,
    },
    /// A supervisor listens to the call from now on.
    ListenedIn,
    /// A supervisor's word to the agent, of which the caller heard nothing.
    HintGiven {
        text: String,
    },
    /// Something degraded but the call goes on.
    Warning {
        text: String,
    },
    Ended {
        termination: Termination,
    },
}
