//! What an agent can do in a call besides talking, whichever engine talks.
//!
//! | module | holds |
//! |---|---|
//! | [`tool`] | what a tool is, and what comes of using one |
//! | [`toolbox`] | the tools of one call |
//! | [`bench`] | the tools at work: each use is answered once, nobody waits |
//! | [`current_time`], [`end_call`] | the tools every agent has |
//! | [`calculate`], [`take_message`] | more of them, for whoever wants them |
//! | [`transfer`] | the tools of agents that may hand callers over |

pub mod bench;
pub mod calculate;
pub mod current_time;
pub mod end_call;
pub mod take_message;
#[cfg(test)]
pub mod testkit;
pub mod tool;
pub mod toolbox;
pub mod transfer;

pub use bench::{Bench, ToolCall, ToolUse, Used};
pub use tool::{Behaviour, Effect, Object, Outcome, Tool, Work};
pub use toolbox::Toolbox;
