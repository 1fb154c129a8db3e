//! The foreign SIP stack, wrapped: the only folder that knows `rsipstack`.
//!
//! Taken from it: transports, parsing, transactions with their timers. Not taken: its registration, digest and dialogs
//! (they know one challenge of one algorithm, need their own clean-up, and cannot repeat a challenged BYE); those are
//! ours, on its bare transactions. Everybody else in the crate sees [`Wire`], [`Flow`], drafts, replies and requests.
//!
//! ```text
//!   account, leg ──Draft──▶ client ─┐                ┌─▶ UDP socket (filtered)
//!                 ◀─Heard──         ├─ rsipstack ────┤
//!   inbound, leg ◀─Incoming─ server ┘   transactions └─▶ TCP connections
//! ```

mod client;
mod dns;
mod flow;
mod inspector;
mod message;
mod server;
mod socket;
mod unknown_method;

pub(crate) use client::ClientTransaction;
pub(crate) use flow::{Flow, source_address};
pub(crate) use message::{Draft, Field, Heard, Method, Reply, tag_of};
pub(crate) use server::{Answer, Incoming, InviteHeard, InviteServer};

use crate::error::SipError;
use crate::options::SipOptions;
use crate::resolver::{Families, Resolver};
use crate::trace::{CallTrace, Followed, Recorder};
use rsipstack::EndpointBuilder;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::{Endpoint, TransactionReceiver};
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::udp::{UdpConnection, UdpInner};
use rsipstack::transport::{SipConnection, TransportLayer};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that strangers may hold open; each costs the stack two buffers of 64 KB.
const MAX_STREAMS: usize = 512;

/// One endpoint for all accounts.
pub(crate) struct Wire {
    endpoint: Endpoint,
    udp: Arc<socket::FilteredUdp>,
    counts: Arc<socket::UdpCounts>,
    parsed: Arc<AtomicU64>,
    user_agents: Arc<inspector::UserAgents>,
    connecting: flow::Connecting,
    external: Option<IpAddr>,
    pub local: SocketAddr,
    pub t1: Duration,
    pub resolver: Resolver,
    pub recorder: Arc<Recorder>,
    pub tracker: TaskTracker,
    pub cancel: CancellationToken,
}

/// What the endpoint holds now, and what it has turned away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WireStats {
    pub running_transactions: usize,
    pub finished_transactions: usize,
    pub waiting_ack: usize,
    pub connections: usize,
    pub datagrams: u64,
    pub garbage: u64,
}

