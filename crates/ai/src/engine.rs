//! The seam between a call and whatever talks in it.
//!
//! The bridge owns an [`EngineSession`] and is its only user: it feeds caller audio with [`EngineSession::hear`], polls
//! [`EngineSession::poll_event`] for what the engine wants, and drops the session when the call is over. Sessions never touch
//! a socket of the call, a clock of the media path or the call's state.
//!
//! ```text
//!   caller ─ 16 kHz frames ─▶ hear()          poll_event() ─ Audio{24 kHz} ─▶ playout ─▶ caller
//!                             start()  dtmf()               ─ Goodbye, Said, Interrupted …
//! ```

use crate::{
    EngineError,
    tools::{ToolUse, Toolbox},
};
use async_trait::async_trait;
use callie_domain::{Offer, record::Message};
use std::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};

/// What an engine can do; the bridge and the API adapt to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Understands the caller; without it the engine only speaks.
    pub listens: bool,
    /// Signals by itself when the caller talks over it.
    pub detects_interruption: bool,
    /// Sample rate of the audio it wants, hertz: 8,000, 16,000 or 24,000.
    pub input_rate: u32,
    /// Sample rate of the audio it gives, hertz: 8,000, 16,000 or 24,000.
    pub output_rate: u32,
}

/// What the engine is told about the call it will hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// The words to begin with, as configured or as given for this call.
    pub greeting: String,
    pub display_name: String,
    pub instructions: Option<String>,
    pub model: Option<String>,
    pub voice: Option<String>,
    /// BCP 47, for example `de-DE`.
    pub language: Option<String>,
    /// Number or name of the other side, as signalled: a stranger's text.
    pub remote_party: String,
    /// We called them.
    pub outbound: bool,
    /// To whom the agent may hand the caller over, by name.
    pub transfer_targets: Vec<String>,
    /// All that the agent can do besides talking, [`crate::tools::transfer`] for those targets with it. An engine that does not
    /// talk by a model has its own ways.
    pub tools: Toolbox,
    /// 0 is sober, 2 is wild; an engine that knows none ignores it.
    pub temperature: Option<f32>,
    /// What was said before this engine takes over in mid-call, oldest first. It then begins with the greeting, which bridges
    /// the gap, and neither greets nor introduces itself again.
    pub history: Vec<Utterance>,
}

impl Brief {
    /// The same call for an engine that takes over in mid-call: it begins with `bridging`, knows what was said, and what was meant
    /// for the engine before it alone is gone.
    #[must_use]
    pub fn taken_over(&self, bridging: &str, history: Vec<Utterance>) -> Self {
        Self { greeting: bridging.to_owned(), history, model: None, voice: None, ..self.clone() }
    }
}

/// One turn of a conversation so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    pub by_agent: bool,
    pub text: String,
}

/// What an engine reports.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineEvent {
    /// Speech to be played: mono, at [`Capabilities::output_rate`], of any length and burstiness.
    Audio(Vec<i16>),
    /// Words of the agent, in pieces: what the audio since the last piece says.
    Said(String),
    /// The audio so far is a whole turn: running dry after it is no gap.
    TurnComplete,
    /// Words of the caller, in pieces. May come late, even after the answer has begun.
    Heard(String),
    /// The agent used a tool, and this came of it.
    ToolUsed(ToolUse),
    /// The agent took a message for the one it speaks for.
    MessageTaken(Message),
    Usage(Usage),
    /// Something degraded but the conversation goes on; for the record.
    Notice(String),
    /// The engine goes on in another session of its service, and why. `resumed`: the service remembers the conversation;
    /// otherwise it was told.
    SessionChanged {
        reason: String,
        resumed: bool,
    },
    /// The caller talks over the agent: what is queued must not be played.
    Interrupted,
    /// The agent hands the caller over to the target of that name ([`Brief::transfer_targets`]), once its words have been played.
    Transfer {
        target: String,
    },
    /// After [`Prompt::BriefHuman`]: whether the human takes the caller.
    TransferDecision {
        accepted: bool,
    },
    /// The engine has said its last words: hang up once they have been played.
    Goodbye,
    /// The session is over and will report nothing more.
    Failed(EngineError),
}

/// What an engine used, summed over the session so far.
///
/// The counts by modality are zero where the service does not tell them apart, and need not add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub total_tokens: u64,
    pub audio_input_tokens: u64,
    pub audio_output_tokens: u64,
    pub text_input_tokens: u64,
    pub text_output_tokens: u64,
    /// Of the input tokens, those that were billed as cached.
    pub cached_input_tokens: u64,
}

