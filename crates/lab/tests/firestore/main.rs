//! The lab's Firestore as a client in Rust sees it. What Google's emulator must agree with is in `conformance`, and runs against
//! both.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod client;
mod conformance;
mod faults;
mod listen;
mod listener;
