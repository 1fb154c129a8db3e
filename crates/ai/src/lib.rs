//! Conversation engines behind one seam.
//!
//! | module | holds |
//! |---|---|
//! | [`engine`] | the seam: what an engine is given, what it says, what it can do |
//! | [`local`] | the offline engine: greets, takes a message, needs no key and no network |

pub mod engine;
pub mod local;

pub use engine::{Brief, Capabilities, Engine, EngineError, EngineEvent, EngineSession};
pub use local::LocalEngine;
