//! How well the server is, part by part, and what to do where it is not: for `/health` and `/admin/status`.
//!
//! ```text
//!  media threads, SIP, lines, disk, bucket, keys, certificates ─ watch, every two seconds ─┐
//!  live feed (engines) ────────────────────────────────────────────────────────────────────┼─▶ Board ─▶ api::health
//!  phase, store: asked when somebody asks ─────────────────────────────────────────────────┘
//! ```
//!
//! What is told here is told to everybody: no user's name, no path, no secret.
//!
//! | module | holds |
//! |---|---|
//! | [`board`] | each check as it stands, and since when |
//! | [`judge`] | what readings mean (pure) |
//! | [`certificate`] | until when a certificate is valid |
//! | [`watch`] | the task that takes the readings |

pub mod board;
pub mod certificate;
pub mod judge;
pub mod watch;

pub use board::{Board, Check, Status, Verdict};
pub use watch::{HealthWatch, Pulse};
