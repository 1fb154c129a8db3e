//! Whole conversations: a lab telephone, the whole server, and a conversation engine that listens and speaks, over real SIP,
//! RTP and WebSockets on loopback.

mod barge_in;
mod failures;
mod offline;
mod silence;
mod speech;
#[path = "../support/world.rs"]
mod support;
mod talk;
mod world;
