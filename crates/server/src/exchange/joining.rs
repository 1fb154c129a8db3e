//! Who joins in besides the two of a call: a supervisor who listens and whispers, and somebody who talks to an agent without a telephone.

use callie_domain::{CallId, UserId};
use futures::stream::BoxStream;
use tokio::sync::mpsc;

/// Both sides of a call as they go on.
pub struct Listening {
    pub sample_rate_hz: u32,
    /// Frames of 20 ms, pairs of the other side and ours; the stream ends with the call's audio. Whoever is slow loses frames.
    pub frames: BoxStream<'static, Vec<i16>>,
}

/// Why nobody can listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    #[error("the call has ended or never was")]
    NoSuchCall,
    #[error("the call has no audio yet, or ends")]
    NotTalking,
}

/// Why the agent is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HintError {
    #[error("the call has ended or never was")]
    NoSuchCall,
    #[error("the agent is not with the caller: the call is not answered yet, is handed over, or ends")]
    NotTalking,
    #[error("{0}, which talks in this call, takes no hints")]
    NotTaken(&'static str),
}

/// Why nobody can talk to the agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TalkError {
    #[error("user {0} does not exist")]
    NoSuchUser(UserId),
    #[error("user {0} is not active: activate it first (PUT /users/{0} with is_active)")]
    NotActive(UserId),
    #[error("user {0} is at its limit of concurrent calls")]
    TooManyCalls(UserId),
    #[error("the server is stopping")]
    ShuttingDown,
    #[error("{0}")]
    Internal(String),
}

/// A call with somebody who has no telephone. Dropping [`Self::spoken`] hangs up.
pub struct TalkLine {
    pub call: CallId,
    /// Of both ways.
    pub sample_rate_hz: u32,
    /// What does not fit is lost: it is as old as what waits.
    pub spoken: mpsc::Sender<Spoken>,
    /// The agent, 20 ms after 20 ms as on a telephone; it ends with the call.
    pub heard: mpsc::Receiver<Vec<i16>>,
}

/// What comes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    /// Of any length.
    Sound(Vec<i16>),
    Key(char),
}
