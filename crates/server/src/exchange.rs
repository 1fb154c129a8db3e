//! The exchange as the API sees it: lines and calls, without a task or a socket in sight.
//!
//! The composition root implements [`Exchange`] over the accounts reconciler and the call registry; tests implement it with
//! a few lines.

mod joining;

pub use joining::{HintError, ListenError, Listening, Spoken, TalkError, TalkLine};

use async_trait::async_trait;
use callie_domain::examination::Report;
use callie_domain::record::{CallEvent, Cdr, Direction, SipMessage};
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::toll::{Limit, Refusal};
use callie_domain::user::{TransferMode, VoicemailWish};
use callie_domain::{CallId, DialTarget, User, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// One user's line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineStatus {
    /// An account runs for this user: registered, or trying to.
    pub connected: bool,
    pub registration: RegistrationStatus,
    pub active_calls: usize,
}

/// A call that is up now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActiveCall {
    pub id: CallId,
    pub user_id: UserId,
    pub direction: Direction,
    pub remote_party: String,
    pub started_at: Timestamp,
    pub answered: bool,
}

/// What the API asks for when a user is to call somebody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DialRequest {
    pub user: UserId,
    #[serde(with = "as_dialled")]
    pub target: DialTarget,
    #[serde(default)]
    pub words: CallWords,
    /// What is done about an answering machine in this one call.
    #[serde(default)]
    pub voicemail: VoicemailWish,
    /// The call's name, where it is settled already.
    #[serde(skip)]
    pub id: Option<CallId>,
}

/// What one call says otherwise than the user's document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallWords {
    /// Spoken instead of the greeting.
    pub message: Option<String>,
    /// In place of the user's.
    pub instructions: Option<String>,
    /// Over the user's.
    pub variables: BTreeMap<String, String>,
    /// Kept with the call's record; variables of the name `metadata.…`.
    pub metadata: BTreeMap<String, String>,
}

impl CallWords {
    pub fn saying(message: Option<String>) -> Self {
        Self { message, ..Self::default() }
    }
}

impl DialRequest {
    /// A call as the user's settings have it.
    pub fn new(user: UserId, target: DialTarget) -> Self {
        Self { user, target, words: CallWords::default(), voicemail: VoicemailWish::default(), id: None }
    }
}

/// Orders are kept as JSON; a target in them is what a client would write.
mod as_dialled {
    use callie_domain::DialTarget;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(target: &DialTarget, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(target)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DialTarget, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What came in by SIP since the start, and what of it was turned away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SipCounts {
    pub connections: usize,
    pub datagrams: u64,
    /// Datagrams and messages of connections that were no SIP.
    pub garbage: u64,
    /// Calls that wait for their ACK now.
    pub setting_up: usize,
    pub refused_too_many: u64,
    pub refused_strangers: u64,
    pub refused_not_provider: u64,
    pub refused_no_room: u64,
    pub refused_other: u64,
    pub refused_connections: u64,
}

/// How the media threads have kept their time since the start, summed over all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaCounts {
    pub ticks: u64,
    /// Those that began more than 2 ms late.
    pub late_ticks: u64,
    pub worst_lateness: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    #[error("user {0} does not exist")]
    NoSuchUser(UserId),
    #[error("user {0} has no registered line: connect it first (POST /users/{0}/sip/connect)")]
    NotConnected(UserId),
    #[error("user {0} is at its limit of concurrent calls")]
    TooManyCalls(UserId),
    #[error("the server is stopping")]
    ShuttingDown,
    /// `call` is the record of the refusal.
    #[error("{refusal}; recorded as call {call}")]
    Limited { refusal: Refusal, call: CallId },
    #[error("{0}")]
    Internal(String),
}

impl DialError {
    /// Whether the same call may be placed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotConnected(_) | Self::TooManyCalls(_) | Self::ShuttingDown | Self::Internal(_) => true,
            // Which day it is, and what was spent, changes by itself.
            Self::Limited { refusal, .. } => refusal.limit.passes() || refusal.limit == Limit::CallingWindows,
            Self::NoSuchUser(_) => false,
        }
    }
}

/// Why keys are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    #[error("the call has ended or never was")]
    NoSuchCall,
    #[error("the call has no audio yet, or ends: keys can be sent once it is answered")]
    NotTalking,
    #[error("the other side takes no telephone events; set the user's sip.dtmf to auto, info or inband")]
    NotNegotiated,
    #[error("{0:?} is no key of a telephone")]
    NotAKey(char),
    #[error("too many keys are waiting to be sent")]
    TooMany,
}

/// Why a call is not held, or not taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    #[error("the call has ended or never was")]
    NoSuchCall,
    #[error("the call has no audio yet, or ends")]
    NotTalking,
    #[error("the other side refuses ({0})")]
    Refused(u16),
    #[error("{0}")]
    Failed(String),
}

