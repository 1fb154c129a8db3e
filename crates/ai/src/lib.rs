//! Conversation engines behind one seam.
//!
//! | module | holds |
//! |---|---|
//! | [`engine`] | the seam: what an engine is given, what it says, what it can do |

pub mod engine;

pub use engine::{Brief, Capabilities, Engine, EngineError, EngineEvent, EngineSession};
