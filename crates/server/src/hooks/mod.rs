//! Webhooks: what happens in a user's calls and on its line, told to the receivers that its document names.
//!
//! ```text
//!  records::sink ─ store's transaction ─▶ announce ─┐
//!  live feed ─────────────────────▶ registration ───┼─▶ queue (SQLite) ─▶ dispatch ─ signed ─▶ outside::GuardedClient ─▶ receiver
//!  POST …/webhooks/test ────────────────────────────┘          ▲             │
//!                                                              └── retry ◀───┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`announce`] | who is told of a record, decided in the record's own transaction |
//! | [`message`] | what is told: the envelope and its data |
//! | [`registration`] | news of lines |
//! | [`signature`] | the proof of who sent it |
//! | [`retry`] | what follows from an attempt, as a pure decision |
//! | [`dispatch`] | the loop that sends |
//! | `span` | an attempt in the call's trace |
//! | [`meters`] | how often what came of it |

pub mod announce;
pub mod dispatch;
pub mod message;
pub mod meters;
pub mod registration;
pub mod retry;
pub mod signature;
mod span;
#[cfg(test)]
mod tests;

pub use announce::HookAnnouncer;
pub use dispatch::Dispatcher;
pub use meters::Meters;
