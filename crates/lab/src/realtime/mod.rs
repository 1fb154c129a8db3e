//! What the fakes of realtime services have in common: who is let in, whole messages on a socket, the record of each session,
//! and faults on cue.
//!
//! ```text
//!   TCP ─▶ reception (upgrade) ─▶ Service::attend (the fake's own) ◀─▶ line (messages, and no manners)
//!              │                        │
//!              └────────▶ office: faults, sessions ◀──── desk (a test's side)
//! ```
//!
//! A fake says by [`Service`] what is its own: its messages, its moments, and what its sessions do wrong at them.

#[cfg(test)]
pub(crate) mod callers;
mod desk;
pub(crate) mod endpoint;
mod fake;
mod fault;
mod line;
mod office;
mod reception;
mod record;
mod uplink;

pub use desk::Desk;
pub use fake::Fake;
pub use fault::{Cue, Fault};
pub use line::{End, Line};
pub use office::{Office, Seat};
pub use reception::{Entrance, Knock};
pub use record::{Closed, Log, Session, Side};
pub use uplink::{UPLINK_RATE_HZ, Uplink};

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// By the runtime's clock, which tests can turn.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A service that a fake stands in for.
pub trait Service: Clone + Debug + Send + Sync + Sized + 'static {
    type Options: Debug + Send + Sync;
    /// What an upgrade asked for.
    type Door: Knock<Self> + Send + Sync;
    /// When something can go wrong.
    type Moment: Cue;
    /// Something a session does that no script says.
    type Act: Clone + Debug + Send + Sync;
    /// The record of a session.
    type Log: Log;
    /// What its sessions share besides records and faults.
    type Memory: Debug + Send;

    fn listen(options: &Self::Options) -> SocketAddr;

    /// How many records are kept; the oldest go first.
    fn keep_sessions(options: &Self::Options) -> usize;

    fn memory(options: &Self::Options) -> Self::Memory;

    /// An empty record.
    fn log(options: &Self::Options, number: u64, now: Instant) -> Self::Log;

    /// What an act at the upgrade does to it.
    fn at_the_door(act: Self::Act) -> Entrance;

    /// Holds a session that was let in, until it ends. `wishes` are the acts that a test asks of it.
    fn attend(
        office: &Arc<Office<Self>>,
        session: &Session<Self>,
        door: &Self::Door,
        line: &mut Line<Self>,
        wishes: mpsc::Receiver<Self::Act>,
    ) -> impl Future<Output = End> + Send;
}