impl Wire {
    /// Binds, starts reading, and hands out every new request.
    pub async fn start(
        options: &SipOptions,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<(Arc<Self>, Requests), SipError> {
        let stack = |e: rsipstack::Error| SipError::Stack(e.to_string());
        let counts = Arc::<socket::UdpCounts>::default();
        let recorder = Arc::<Recorder>::default();
        let bound = socket::bind(options.listen, counts.clone(), recorder.clone())
            .map_err(|source| SipError::Listen { address: options.listen, source })?;
        let resolver = Resolver::new(options.hosts.clone(), options.dns_servers.clone(), Families::of(options.listen));
        let layer = TransportLayer::new_with_domain_resolver(cancel.child_token(), Box::new(dns::ForStack(resolver.clone())));
        layer.set_stream_idle_timeout(Duration::ZERO);
        layer.add_transport(SipConnection::Udp(udp_transport(&bound, &cancel).await));
        let (parsed, user_agents) = (Arc::<AtomicU64>::default(), Arc::<inspector::UserAgents>::default());
        let endpoint = EndpointBuilder::new()
            .with_cancel_token(cancel.child_token())
            .with_user_agent(inspector::PLACEHOLDER)
            .with_transport_layer(layer)
            .with_option(times(options.t1))
            .with_inspector(Box::new(inspector::Inspector {
                user_agents: user_agents.clone(),
                recorder: recorder.clone(),
                local: bound.local,
            }))
            .with_transport_inspector(Box::new(inspector::Gate { parsed: parsed.clone(), recorder: recorder.clone() }))
            .build();
        let incoming = endpoint.incoming_transactions().map_err(stack)?;
        let wire = Arc::new(Self {
            endpoint,
            udp: bound.udp,
            counts,
            parsed,
            user_agents,
            connecting: flow::Connecting::default(),
            external: options.external_address,
            local: bound.local,
            t1: options.t1,
            resolver,
            recorder,
            tracker: tracker.clone(),
            cancel,
        });
        tracker.spawn({
            let wire = wire.clone();
            async move { wire.endpoint.serve().await }
        });
        tracker.spawn(wire.clone().accept(bound.tcp));
        Ok((wire, Requests(incoming)))
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        const PAUSE: Duration = Duration::from_millis(100);
        loop {
            let accepted = tokio::select! {
                () = self.cancel.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let layer = &self.endpoint.inner.transport_layer;
            match accepted {
                Ok((stream, peer)) if layer.connections_count() < MAX_STREAMS => {
                    stream.set_nodelay(true).ok();
                    let here = flow::sip_addr(callie_domain::Transport::Tcp, self.socket_toward(peer.ip()));
                    match TcpConnection::from_stream(stream, here, Some(self.cancel.child_token())) {
                        Ok(connection) => layer.add_connection(SipConnection::Tcp(connection)),
                        Err(error) => tracing::debug!(%error, "connection gone before it began"),
                    }
                }
                Ok((_, peer)) => tracing::warn!(%peer, "connection refused: {MAX_STREAMS} are open"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Messages that the stack writes itself for this call carry this User-Agent, and all of its messages are kept, until the
    /// guard is dropped.
    pub fn name_call(self: &Arc<Self>, call_id: &str, user_agent: &str) -> NamedCall {
        self.user_agents.insert(call_id, user_agent.into());
        let (trace, followed) = self.recorder.follow_call(call_id);
        NamedCall { wire: self.clone(), call_id: call_id.to_owned(), trace, _followed: followed }
    }

    /// RFC 3261's 64·T1: how long a transaction waits.
    pub fn patience(&self) -> Duration {
        self.t1 * 64
    }

    pub fn stats(&self) -> WireStats {
        let stats = self.endpoint.inner.get_stats();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let datagrams = load(&self.counts.datagrams);
        let readable = load(&self.parsed) + load(&self.counts.keepalives);
        WireStats {
            running_transactions: stats.running_transactions,
            finished_transactions: stats.finished_transactions,
            waiting_ack: stats.waiting_ack,
            connections: self.endpoint.inner.transport_layer.connections_count(),
            datagrams,
            garbage: datagrams.saturating_sub(readable),
        }
    }
}

/// See [`Wire::name_call`].
pub(crate) struct NamedCall {
    wire: Arc<Wire>,
    call_id: String,
    pub trace: CallTrace,
    _followed: Followed,
}

impl Drop for NamedCall {
    fn drop(&mut self) {
        self.wire.user_agents.remove(&self.call_id);
    }
}

/// New requests from peers. The queue is the stack's own and has no bound; its reader must be quick.
pub(crate) struct Requests(TransactionReceiver);

impl Requests {
    pub async fn next(&mut self) -> Option<Incoming> {
        self.0.recv().await.map(Incoming::new)
    }
}

/// Letters and digits out of fresh random bits: tags, Call-IDs, client nonces.
pub(crate) fn random_token(len: usize) -> String {
    rsipstack::transaction::random_text(len)
}

async fn udp_transport(bound: &socket::Bound, cancel: &CancellationToken) -> UdpConnection {
    let addr = flow::sip_addr(callie_domain::Transport::Udp, bound.local);
    UdpConnection::attach(UdpInner { conn: bound.udp.clone(), addr }, None, Some(cancel.child_token())).await
}

fn times(t1: Duration) -> EndpointOption {
    EndpointOption {
        t1,
        t2: t1 * 8,
        t4: t1 * 10,
        t1x64: t1 * 64,
        // Legs have their own, shorter patience with a phone that rings.
        timerc: Duration::from_secs(400),
        ..EndpointOption::default()
    }
}
