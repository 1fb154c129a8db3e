//! Where a message goes and how: a UDP destination or a live TCP connection.
//!
//! TCP connections are shared by everything that talks to the same peer; opening one is serialised for each peer, so
//! that a thousand accounts starting at once open one connection and not a thousand.

use super::Wire;
use crate::error::SipError;
use callie_domain::Transport;
use rsipstack::sip::Transport as StackTransport;
use rsipstack::transport::stream::StreamConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A line pair that keeps NAT mappings and idle connections open (RFC 5626 §3.5.1).
const KEEPALIVE: &[u8] = b"\r\n\r\n";
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(25);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// One way to a peer.
#[derive(Clone)]
pub(crate) struct Flow {
    pub(super) connection: SipConnection,
    pub transport: Transport,
    pub remote: SocketAddr,
}

impl Flow {
    pub(super) fn of_connection(connection: &SipConnection) -> Option<Self> {
        let remote = connection.get_remote_addr()?.get_socketaddr().ok()?;
        let transport = match connection {
            SipConnection::Tls(_) => Transport::Tls,
            _ if connection.is_reliable() => Transport::Tcp,
            _ => Transport::Udp,
        };
        Some(Self { connection: connection.clone(), transport, remote })
    }

    pub(super) fn destination(&self) -> SipAddr {
        sip_addr(self.transport, self.remote)
    }

    /// Resolves when the connection has gone; never for UDP.
    pub async fn closed(&self) {
        match (self.transport, self.connection.cancel_token()) {
            (Transport::Tcp | Transport::Tls, Some(token)) => token.cancelled().await,
            _ => std::future::pending().await,
        }
    }

    pub fn is_closed(&self) -> bool {
        self.transport.is_stream() && self.connection.cancel_token().is_none_or(|token| token.is_cancelled())
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
    /// The way to `remote`; over TCP an open connection, or a new one.
    pub async fn flow_to(self: &Arc<Self>, transport: Transport, remote: SocketAddr) -> Result<Flow, SipError> {
        let connect = |reason: String| SipError::Connect { address: remote, reason };
        let gate = match transport {
            Transport::Udp => None,
            Transport::Tcp | Transport::Tls => Some(self.connecting.gate(remote)),
        };
        let lookup = async {
            let _turn = match &gate {
                Some(gate) => Some(gate.lock().await),
                None => None,
            };
            self.endpoint.inner.transport_layer.lookup(&sip_addr(transport, remote), None).await
        };
        let found = tokio::time::timeout(CONNECT_WITHIN, lookup).await;
        drop(gate);
        self.connecting.forget_idle(remote);
        let connection = match found {
            Ok(Ok((connection, _))) => connection,
            Ok(Err(error)) => return Err(connect(error.to_string())),
            Err(_) => return Err(connect(format!("no connection within {CONNECT_WITHIN:?}"))),
        };
        if let Some((local, remote)) = super::inspector::ends(&connection) {
            self.recorder.stream_opened(local, remote);
        }
        if transport.is_stream() && self.connecting.keep(remote) {
            self.keep_alive(connection.clone(), remote);
        }
        Ok(Flow { connection, transport, remote })
    }

    fn keep_alive(self: &Arc<Self>, connection: SipConnection, remote: SocketAddr) {
        let wire = self.clone();
        self.tracker.spawn(async move {
            if let (SipConnection::Tcp(tcp), Some(closed)) = (&connection, connection.cancel_token()) {
                let ping = async {
                    loop {
                        tokio::time::sleep(KEEPALIVE_EVERY).await;
                        if tcp.send_raw(KEEPALIVE).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! {
                    () = closed.cancelled() => {}
                    () = wire.cancel.cancelled() => {}
                    () = ping => {}
                }
            }
            wire.connecting.let_go(remote);
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
        if let Some(external) = self.external {
            return external;
        }
        let bound = self.local.ip();
        if !bound.is_unspecified() {
            return bound;
        }
        // A name that is never sent to: only the routing table is asked. 192.0.2.0/24 is reserved (RFC 5737).
        let peer = peer.unwrap_or(IpAddr::from([192, 0, 2, 1]));
        source_address(peer).unwrap_or(IpAddr::from([127, 0, 0, 1]))
    }

    pub fn has_external(&self) -> bool {
        self.external.is_some()
    }

    /// The same with our port, as written into Via and Contact.
    pub fn socket_toward(&self, peer: IpAddr) -> SocketAddr {
        SocketAddr::new(self.address_toward(Some(peer)), self.local.port())
    }
}

/// The address of ours that the routing table gives for a way to `peer`.
pub(crate) fn source_address(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

/// The peers to which connections are being opened (one lock each), and those whose connection is kept alive.
#[derive(Default)]
pub(super) struct Connecting {
    gates: Mutex<HashMap<SocketAddr, Arc<tokio::sync::Mutex<()>>>>,
    kept: Mutex<HashSet<SocketAddr>>,
}

impl Connecting {
    fn gate(&self, remote: SocketAddr) -> Arc<tokio::sync::Mutex<()>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).entry(remote).or_default().clone()
    }

    fn forget_idle(&self, remote: SocketAddr) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.get(&remote).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            gates.remove(&remote);
        }
    }

    /// `true` when nobody keeps this peer's connection alive yet.
    fn keep(&self, remote: SocketAddr) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(remote)
    }

    fn let_go(&self, remote: SocketAddr) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&remote);
    }
}
