//! The doctor: proves a user's line, from the DNS to a call of the account to itself, and says what to do about what is wrong.
//!
//! ```text
//!   examination ── asks ──▶ DNS, provider, registrar; a call to itself with a tone at each end ──▶ Facts
//!   line, call  ── judge ─▶ findings with remedies (pure) ──▶ Report
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`examination`] | the course of it, one at a time for each user |
//! | [`self_call`] | the call to itself: audio, keys, hold |
//! | [`tones`] | the two ends of that call |
//! | [`facts`] | what was seen |
//! | [`line`], [`call`] | what it means |

pub mod call;
pub mod examination;
pub mod facts;
pub mod line;
pub mod self_call;
#[cfg(test)]
mod tests;
pub mod tones;

pub use examination::Doctor;
