//! Gemini Live on the phone: a WebSocket of BidiGenerateContent for each call, opened while the phone rings.
//!
//! | module | holds |
//! |---|---|
//! | [`options`] | model, address, times |
//! | [`access`] | the API key, or the token of a project on Vertex |
//! | [`engine`] | the engine at the seam: opens sessions |
//! | [`family`] | what the generations of models accept |
//! | `offer` | the models and voices that are known |
//! | [`plan`] | what the sessions of a call are set up with |
//! | [`wire`] | the messages, pure |
//! | [`conversation`] | the conversation's decisions, without IO and without a clock |
//! | [`continuity`] | which session of the service carries it, and when the next takes over; pure as well |
//! | [`replay`] | the caller's speech that a break has swallowed |
//! | [`talk`] | these together: one call |
//! | [`connect`] | opens sessions |
//! | [`session`] | drives the talk and its sockets from the call's own task |
//! | [`refusal`] | close codes and HTTP statuses told apart |

pub mod access;
pub mod conversation;
pub mod engine;
pub mod family;
pub mod options;
pub mod wire;

mod connect;
mod continuity;
mod offer;
mod plan;
mod refusal;
mod replay;
mod session;
mod talk;

pub use access::{Access, TokenSource, Vertex, vertex_base_url};
pub use engine::GeminiEngine;
pub use options::GeminiOptions;
