//! The offline engine: greets, takes a message, says goodbye. No key, no network, no model to load.
//!
//! It does not understand the caller yet: it hears *that* somebody speaks, not *what*. The message itself is in the call's
//! recording.
//!
//! | module | holds |
//! |---|---|
//! | `script` | the conversation as a pure machine, its clock counted in heard frames |
//! | `synthesiser` | text to 8 kHz speech on a few threads shared by all calls |
//! | `session` | the three tied to the seam |

mod ears;
#[cfg(test)]
mod lines;
mod recogniser;
mod script;
mod session;
mod synthesiser;

pub use session::LocalEngine;
pub use synthesiser::{SAMPLE_RATE, Synthesiser};
