//! The API against a store in memory and an exchange of a few lines.
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | the API with its doubles, and requests; every reply is checked for leaks and for its form |
//! | [`memory`] | the store in memory |
//! | [`fake_exchange`] | lines that follow the store, calls that are only noted |

mod access;
mod ai;
mod analytics;
mod calls;
mod doors;
mod erasures;
mod fake_exchange;
mod feed;
mod first_version;
mod guide;
mod health;
mod joining;
mod lines;
mod memory;
mod metrics;
mod openapi;
mod pending;
mod signalling;
mod tools;
mod transfer;
mod user_lists;
mod users;
mod versions;
mod webhooks;
mod world;
