//! The HTTP API: one file for each resource, each with its requests, responses and handlers.
//!
//! Handlers write desired state into the store and read status from the [exchange](crate::exchange); they never touch SIP, a
//! task or a socket.
//!
//! | module | holds |
//! |---|---|
//! | [`users`] | `/users`, `/users/{id}`: the documents |
//! | [`presets`] | `/presets`: settings of well-known providers |
//! | [`lines`] | `/users/{id}/sip/connect`, `…/disconnect`: desired state of a line |
//! | [`doctor`] | `/users/{id}/doctor`: the line examined |
//! | [`ai`] | `/users/{id}/ai/check`: the engine tried |
//! | [`dial`] | `/users/{id}/call` |
//! | [`calls`], [`recording`] | `/calls…`: records, what is up now, recordings |
//! | [`signalling`] | `/calls/{id}/sip`, `…/pcap`, `/users/{id}/sip/trace`: SIP as it went over the wire |
//! | [`events`] | `/events`: the live feed |
//! | [`talk`] | `/users/{id}/talk`: an agent talked to from a browser |
//! | [`websocket`] | WebSockets as handlers get them |
//! | [`status`], [`health`], [`root`] | `/admin/status`, `/health…`, `/` |
//! | [`engines`] | the conversation engines, as the status shows them |
//! | [`first_version`] | `/call`, `/conversations`, `/sms` and the like, for user `primary` |
//! | [`do_not_call`], [`costs`] | `/users/{id}/do-not-call`, `/users/{id}/costs` |
//! | [`erasures`] | `/users/{id}/erasures`: what was said, deleted on request |
//! | [`webhooks`] | `/users/{id}/webhooks…`: what receivers were told |
//! | [`session`], [`keys`], [`audit`] | `/session`, `/keys`, `/audit`: who is let in, and what they did |
//! | [`guard`] | which names and which sites we answer |
//! | [`authorize`], [`access`] | who asks, and what each operation needs |
//! | [`headers`] | what browsers are told |
//! | [`error`] | problem documents |
//! | [`extract`] | how bodies, paths and queries are read |
//! | [`openapi`] | the description of all this, `/openapi.json` and `/docs` |
//! | [`state`] | what the composition root hands in |
//! | [`router`] | all of it put together |

pub mod access;
pub mod access_log;
pub mod ai;
pub mod analytics;
pub mod audit;
pub mod authorize;
pub mod calls;
pub mod contacts;
pub mod costs;
pub mod csv;
pub mod dial;
pub mod do_not_call;
pub mod doctor;
pub mod engines;
pub mod erasures;
pub mod error;
pub mod events;
pub mod extract;
pub mod first_version;
pub mod guard;
pub mod headers;
pub mod health;
pub mod keys;
pub mod lines;
pub mod metrics;
pub mod openapi;
pub mod pending;
mod presets;
pub mod recording;
pub mod root;
pub mod router;
pub mod session;
pub mod signalling;
pub mod state;
pub mod status;
pub mod talk;
pub mod users;
pub mod versions;
pub mod webhooks;
pub mod websocket;
pub mod words;

#[cfg(test)]
mod tests;

pub use first_version::FirstVersionApi;
pub use router::router;
pub use state::{ApiState, Clock, EngineDetail, EngineInfo, Hooks, Phase, Phases, ServerInfo};
