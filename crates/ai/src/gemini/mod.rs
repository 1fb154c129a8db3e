//! Gemini Live on the phone: a WebSocket of BidiGenerateContent for each call, opened while the phone rings.
//!
//! | module | holds |
//! |---|---|
//! | [`options`] | key, model, address, times |
//! | [`engine`] | the engine at the seam: opens sessions |
//! | [`family`] | what the generations of models accept |
//! | [`instruction`] | what the model is told about its job, and when |
//! | [`wire`] | the messages, pure |
//! | [`conversation`] | the session's decisions, without IO and without a clock |
//! | [`connect`] | TCP, TLS, upgrade, setup |
//! | [`session`] | drives conversation and socket from the call's own task |
//! | [`socket`] | the WebSocket: a bounded outbox, frames in |
//! | [`refusal`] | close codes and HTTP statuses told apart |

pub mod conversation;
pub mod engine;
pub mod family;
pub mod instruction;
pub mod options;
pub mod wire;

mod connect;
mod refusal;
mod session;
mod socket;

pub use engine::GeminiEngine;
pub use options::GeminiOptions;
