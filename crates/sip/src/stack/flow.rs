//! Where a message goes and how: a UDP destination or a live connection, TCP or TLS.
//!
//! Connections are shared by everything that talks to the same peer, over TLS only where accounts also agree on whom they
//! believe and who they are; opening one is serialised, so that a thousand accounts starting at once open one connection
//! and not a thousand.

use super::Wire;
use super::stream::{Key, Stream, Streams, id_of};
use super::tls::{Hop, Identity};
use crate::error::SipError;
use callie_domain::Transport;
use rsipstack::sip::{Host, Transport as StackTransport};
use rsipstack::transport::{SipAddr, SipConnection};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// A line pair that keeps NAT mappings and idle connections open (RFC 5626 §3.5.1).
const KEEPALIVE: &[u8] = b"\r\n\r\n";
/// What is sent and not even taken in by the peer's host for so long shows that the connection is dead.
const TAKEN_WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One way to a peer.
#[derive(Clone)]
pub(crate) struct Flow {
    pub(super) connection: SipConnection,
    pub transport: Transport,
    pub remote: SocketAddr,
    /// The connection, over TCP and TLS.
    pub(super) stream: Option<Arc<Stream>>,
}

impl Flow {
    /// The way by which something came; `None` when it has been closed since.
    pub(super) fn of_connection(connection: &SipConnection, streams: &Streams) -> Option<Self> {
        let name = connection.get_remote_addr()?;
        if let (SipConnection::Channel(_), Host::Domain(name)) = (connection, &name.addr.host) {
            return streams.get(id_of(&name.0)?).map(Self::of_stream);
        }
        let remote = name.get_socketaddr().ok()?;
        let transport = if connection.is_reliable() { Transport::Tcp } else { Transport::Udp };
        Some(Self { connection: connection.clone(), transport, remote, stream: None })
    }

    fn of_stream(stream: Arc<Stream>) -> Self {
        let (connection, transport, remote) = (stream.connection.clone(), stream.transport, stream.remote);
        Self { connection, transport, remote, stream: Some(stream) }
    }

    pub(super) fn destination(&self) -> SipAddr {
        sip_addr(self.transport, self.remote)
    }

    /// Resolves when the connection has gone; never for UDP.
    pub async fn closed(&self) {
        match &self.stream {
            Some(stream) => stream.closed().await,
            None => std::future::pending().await,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.is_closed())
    }

    /// An account uses it: it is kept open by a ping each so often.
    pub fn keep_alive(&self, every: Duration) {
        if let Some(stream) = &self.stream {
            stream.every.wish(every);
        }
    }

    /// Why the connection has gone, for a person.
    pub fn loss(&self) -> String {
        self.stream.as_ref().and_then(|stream| stream.ending()).unwrap_or("connection lost").to_owned()
    }

    /// The name that the peer's certificate was verified for.
    pub fn server_name(&self) -> Option<&str> {
        let key = self.stream.as_ref()?.key.as_ref()?;
        key.identity.as_ref().map(|identity| identity.server_name.as_str())
    }
}

