//! Who has answered a call that we placed: a human, an answering machine, a fax machine, or nobody can say.
//!
//! | module | decides |
//! |---|---|
//! | [`recognition`] | who it is, by talk, tones, words and time |
//! | [`phrases`] | what only machines say, and only humans (`phrases.json`) |
//! | [`message`] | when a message may be left on a machine |
//!
//! The agent never waits for any of it: it speaks by its own rule, and a machine that is recognised late is one all the same.

pub mod message;
pub mod phrases;
pub mod recognition;

pub use message::MessageDrop;
pub use phrases::Phrases;
pub use recognition::{Input, Recognition, Sound, Verdict};