impl Usage {
    /// Both together, count by count.
    #[must_use]
    pub fn merged(self, other: Self, merge: fn(u64, u64) -> u64) -> Self {
        Self {
            input_tokens: merge(self.input_tokens, other.input_tokens),
            output_tokens: merge(self.output_tokens, other.output_tokens),
            total_tokens: merge(self.total_tokens, other.total_tokens),
            audio_input_tokens: merge(self.audio_input_tokens, other.audio_input_tokens),
            audio_output_tokens: merge(self.audio_output_tokens, other.audio_output_tokens),
            text_input_tokens: merge(self.text_input_tokens, other.text_input_tokens),
            text_output_tokens: merge(self.text_output_tokens, other.text_output_tokens),
            cached_input_tokens: merge(self.cached_input_tokens, other.cached_input_tokens),
        }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.merged(other, u64::saturating_add)
    }
}

/// Something the line wants said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// Nobody has spoken for a while: ask whether the caller is still there.
    StillThere,
    /// Still nobody speaks: say goodbye, then [`EngineEvent::Goodbye`].
    SilenceGoodbye,
    /// From now on the agent speaks to the human to whom the caller is to be handed over, while the caller waits and hears
    /// nothing of it: say who calls and why, and ask whether they take the call.
    BriefHuman { target: String, message: Option<String> },
    /// An answering machine records: say exactly this, then [`EngineEvent::Goodbye`].
    LeaveMessage { message: String },
    /// The agent is with the caller again, who could not be handed over.
    TransferFailed { target: String, reason: String },
    /// A supervisor's word to the agent, of which the caller hears nothing; not answered by itself.
    Hint { text: String },
}

/// Opens sessions. One instance serves all calls.
#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug {
    /// The name used in the user document, the API and the logs.
    fn name(&self) -> &'static str;

    fn capabilities(&self) -> Capabilities;

    /// Connects while the phone rings; the session is silent until [`EngineSession::start`].
    async fn open(&self, brief: Brief) -> Result<Box<dyn EngineSession>, EngineError>;

    /// The model that would hold this call, where there is one to name.
    fn model(&self, brief: &Brief) -> Option<String> {
        brief.model.clone()
    }

    /// Whether [`Prompt::Hint`] reaches whoever talks here.
    fn takes_hints(&self) -> bool {
        false
    }

    /// What a user may choose. For forms.
    fn offer(&self) -> Offer {
        Offer {
            title: self.name().to_owned(),
            listens: self.capabilities().listens,
            takes_hints: self.takes_hints(),
            ..Offer::default()
        }
    }

    /// Whether such a call could be held now: a session is opened and hung up at once.
    async fn check(&self, brief: Brief) -> Result<(), EngineError> {
        self.open(brief).await.map(drop)
    }
}

/// One conversation.
pub trait EngineSession: Send {
    /// The line is open: begin with the greeting.
    fn start(&mut self);

    /// Caller audio: mono, at [`Capabilities::input_rate`], in frames of 20 ms without gaps. Must return at once.
    fn hear(&mut self, samples: &[i16]);

    /// How long the caller's speech waited here the last time before it went to the service: for a message to be full, and for the
    /// socket to take it. Nothing waits in an engine without a service.
    fn uplink_delay(&self) -> Duration {
        Duration::ZERO
    }

    /// The caller pressed a key.
    fn dtmf(&mut self, digit: char);

    /// The line wants something said. An engine that cannot may ignore it.
    fn prompt(&mut self, prompt: Prompt);

    /// The caller was heard to speak over the agent, and what was queued is not played: of the audio handed out since the last
    /// [`Self::playout_drained`], which follows at once, so much was heard. An engine that keeps no account of it may ignore it.
    fn cut_off(&mut self, _played: Duration) {}

    /// The caller has spoken and hears nothing: ask the model once more, unless that has just been done. An engine without a
    /// service ignores it.
    fn nudge(&mut self) {}

    /// Still nothing: go on in another session of the service, unless that has just been done.
    fn renew(&mut self) {}

    /// Everything handed out so far has been played (or flushed).
    fn playout_drained(&mut self);

    /// The next event. Wakes the task when there is one; after [`EngineEvent::Failed`] it stays pending.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<EngineEvent>;
}
