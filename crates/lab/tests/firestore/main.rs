//! The lab's Firestore as a client in Rust sees it. What Google's emulator must agree with is in `conformance`, and runs against
//! both.

mod client;
mod conformance;
mod faults;
mod listen;
mod listener;
