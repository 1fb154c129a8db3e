//! The whole server with its users in Firestore: outages, several servers at once, and secrets that nobody gets to see. Firestore
//! is the lab's; the server is the real program in a process of its own, except where two of them are to race.
//!
//! `CALLIE_OUTAGE_SECONDS=60 cargo test -p callie-server --test firestore outage` makes the outages as long as that.

mod canary;
mod fields;
mod outage;
mod process;
mod secrets;
mod world;
mod writers;
