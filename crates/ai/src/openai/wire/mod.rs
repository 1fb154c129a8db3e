//! The messages of the Realtime protocol as they are on the wire: one JSON object each, audio in base64. No state of the
//! conversation and no decisions in here.
//!
//! | module | direction |
//! |---|---|
//! | [`setup`] | `session.update`: what a session is to be like |
//! | [`uplink`] | caller audio up (hot) |
//! | [`client`] | items, responses, truncations up |
//! | [`server`] | everything down |
//! | [`downlink`] | the agent's audio out of what comes down (hot) |

pub mod client;
pub mod downlink;
pub mod server;
pub mod setup;
pub mod uplink;
