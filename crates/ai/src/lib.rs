//! Conversation engines behind one seam.
//!
//! | module | holds |
//! |---|---|
//! | [`engine`] | the seam: what an engine is given, what it says, what it can do |
//! | [`error`] | why an engine cannot talk: cause, evidence, remedy |
//! | [`local`] | the offline engine: greets, takes a message, needs no key and no network |

pub mod engine;
pub mod error;
pub mod local;

pub use engine::{Brief, Capabilities, Engine, EngineEvent, EngineSession, Prompt, Usage};
pub use error::{EngineCause, EngineError};
pub use local::LocalEngine;
