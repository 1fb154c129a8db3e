//! What a telephone network and whoever answers let hear besides words: ringback, busy and congestion tones, special information
//! tones, fax machines, the beep of an answering machine, and when there is talk. For calls that we place; it listens only while
//! it is asked to.
//!
//! ```text
//! frame ─▶ spectrum: what sounds in each 10 ms ─▶ bursts: whole tones ─┬▶ cadence  by the plans of countries
//!    │                                                                 └▶ special  SIT, fax, beep
//!    └───▶ talk: a voice well above the noise, tones apart
//! ```
//!
//! What it all means for the call is decided elsewhere.

mod bursts;
mod cadence;
mod listener;
mod plans;
mod special;
mod spectrum;
mod talk;
#[cfg(test)]
mod tests;

pub use listener::{Heard, ProgressListener, Signal};
pub use plans::{Pitch, Plan, ProgressTone};
pub use special::SitClass;
pub use spectrum::Pair;
