//! What a text model makes of calls when they are over: a summary, and fields by the user's schema.
//!
//! ```text
//!  record's end written ─▶ queue (store::after_call) ─ unwritten() ─▶ asked ─ settle_after_call() ─▶ record, webhook, live feed
//!                               ▲        └──────────── again_at ◀───────┘
//!                               └── a process that dies in between asks again
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `question` | what the model is asked, and its answer read and checked |
//! | `summariser` | the loop: takes what waits, a few at once |

mod question;
mod summariser;
#[cfg(test)]
mod tests;

pub use summariser::{Pace, Spend, Summariser};
