//! Calls: who may have one, the task that runs each, and the bridge between its audio and its agent.
//!
//! | module | holds |
//! |---|---|
//! | [`registry`] | the calls that are up; admits, dials, ends, drains |
//! | [`context`] | the handles and limits that every call is given |
//! | `task` | one call: waits, asks the machine, carries out |
//! | `audio` | port, SDP and media of one call |
//! | `agent` | the engine of one call: connecting, then bridged |
//! | `bridge` | pumps audio between media and engine; only facts rise |
//! | `timers` | the machine's timers |

mod agent;
mod audio;
mod bridge;
pub mod context;
pub mod registry;
mod task;
mod timers;

pub use context::{CallContext, CallLimits, Engines};
pub use registry::Registry;
