//! The messages of BidiGenerateContent as they are on the wire: one JSON object each, camelCase, audio in base64.
//! No state and no decisions in here.
//!
//! | module | direction |
//! |---|---|
//! | [`setup`] | first message up: model, voice, instruction, tools |
//! | [`uplink`] | caller audio up (hot) |
//! | [`client`] | texts and tool results up |
//! | [`server`] | everything down |
//! | [`downlink`] | the agent's audio out of what comes down (hot) |

pub mod client;
pub mod downlink;
pub mod server;
pub mod setup;
pub mod uplink;
