//! Speech to text on this machine: Moonshine tiny (English), run by `rten` on a few threads shared by all calls.
//!
//! | module | holds |
//! |---|---|
//! | `weights` | the folder with the model's files, and whether it is whole |
//! | `vocabulary` | token numbers to words |
//! | `moonshine` | the model: samples in, words out, on the caller's thread |
//! | `transcriber` | the threads, their queue and its bound |

mod moonshine;
mod transcriber;
mod vocabulary;
mod weights;

pub use moonshine::Moonshine;
pub use transcriber::{Transcriber, Transcription};
pub use weights::{Weights, WeightsError};

/// Hertz that the recogniser wants.
pub const SAMPLE_RATE: u32 = 16_000;

#[cfg(test)]
mod tests;
