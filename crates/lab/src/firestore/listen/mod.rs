//! Listen: a client names targets (a query, or documents), and hears of their results and of every change.
//!
//! ```text
//!   ListenRequest ─▶ session ─▶ target (pure: view before, database now ─▶ messages) ─▶ ListenResponse
//!   commit, fault ─▶    ▲ (the bell of `state`)
//! ```

mod message;
mod session;
mod target;

pub(super) use session::open;
