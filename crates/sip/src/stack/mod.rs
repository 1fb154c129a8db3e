//! The foreign SIP stack, wrapped: the only folder that knows `rsipstack`.
//!
//! Taken from it: transports, parsing, transactions with their timers. Not taken: its registration, digest and dialogs
//! (they know one challenge of one algorithm, need their own clean-up, and cannot repeat a challenged BYE); those are
//! ours, on its bare transactions. Everybody else in the crate sees [`Wire`], [`Flow`], drafts, replies and requests.
//!
//! ```text
//!   account, leg ──Draft──▶ client ─┐                ┌─▶ UDP socket (filtered)
//!                 ◀─Heard──         ├─ rsipstack ────┤
//!   inbound, leg ◀─Incoming─ server ┘   transactions └─▶ stream: TCP and TLS connections
//! ```

mod client;
mod dns;
mod flow;
mod inspector;
mod message;
mod probe;
mod server;
mod socket;
mod stream;
mod stun;
mod tls;
mod unknown_method;

pub(crate) use client::ClientTransaction;
pub(crate) use flow::{Flow, source_address};
pub(crate) use message::{Draft, Field, Heard, Method, Reply, tag_of};
pub(crate) use server::{Answer, Incoming, InviteHeard, InviteServer};
pub use stream::framing;
pub(crate) use tls::Hop;
pub use tls::TlsFault;

use crate::door::Door;
use crate::error::SipError;
use crate::options::{SipOptions, TlsListen};
use crate::resolver::{Families, Resolver};
use crate::trace::{CallTrace, Followed, Recorder};
use rsipstack::EndpointBuilder;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::{Endpoint, TransactionReceiver};
use rsipstack::transport::udp::{UdpConnection, UdpInner};
use rsipstack::transport::{SipConnection, TransportLayer};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stream::Streams;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// TLS handshakes that strangers may have under way.
const HANDSHAKES: usize = 64;
/// How often the listener looks whether its certificate was replaced.
const CERTIFICATE_LOOK_EVERY: Duration = Duration::from_secs(10);

/// RFC 5626 §4.4.1: 10 s.
const PONG_WITHIN_T1: u32 = 20;