pub(super) fn sip_addr(transport: Transport, address: SocketAddr) -> SipAddr {
    let kind = match transport {
        Transport::Udp => StackTransport::Udp,
        Transport::Tcp => StackTransport::Tcp,
        Transport::Tls => StackTransport::Tls,
    };
    SipAddr { r#type: Some(kind), addr: address.into() }
}

impl Wire {
    /// The way to `remote`, which is an address of `hop`; over TCP and TLS an open connection, or a new one.
    pub async fn flow_to(self: &Arc<Self>, transport: Transport, remote: SocketAddr, hop: Hop<'_>) -> Result<Flow, SipError> {
        if transport == Transport::Udp {
            let found = self.endpoint.inner.transport_layer.lookup(&sip_addr(transport, remote), None).await;
            let (connection, _) = found.map_err(|e| SipError::Connect { address: remote, reason: e.to_string() })?;
            return Ok(Flow { connection, transport, remote, stream: None });
        }
        let identity = (transport == Transport::Tls).then(|| Arc::new(Identity::of(hop)));
        let key = Key { transport, remote, identity };
        if let Some(stream) = self.streams.shared(&key) {
            return Ok(Flow::of_stream(stream));
        }
        let gate = self.streams.gate(&key);
        let connected = {
            let _turn = gate.lock().await;
            match self.streams.shared(&key) {
                Some(stream) => Ok(stream),
                None => self.connect(&key, hop).await,
            }
        };
        self.streams.leave_gate(&key, gate);
        connected.map(Flow::of_stream)
    }

    async fn connect(self: &Arc<Self>, key: &Key, hop: Hop<'_>) -> Result<Arc<Stream>, SipError> {
        let connect = |reason: String| SipError::Connect { address: key.remote, reason };
        let tcp = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(key.remote));
        let tcp = match tcp.await {
            Ok(tcp) => tcp.map_err(|error| connect(error.to_string()))?,
            Err(_) => return Err(connect(format!("no connection within {CONNECT_WITHIN:?}"))),
        };
        tcp.set_nodelay(true).ok();
        if let Err(error) = socket2::SockRef::from(&tcp).set_tcp_user_timeout(Some(TAKEN_WITHIN)) {
            tracing::debug!(%error, "a dead connection will be noticed later");
        }
        let local = tcp.local_addr().map_err(|error| connect(error.to_string()))?;
        let admit = || self.streams.admit(key.transport, (local, key.remote), Some(key.clone()));
        let stack = |error: rsipstack::Error| SipError::Stack(error.to_string());
        let Some(identity) = &key.identity else {
            let (stream, outbox) = admit().await.map_err(stack)?;
            self.tracker.spawn(self.streams.clone().carry(stream.clone(), outbox, self.feed.clone(), tcp));
            self.keep_alive(stream.clone());
            return Ok(stream);
        };
        let shaken = tokio::time::timeout(CONNECT_WITHIN, self.clients.connect(tcp, identity, hop.tls)).await;
        let (tls, config) = match shaken {
            Ok(shaken) => shaken.map_err(|fault| SipError::Tls { address: key.remote, fault })?,
            Err(_) => return Err(connect(format!("no TLS handshake within {CONNECT_WITHIN:?}"))),
        };
        let (stream, outbox) = admit().await.map_err(stack)?;
        let carried = self.streams.clone().carry(stream.clone(), outbox, self.feed.clone(), tls);
        self.tracker.spawn(async move {
            carried.await;
            drop(config);
        });
        self.keep_alive(stream.clone());
        Ok(stream)
    }

    fn keep_alive(self: &Arc<Self>, stream: Arc<Stream>) {
        self.tracker.spawn(async move {
            let ping = async {
                loop {
                    stream.every.due().await;
                    stream.ping();
                }
            };
            tokio::select! {
                () = stream.closed() => {}
                () = ping => {}
            }
        });
    }

    /// Keeps the NAT mapping toward a UDP peer open.
    pub async fn ping_udp(&self, remote: SocketAddr) {
        use rsipstack::platform::net::UdpSocket;
        self.udp.send_to(KEEPALIVE, remote).await.ok();
    }

    /// The address of ours that `peer` can answer to: the external one, the one we are bound to, or that of the
    /// interface on the way to the peer.
    pub fn address_toward(&self, peer: Option<IpAddr>) -> IpAddr {
        self.external.unwrap_or_else(|| self.interface_toward(peer))
    }

    /// The same, whatever others see of us.
    pub fn interface_toward(&self, peer: Option<IpAddr>) -> IpAddr {
        let bound = self.local.ip();
        if !bound.is_unspecified() {
            return bound;
        }
        // A name that is never sent to: only the routing table is asked. 192.0.2.0/24 is reserved (RFC 5737).
        let peer = peer.unwrap_or(IpAddr::from([192, 0, 2, 1]));
        source_address(peer).unwrap_or(IpAddr::from([127, 0, 0, 1]))
    }

    /// The address set for all accounts.
    pub fn external(&self) -> Option<IpAddr> {
        self.external
    }

    /// Where peers reach us by this flow, as written into Via and Contact. Over TLS without a listener that is the
    /// connection's own end: nothing else of ours speaks TLS, and a peer that looks for a connection to it finds this one.
    pub fn socket_of(&self, flow: &Flow) -> SocketAddr {
        let port = match (&flow.stream, self.tls_local) {
            (Some(stream), None) if flow.transport == Transport::Tls => stream.local.port(),
            (_, Some(listening)) if flow.transport == Transport::Tls => listening.port(),
            _ => self.local.port(),
        };
        SocketAddr::new(self.address_toward(Some(flow.remote.ip())), port)
    }

    /// The flow itself is where peers reach us, and not a listener of ours.
    pub fn is_reached_by(&self, flow: &Flow) -> bool {
        flow.transport == Transport::Udp || flow.transport == Transport::Tls && self.tls_local.is_none()
    }
}

/// The address of ours that the routing table gives for a way to `peer`.
pub(crate) fn source_address(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}
