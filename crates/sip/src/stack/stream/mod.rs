//! Connections, TCP and TLS alike: our own, so that the stack's transactions ride exactly on the one they were given.
//!
//! The stack's own streams are not used: it shares them by address alone, whomever a certificate was verified for, and
//! closes one for all accounts when a single message on it is malformed. To the stack a connection of ours is a channel
//! that bears the connection's name.
//!
//! ```text
//!   peer ⇄ socket (TCP, TLS) ⇄ carry ── framing ──▶ stack    one task for each connection
//!                                 ▲────── outbox ─── stack
//! ```

mod carry;
pub mod framing;
mod keepalive;
mod table;

pub(super) use carry::Feed;
pub(super) use keepalive::Every;
pub(super) use table::{Key, Streams};

use callie_domain::Transport;
use rsipstack::transport::SipConnection;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// One connection, as everybody but its task sees it.
pub(super) struct Stream {
    pub id: u64,
    pub transport: Transport,
    pub remote: SocketAddr,
    pub local: SocketAddr,
    /// Under which it is shared; `None` when the peer opened it.
    pub key: Option<Key>,
    /// What the stack holds of it.
    pub connection: SipConnection,
    closed: CancellationToken,
    /// Why it closed, for a person.
    ending: OnceLock<String>,
    pinged: Notify,
    /// How often it is pinged.
    pub every: Every,
}

impl Stream {
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }

    pub fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Why it closed; `None` while it is open.
    pub fn ending(&self) -> Option<&str> {
        self.ending.get().map(String::as_str)
    }

    /// Closes it: whoever uses it hears of a lost connection.
    pub fn close(&self, reason: &str) {
        self.ending.get_or_init(|| reason.to_owned());
        self.closed.cancel();
    }

    /// Sends a keepalive (RFC 5626 §3.5.1); a peer that follows it answers with an empty line.
    pub fn ping(&self) {
        self.pinged.notify_one();
    }
}

/// What went over streams and was turned away.
#[derive(Debug, Default)]
pub(super) struct StreamCounts {
    /// Messages dropped for being malformed; their stream went on.
    pub malformed: AtomicU64,
    /// Streams closed for what the peer sent, or did not send or take.
    pub broken: AtomicU64,
    /// Connections of strangers turned away because there were too many.
    pub refused: AtomicU64,
}

/// The names of our connections inside the stack, which carries them about and never resolves them.
const NAME: &str = "stream-";

pub(super) fn name_of(id: u64) -> String {
    format!("{NAME}{id}")
}

pub(super) fn id_of(name: &str) -> Option<u64> {
    name.strip_prefix(NAME)?.parse().ok()
}
