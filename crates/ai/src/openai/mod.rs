//! OpenAI Realtime on the phone, and the services that speak its protocol: a WebSocket for each call, opened while the phone
//! rings, G.711 in both directions where the service takes it.
//!
//! | module | holds |
//! |---|---|
//! | [`options`] | key, model, address, times |
//! | [`dialect`] | what compatible services do differently, as data |
//! | [`engine`] | the engine at the seam: opens sessions |
//! | [`wire`] | the messages, pure |
//! | [`conversation`] | the session's decisions, without IO and without a clock |
//! | [`connect`] | from a name to a session that is set up |
//! | [`session`] | drives conversation and sockets from the call's own task |
//! | [`refusal`] | error codes, close codes and HTTP statuses told apart |

pub mod conversation;
pub mod dialect;
pub mod engine;
pub mod options;
pub mod wire;

mod connect;
mod refusal;
mod session;

pub use dialect::Dialect;
pub use engine::OpenAiEngine;
pub use options::OpenAiOptions;
