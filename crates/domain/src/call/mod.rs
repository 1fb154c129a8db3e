//! One call as a pure machine: [`Call::handle`] takes what happened and the time since the call began, and says what is to
//! be done. It owns the call's decisions; legs, media, agent and records only carry them out.
//!
//! ```text
//!  inbound:  Invited ─ Ring, OpenMedia ─▶ MediaOpened ─ ConnectAgent ─▶ AgentReady ─ Answer ─▶ Established ─▶ talking
//!  outbound: Dialled ─ OpenMedia ─▶ MediaOpened ─ SendInvite, ConnectAgent ─▶ Answered ─ StartAgent ─▶ talking
//!  either:   talking ─ AgentGoodbye ─▶ draining ─ PlayoutDrained ─▶ SendBye, Finish
//! ```
//!
//! Handing a caller over to a human is a machine of its own beside it: [`transfer`]; so is recognising who has answered: [`answerer`].
//!
//! After [`Output::Finish`] the call is over: every further input yields nothing.

pub mod answerer;
mod machine;
pub mod transfer;

pub use machine::{Call, Input, Output, Phase, Policy, TimerKind};