/// A line to be examined.
#[derive(Debug, Clone, PartialEq)]
pub struct ExaminationRequest {
    pub user: UserId,
    /// A number of the line; without it the account calls its own name.
    pub number: Option<DialTarget>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExaminationError {
    #[error("user {0} does not exist")]
    NoSuchUser(UserId),
    #[error("the line of {0} is being examined: wait for the report")]
    UnderWay(UserId),
}

/// Whether a user's engine could hold a call now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineCheck {
    /// The one that would talk.
    pub engine: &'static str,
    pub model: Option<String>,
    pub voice: Option<String>,
    /// Why it is not the engine that the user asks for.
    pub warning: Option<String>,
    pub fault: Option<EngineFault>,
    pub took: Duration,
}

/// Why it could not, in the words of the call records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFault {
    pub cause: &'static str,
    pub detail: String,
    pub remedy: &'static str,
}

/// What the API asks of a call that is up, about handing its caller over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferOrder {
    Begin(TransferRequest),
    /// Join the caller and the human to whom the agent speaks.
    Join,
    /// Back to the caller.
    Cancel,
}

/// To whom, how, and what they are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRequest {
    /// The name of one of the user's targets, or whatever may be dialled.
    pub target: String,
    /// That of the target, or blind, without it.
    pub mode: Option<TransferMode>,
    /// What the human is told first, where the agent speaks to them.
    pub message: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    #[error("the call has ended or never was")]
    NoSuchCall,
    #[error("the call cannot be handed over now: it is not answered yet, or ends")]
    NotTalking,
    #[error("the call is being handed over already")]
    UnderWay,
    #[error("the call is not being handed over, or no longer waits for this")]
    NotUnderWay,
    #[error("{0:?} is neither the name of a transfer target of the user nor a number that can be dialled")]
    NoSuchTarget(String),
    #[error("{0}")]
    Limited(Refusal),
}

/// What the live feed carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LiveEvent {
    /// Something happened in a call.
    Call {
        call_id: CallId,
        user_id: UserId,
        direction: Direction,
        #[serde(flatten)]
        event: CallEvent,
    },
    /// A call's record is complete.
    CallRecorded { cdr: Box<Cdr> },
    /// A text model has written about a call, or never will; its record says which.
    CallSummarised { cdr: Box<Cdr> },
    /// A registration changed.
    Registration { user_id: UserId, registration: RegistrationStatus },
    /// A line has been without a binding for longer than people should wait to be told.
    RegistrationAlert { user_id: UserId, registration: RegistrationStatus },
    /// A user's document was created, changed or deleted.
    User { user_id: UserId, change: &'static str },
}

/// Lines and calls.
#[async_trait]
pub trait Exchange: Send + Sync + 'static {
    /// `None` when no such user is known to the reconciler (yet).
    fn line(&self, user: &UserId) -> Option<LineStatus>;

    /// Where a user's line stands, for whoever looks at all of them.
    fn line_state(&self, user: &UserId) -> RegistrationState;

    /// The last SIP messages of a user's line, oldest first; `None` when none runs.
    fn line_trace(&self, user: &UserId) -> Option<Vec<SipMessage>>;

    fn sip_counts(&self) -> SipCounts;

    fn media_counts(&self) -> MediaCounts;

    fn active_calls(&self) -> Vec<ActiveCall>;

    /// Begins a call and returns at once; its course is told by events and its record.
    async fn dial(&self, request: DialRequest) -> Result<CallId, DialError>;

    /// Ends a call that is up. `false` when there is none of that name.
    async fn hang_up(&self, call: CallId) -> bool;

    /// Presses keys in a call that is up.
    async fn send_keys(&self, call: CallId, digits: &str) -> Result<(), KeysError>;

    /// Examines a user's line; takes some ten seconds.
    async fn examine(&self, request: ExaminationRequest) -> Result<Arc<Report>, ExaminationError>;

    /// The latest report of this user since the server started.
    fn last_report(&self, user: &UserId) -> Option<Arc<Report>>;

    /// Opens a session of the user's engine as for a call, and hangs up at once.
    async fn check_engine(&self, user: &User) -> EngineCheck;

    /// Hands the caller of a call over, or goes on with that; its course is told by the call's events.
    async fn transfer(&self, call: CallId, order: TransferOrder) -> Result<(), TransferError>;

    /// Both sides of a call that is up, for a supervisor.
    async fn listen(&self, call: CallId) -> Result<Listening, ListenError>;

    /// Tells the agent of a call something of which the caller hears nothing.
    async fn hint(&self, call: CallId, text: &str) -> Result<(), HintError>;

    /// Begins a call of somebody without a telephone with the user's agent.
    async fn talk(&self, user: &UserId, words: CallWords) -> Result<TalkLine, TalkError>;

    /// The live feed. Slow readers lose the oldest events and are told how many.
    fn live(&self) -> broadcast::Receiver<Arc<LiveEvent>>;
}
