//! Which connections are open: those that we opened, shared under their key, and those of strangers, within limits.

use super::{Every, Stream, StreamCounts, name_of};
use crate::door::Door;
use crate::stack::tls::Identity;
use crate::trace::Recorder;
use callie_domain::Transport;
use rsipstack::sip::{Domain, Host, HostWithPort, Transport as StackTransport};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::connection::TransportReceiver;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Connections that strangers may hold open, in all and from one address.
const MOST: usize = 512;
const MOST_FROM_ONE: usize = 128;

/// What a connection of ours may be shared by: who is at its other end, and for TLS who that was proven to be, to whom
/// we trusted the proof, and as whom we showed ourselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::stack) struct Key {
    pub transport: Transport,
    pub remote: SocketAddr,
    pub identity: Option<Arc<Identity>>,
}

/// Too many connections of strangers.
#[derive(Debug, thiserror::Error)]
pub(in crate::stack) enum Refused {
    #[error("{MOST} connections are open")]
    Full,
    #[error("{MOST_FROM_ONE} connections are open from this address")]
    FullForOne,
}

type Gate = Arc<tokio::sync::Mutex<()>>;

#[derive(Default)]
struct Table {
    by_id: HashMap<u64, Arc<Stream>>,
    opened: HashMap<Key, u64>,
    /// One lock for each peer that is being connected to.
    gates: HashMap<Key, Gate>,
}

/// See the module.
pub(in crate::stack) struct Streams {
    table: Mutex<Table>,
    pub counts: StreamCounts,
    pub(super) recorder: Arc<Recorder>,
    pub(super) door: Arc<Door>,
    /// A peer that answers pings does so within this.
    pub(super) pong_within: Duration,
    last_id: AtomicU64,
    cancel: CancellationToken,
}

/// What the stack wants sent. It has no bound of its own: the stack's loop must not wait for one peer; the connection's
/// task takes each at once and closes the connection when more waits than it may.
pub(super) type Outbox = TransportReceiver;

impl Streams {
    pub fn new(cancel: CancellationToken, recorder: Arc<Recorder>, door: Arc<Door>, pong_within: Duration) -> Self {
        let (table, counts) = (Mutex::default(), StreamCounts::default());
        Self { table, counts, recorder, door, pong_within, last_id: AtomicU64::new(0), cancel }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self) -> usize {
        self.table().by_id.len()
    }

    pub fn get(&self, id: u64) -> Option<Arc<Stream>> {
        self.table().by_id.get(&id).cloned()
    }

    /// An open connection for this key. Over TCP a connection that the peer opened from that very address is as good.
    pub fn shared(&self, key: &Key) -> Option<Arc<Stream>> {
        let table = self.table();
        let opened = table.opened.get(key).and_then(|id| table.by_id.get(id));
        let found = opened.or_else(|| {
            let is_same = |s: &&Arc<Stream>| s.transport == Transport::Tcp && s.remote == key.remote;
            (key.transport == Transport::Tcp).then(|| table.by_id.values().find(is_same)).flatten()
        });
        found.filter(|stream| !stream.is_closed()).cloned()
    }

    /// The right to connect for this key: a thousand accounts that start at once open one connection.
    pub fn gate(&self, key: &Key) -> Gate {
        self.table().gates.entry(key.clone()).or_default().clone()
    }

    pub fn leave_gate(&self, key: &Key, gate: Gate) {
        drop(gate);
        let mut table = self.table();
        if table.gates.get(key).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            table.gates.remove(key);
        }
    }

    /// Whether one more stranger may connect from there; counts it when not.
    pub fn has_room(&self, source: IpAddr) -> Result<(), Refused> {
        let table = self.table();
        let strangers = || table.by_id.values().filter(|stream| stream.key.is_none());
        let refused = if strangers().count() >= MOST {
            Refused::Full
        } else if strangers().filter(|stream| stream.remote.ip() == source).count() >= MOST_FROM_ONE {
            Refused::FullForOne
        } else {
            return Ok(());
        };
        self.counts.refused.fetch_add(1, Ordering::Relaxed);
        Err(refused)
    }

    /// Enters a connection; `key` when we opened it. Its task owns the outbox and takes the connection out at its end.
    pub async fn admit(
        &self,
        transport: Transport,
        (local, remote): (SocketAddr, SocketAddr),
        key: Option<Key>,
    ) -> rsipstack::Result<(Arc<Stream>, Outbox)> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let closed = self.cancel.child_token();
        let (connection, outbox) = channel(id, transport, closed.clone()).await?;
        let stream = Arc::new(Stream {
            id,
            transport,
            remote,
            local,
            key: key.clone(),
            connection,
            closed,
            ending: OnceLock::new(),
            pinged: Notify::new(),
            every: Every::default(),
        });
        let mut table = self.table();
        table.by_id.insert(id, stream.clone());
        if let Some(key) = key {
            table.opened.insert(key, id);
        }
        Ok((stream, outbox))
    }

    pub(super) fn forget(&self, stream: &Stream) {
        let mut table = self.table();
        table.by_id.remove(&stream.id);
        if let Some(key) = &stream.key
            && table.opened.get(key) == Some(&stream.id)
        {
            table.opened.remove(key);
        }
    }
}

/// The stack's end of a connection, and what it puts in.
async fn channel(id: u64, transport: Transport, closed: CancellationToken) -> rsipstack::Result<(SipConnection, Outbox)> {
    let kind = match transport {
        Transport::Tls => StackTransport::Tls,
        _ => StackTransport::Tcp,
    };
    let name = SipAddr { r#type: Some(kind), addr: HostWithPort { host: Host::Domain(Domain(name_of(id))), port: None } };
    let (posted, outbox) = unbounded();
    // Messages from peers take the common way in: this side of the channel stays empty.
    let (_, nothing) = unbounded();
    let channel = ChannelConnection::create_connection(nothing, posted, name, Some(closed)).await?;
    Ok((SipConnection::Channel(channel), outbox))
}

#[expect(clippy::disallowed_methods, reason = "the stack's own type; see Outbox for the bound")]
pub(super) fn unbounded() -> (mpsc::UnboundedSender<TransportEvent>, mpsc::UnboundedReceiver<TransportEvent>) {
    mpsc::unbounded_channel()
}