/// One endpoint for all accounts.
pub(crate) struct Wire {
    endpoint: Endpoint,
    udp: Arc<socket::FilteredUdp>,
    counts: Arc<socket::UdpCounts>,
    parsed: Arc<AtomicU64>,
    user_agents: Arc<inspector::UserAgents>,
    streams: Arc<Streams>,
    feed: stream::Feed,
    clients: tls::Clients,
    external: Option<IpAddr>,
    pub local: SocketAddr,
    /// Where we listen for TLS, if we do.
    pub tls_local: Option<SocketAddr>,
    pub t1: Duration,
    pub keepalive_every: Duration,
    pub ask_peer_every: Duration,
    pub resolver: Resolver,
    pub recorder: Arc<Recorder>,
    pub door: Arc<Door>,
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
    pub malformed_messages: u64,
    pub broken_connections: u64,
    pub refused_connections: u64,
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
        let door = Arc::new(Door::new(options.strangers));
        let bound = socket::bind(options.listen, counts.clone(), recorder.clone(), door.clone())
            .map_err(|source| SipError::Listen { address: options.listen, source })?;
        let resolver = Resolver::new(options.hosts.clone(), options.dns_servers.clone(), Families::of(options.listen));
        let layer = TransportLayer::new_with_domain_resolver(cancel.child_token(), Box::new(dns::ForStack(resolver.clone())));
        layer.add_transport(SipConnection::Udp(udp_transport(&bound, &cancel).await));
        let feed = stream::Feed::new(&layer, flow::sip_addr(callie_domain::Transport::Tcp, bound.local)).await.map_err(stack)?;
        let listening = options.tls.as_ref().map(listen_tls).transpose()?;
        let (parsed, user_agents) = (Arc::<AtomicU64>::default(), Arc::<inspector::UserAgents>::default());
        let endpoint = EndpointBuilder::new()
            .with_cancel_token(cancel.child_token())
            .with_user_agent(inspector::PLACEHOLDER)
            .with_transport_layer(layer)
            .with_option(times(options.t1))
            .with_inspector(Box::new(inspector::Inspector { user_agents: user_agents.clone() }))
            .with_transport_inspector(Box::new(inspector::Gate {
                parsed: parsed.clone(),
                recorder: recorder.clone(),
                door: door.clone(),
            }))
            .build();
        let incoming = endpoint.incoming_transactions().map_err(stack)?;
        let wire = Arc::new(Self {
            endpoint,
            udp: bound.udp,
            counts,
            parsed,
            user_agents,
            streams: Arc::new(Streams::new(cancel.clone(), recorder.clone(), door.clone(), options.t1 * PONG_WITHIN_T1)),
            feed,
            clients: tls::Clients::default(),
            external: options.external_address,
            local: bound.local,
            tls_local: listening.as_ref().map(|(_, _, address)| *address),
            t1: options.t1,
            keepalive_every: options.keepalive_every,
            ask_peer_every: options.ask_peer_every,
            resolver,
            recorder,
            door,
            tracker: tracker.clone(),
            cancel,
        });
        tracker.spawn({
            let wire = wire.clone();
            async move { wire.endpoint.serve().await }
        });
        tracker.spawn(wire.clone().accept(bound.tcp, None));
        if let Some((tcp, listener, _)) = listening {
            let listener = Arc::new(listener);
            tracker.spawn(wire.clone().accept(tcp, Some(listener.clone())));
            tracker.spawn(wire.clone().renew(listener));
        }
        let requests = Requests { incoming, streams: wire.streams.clone() };
        Ok((wire, requests))
    }

    /// Takes connections of strangers, within limits.
    async fn accept(self: Arc<Self>, listener: TcpListener, tls: Option<Arc<tls::Listener>>) {
        const PAUSE: Duration = Duration::from_millis(100);
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        let mut refused = false;
        loop {
            let accepted = tokio::select! {
                () = self.cancel.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (tcp, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if let Err(reason) = self.streams.has_room(peer.ip()) {
                // Once, until one is taken again: strangers must not fill the log.
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(%peer, "connections are refused: {reason}");
                }
                continue;
            }
            refused = false;
            tcp.set_nodelay(true).ok();
            match (&tls, handshakes.clone().try_acquire_owned()) {
                (None, _) => self.tracker.spawn(self.clone().serve(callie_domain::Transport::Tcp, peer, tcp)),
                (Some(tls), Ok(place)) => self.tracker.spawn(self.clone().shake_hands(tls.clone(), peer, tcp, place)),
                (Some(_), Err(_)) => continue,
            };
        }
    }

    async fn shake_hands(
        self: Arc<Self>,
        listener: Arc<tls::Listener>,
        peer: SocketAddr,
        tcp: TcpStream,
        place: OwnedSemaphorePermit,
    ) {
        let accepted = tokio::select! {
            () = self.cancel.cancelled() => return,
            accepted = listener.accept(tcp) => accepted,
        };
        drop(place);
        match accepted {
            Ok(tls) => self.serve(callie_domain::Transport::Tls, peer, tls).await,
            Err(error) => tracing::debug!(%peer, %error, "no TLS handshake"),
        }
    }

    async fn serve<S>(self: Arc<Self>, transport: callie_domain::Transport, peer: SocketAddr, socket: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match self.streams.admit(transport, (self.local, peer), None).await {
            Ok((stream, outbox)) => self.streams.clone().carry(stream, outbox, self.feed.clone(), socket).await,
            Err(error) => tracing::debug!(%peer, %error, "connection not taken"),
        }
    }

    /// Reads the listener's certificate again when it was replaced.
    async fn renew(self: Arc<Self>, listener: Arc<tls::Listener>) {
        loop {
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = tokio::time::sleep(CERTIFICATE_LOOK_EVERY) => listener.reload(),
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

    /// So many answers are kept for repeated requests that no refusal is added to them.
    pub fn remembers_too_much(&self) -> bool {
        const MOST_FINISHED: usize = 65_536;
        self.endpoint.inner.finished_transactions.len() > MOST_FINISHED
    }

    pub fn stats(&self) -> WireStats {
        let stats = self.endpoint.inner.get_stats();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let datagrams = load(&self.counts.datagrams);
        let readable = load(&self.parsed) + load(&self.counts.keepalives) + load(&self.counts.kept_out);
        WireStats {
            running_transactions: stats.running_transactions,
            finished_transactions: stats.finished_transactions,
            waiting_ack: stats.waiting_ack,
            connections: self.streams.count(),
            datagrams,
            garbage: datagrams.saturating_sub(readable),
            malformed_messages: load(&self.streams.counts.malformed),
            broken_connections: load(&self.streams.counts.broken),
            refused_connections: load(&self.streams.counts.refused),
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
pub(crate) struct Requests {
    incoming: TransactionReceiver,
    streams: Arc<Streams>,
}

impl Requests {
    pub async fn next(&mut self) -> Option<Incoming> {
        let tx = self.incoming.recv().await?;
        let flow = tx.connection.as_ref().and_then(|connection| Flow::of_connection(connection, &self.streams));
        Some(Incoming::new(tx, flow))
    }
}

/// Letters and digits out of fresh random bits: tags, Call-IDs, client nonces.
pub(crate) fn random_token(len: usize) -> String {
    rsipstack::transaction::random_text(len)
}

/// Binds the listener of TLS and reads its certificate.
fn listen_tls(options: &TlsListen) -> Result<(TcpListener, tls::Listener, SocketAddr), SipError> {
    let failed = |source| SipError::Listen { address: options.listen, source };
    let listener = tls::Listener::open(options).map_err(failed)?;
    let tcp = socket::bind_tcp(options.listen).map_err(failed)?;
    let address = tcp.local_addr().map_err(failed)?;
    Ok((tcp, listener, address))
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
