//! The evidence: every call's SIP messages and every account's last ones, as they were on the wire, secrets masked.
//!
//! Messages are heard where the wire is: at the UDP socket, and at the stack's hooks for streams. Whose they are is told by
//! their Call-ID; a message of nobody costs a look at its lines and is forgotten. What is kept is bounded in every direction.
//!
//! ```text
//!   UDP socket ────┐                       ┌─▶ CallTrace     one for each call, read by the product while the call goes on
//!   stream hooks ──┴─▶ Recorder ─Call-ID─▶ │
//!                         │                └─▶ AccountTrace  one for each account, the last messages of its registration
//!                         └─ INVITEs that nobody has claimed yet (a ring)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`recorder`] | whose message it is |
//! | [`call`], [`account`] | what is kept of a call, of an account |
//! | [`mask`] | which parts of a message are secret (pure) |
//! | [`wire`] | where in a message its Call-ID is (pure) |

mod account;
mod call;
mod mask;
mod recorder;
mod wire;

pub(crate) use account::AccountTrace;
pub use call::CallTrace;
pub(crate) use recorder::{Followed, Recorder, Seen};
