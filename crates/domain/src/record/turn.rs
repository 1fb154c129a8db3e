//! One turn of the conversation: who said what, when, and how long the other waited for it.

use super::Speaker;
use serde::{Deserialize, Serialize};

/// Times are milliseconds since the call began, on the clock of the RTP socket, and order the turns; the words may have come
/// later than the turn that they belong to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Counts from 0 in the order in which the turns began.
    pub index: u32,
    pub speaker: Speaker,
    pub started_ms: u64,
    pub ended_ms: u64,
    /// Empty when the engine gave no words for it.
    pub text: String,
    /// The other side spoke over it, and it was cut short.
    #[serde(default)]
    pub interrupted: bool,
    /// Of an agent's turn that answers the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<TurnLatency>,
}

/// From the end of the caller's speech to the first audible packet of the answer, in parts that add up to `total_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnLatency {
    /// Last voiced packet of the caller in → first audible packet of the agent out, both at the RTP socket.
    pub total_ms: u32,
    /// Until that packet's speech was handed to the engine: jitter buffer and chunking.
    pub ear_ms: u32,
    /// Until it had left for the engine's service: waiting for a message to be full, and for the socket to take it. Not told apart
    /// from the engine's part in records of before.
    #[serde(default)]
    pub uplink_ms: u32,
    /// Until the engine gave the first audio: network, end-of-turn detection, model.
    pub engine_ms: u32,
    /// Until it was audible on the wire: playout, and leading silence in what the engine gave.
    pub playout_ms: u32,
}
