//! The better voice: Kokoro-82M, run by `rten` on a few threads shared by all calls, where the machine is fast enough.
//!
//! ```text
//!   text ─▶ phonemes ─▶ model ─▶ 24 kHz ─▶ 8 kHz ─▶ the call
//!                         │ studio: threads, verdict, places │
//!                         └───────▶ keep ◀───────────────────┘  greetings on disk
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `weights` | the folder with the model and its voices, and whether it is whole |
//! | `phonemes` | English text to the model's symbols, by Flite's front end |
//! | `model` | symbols to samples, on the caller's thread |
//! | `speed` | whether the machine is fast enough, as a pure decision |
//! | `keep` | greetings that were rendered once, on disk |
//! | `studio` | the threads, their queue, and how it stands with them |

mod keep;
mod model;
mod phonemes;
mod speed;
mod studio;
mod weights;

pub use keep::Keep;
pub use model::Kokoro;
pub use speed::{Choice, FAST_ENOUGH, Speed};
pub use studio::{Sentence, Standing, Studio};
pub use weights::{DEFAULT_VOICE, KokoroWeights};

#[cfg(test)]
pub mod tests;
