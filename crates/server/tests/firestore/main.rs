//! The whole server with its users in Firestore: outages, several servers at once, and secrets that nobody gets to see. Firestore
//! is the lab's; the server is the real program in a process of its own, except where two of them are to race.
//!
//! `CALLIE_OUTAGE_SECONDS` makes the outages longer (`make outage`: a minute).
#![expect(clippy::print_stdout, reason = "figures worth a look, with --nocapture")]

mod canary;
mod fields;
mod gone;
mod outage;
mod process;
mod secrets;
mod world;
mod writers;
