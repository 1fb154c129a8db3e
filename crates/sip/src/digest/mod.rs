//! Digest authentication for SIP: reading challenges, choosing among them, answering them, and reusing nonces.
//!
//! Pure: no IO, no clock, no random numbers (the client nonce is an argument). Not the registration's logic, which only
//! hears a [`Verdict`], and not the stack's own digest, which cannot read a standard SHA-256 challenge.
//! RFC 7616, RFC 8760 (several challenges, strongest first), RFC 3261 §22, RFC 2617 and 2069 for old registrars.
//!
//! ```text
//! authorize(attempt) ─▶ request ─▶ 401/407 ─▶ parse_challenges ─▶ challenged(attempt) ─▶ Retry ─▶ authorize(attempt) …
//!                                                                                  └──▶ Rejected | Unsupported
//! ```

mod attempt;
mod cache;
mod challenge;
mod response;

pub use attempt::AuthAttempt;
pub use cache::{AuthKind, Credentials, DigestCache, Verdict};
pub use challenge::{Algorithm, Challenge, Qop, parse_challenges};
