//! Calls that are tried again by the rules of their order. Orders and attempts are in the store: a restart loses none and dials none
//! twice.
//!
//! ```text
//!  POST /users/{id}/call ─ order ─▶ calling ─ the call's record ─▶ judge ─▶ waiting ─ due ─▶ dial, by the gate of every call
//! ```
//!
//! | module | does |
//! |---|---|
//! | [`judge`] | what follows from an outcome, or from a call that cannot be placed now (pure) |
//! | `redialler` | the loop that dials and puts down |

pub mod judge;
mod redialler;

pub use redialler::Redialler;
