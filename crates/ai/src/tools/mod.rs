//! What an agent can do in a call besides talking, whichever engine talks.
//!
//! | module | holds |
//! |---|---|
//! | [`tool`] | what a tool is, and what comes of using one |
//! | [`toolbox`] | the tools of one engine: finds, runs, and answers for what it does not have |
//! | [`current_time`], [`end_call`] | the tools every agent has |
//! | [`transfer`] | the tools of agents that may hand callers over |

pub mod current_time;
pub mod end_call;
pub mod tool;
pub mod toolbox;
pub mod transfer;

pub use tool::{Behaviour, Effect, Object, Outcome, Tool};
pub use toolbox::Toolbox;
