//! Requests to addresses that a user's document names: webhooks, tools. Who may write a document must not reach through us what
//! lies behind our firewall, so an address is checked when it is connected to, and no answer leads anywhere else.
//!
//! ```text
//!  url ─ scheme, host ─▶ name ─ resolver ─▶ addresses ─ only the public ones ─▶ connect   (no redirect, no proxy)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`address`] | which addresses are everybody's |
//! | [`client`] | [`GuardedClient`]: one request, bounded in time and size |
//! | `names` | names to addresses, the others left out |

pub mod address;
pub mod client;
mod names;
#[cfg(test)]
mod tests;

pub use client::{Answer, GuardedClient, HeaderMap, HeaderName, HeaderValue, Method, Outgoing, OutsideError};
