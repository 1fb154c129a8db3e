//! What is kept of a call: its events as they happen, what was said, the call detail record, and how it ended.

pub mod after_call;
pub mod answered_by;
pub mod cdr;
pub mod claim;
pub mod event;
pub mod latency;
pub mod message;
pub mod signalling;
pub mod talk;
pub mod termination;
pub mod turn;

pub use after_call::{AfterCallReport, AfterCallState};
pub use answered_by::AnsweredBy;
pub use cdr::{Cdr, Direction, LegSummary, MediaSummary};
pub use claim::{Claim, ClaimKind, ClaimStanding};
pub use event::{BargeInOutcome, CallEvent, CallFact, DeadAirStep, Speaker, TokenCounts, ToolEnd, ToolRequest};
pub use latency::{BOUNDS_MS, Histogram};
pub use message::Message;
pub use signalling::{SipMessage, Way};
pub use talk::{EngineAnswers, TalkSummary, TalkTally};
pub use termination::{CallResult, EndReason, Termination};
pub use turn::{Turn, TurnLatency};
