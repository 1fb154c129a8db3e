//! The offline engine: greets, takes a message, says goodbye. No key and no network.
//!
//! With the recogniser's weights in place it understands the caller, and a built-in receptionist, or a chat model of the
//! user's own, holds the conversation. Without them it hears *that* somebody speaks, not *what*: it greets and has the message
//! dictated; the message is then in the call's recording.
//!
//! ```text
//!   hear ─▶ ears ─▶ recogniser ─▶ receptionist │ chat ─▶ mouth ─▶ synthesiser ─▶ Audio
//!           └────── listening ──────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `engine` | what the engine has and lacks; opens sessions |
//! | `conversation` | the session that understands |
//! | `announcement`, `script` | the session that does not: its frame, and what it says as a pure machine |
//! | `ears` | where speech begins, pauses and ends, as a pure machine |
//! | `recogniser` | speech to text on a few threads shared by all calls |
//! | `listening` | the two together: the caller's turns with their words |
//! | `receptionist` | the dialogue as a pure machine |
//! | `mouth` | says it, sentence by sentence, and can be stopped |
//! | `synthesiser` | text to 8 kHz speech on a few threads shared by all calls |
//! | `kokoro` | the better voice, where the machine is fast enough for it |
//! | `voice` | which of the two speaks in a call |
//! | `written` | the same minds in writing |
//! | `hello` | when we called: whose turn it is |

mod announcement;
mod conversation;
mod ears;
mod engine;
mod hello;
mod kokoro;
#[cfg(test)]
mod lines;
mod listening;
mod mouth;
mod receptionist;
mod recogniser;
mod script;
mod synthesiser;
mod voice;
mod written;

pub use engine::{LocalEngine, LocalOptions};
pub use kokoro::Choice as VoiceChoice;
pub use synthesiser::{SAMPLE_RATE, Synthesiser};
pub use written::{Correspondent, Reply};

#[cfg(test)]
pub(crate) mod tests;
