//! The sockets everything goes through: UDP and TCP on one port.
//!
//! The UDP socket has a large receive buffer (the kernel's default of 208 KB loses calls under load) and turns away what
//! cannot be a SIP message before anybody looks at it.

use super::stun::Questions;
use crate::door::Door;
use crate::stun;
use crate::trace::{Recorder, Seen};
use async_trait::async_trait;
use callie_domain::Transport;
use callie_domain::record::Way;
use rsipstack::platform::net::UdpSocket as StackUdp;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::{TcpListener, UdpSocket};

const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Counts of what came in by UDP.
#[derive(Debug, Default)]
pub(super) struct UdpCounts {
    pub datagrams: AtomicU64,
    /// Turned away here, unread.
    pub junk: AtomicU64,
    /// Empty lines that keep a NAT mapping open.
    pub keepalives: AtomicU64,
    /// Of strangers who send too much; unread.
    pub kept_out: AtomicU64,
}

pub(super) struct Bound {
    pub udp: Arc<FilteredUdp>,
    pub tcp: TcpListener,
    pub local: SocketAddr,
}

/// Binds both; with port 0 a port that is free for both.
pub(super) fn bind(listen: SocketAddr, counts: Arc<UdpCounts>, recorder: Arc<Recorder>, door: Arc<Door>) -> io::Result<Bound> {
    const TRIES: usize = 32;
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..if listen.port() == 0 { TRIES } else { 1 } {
        let udp = bind_udp(listen)?;
        let local = udp.local_addr()?;
        match bind_tcp(local) {
            Ok(tcp) => {
                return Ok(Bound { udp: Arc::new(FilteredUdp::new(udp, local, counts, recorder, door)), tcp, local });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    take_both_families(&socket, address)?;
    socket.set_nonblocking(true)?;
    if let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
        tracing::debug!(%error, "udp receive buffer keeps its size");
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

pub(super) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    const BACKLOG: i32 = 512;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    take_both_families(&socket, address)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// `[::]` is IPv6 and IPv4, whatever the system's default.
fn take_both_families(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() { socket.set_only_v6(!address.ip().is_unspecified()) } else { Ok(()) }
}

pub(super) struct FilteredUdp {
    socket: UdpSocket,
    local: SocketAddr,
    counts: Arc<UdpCounts>,
    recorder: Arc<Recorder>,
    door: Arc<Door>,
    /// Questions to STUN servers.
    pub questions: Questions,
}

impl FilteredUdp {
    fn new(socket: UdpSocket, local: SocketAddr, counts: Arc<UdpCounts>, recorder: Arc<Recorder>, door: Arc<Door>) -> Self {
        Self { socket, local, counts, recorder, door, questions: Questions::default() }
    }

    /// Sends what is no SIP.
    pub async fn send_unheard(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(datagram, if self.local.is_ipv6() { mapped(to) } else { to }).await
    }

    fn hear(&self, way: Way, datagram: &[u8], remote: SocketAddr) {
        self.recorder.hear(datagram, Seen { way, transport: Transport::Udp, local: self.local, remote });
    }
}

/// An IPv6 socket shows IPv4 peers as mapped ones; everybody else sees them as they are.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// A SIP message begins with a method or with `SIP/2.0`; a full buffer means a datagram that was cut off.
fn is_plausible(datagram: &[u8], buffer_len: usize) -> bool {
    const SHORTEST: usize = 32;
    let letter_first = datagram.first().is_some_and(|b| b.is_ascii_graphic());
    letter_first && datagram.len() >= SHORTEST && datagram.len() < buffer_len && !datagram.contains(&0)
}

fn is_blank(datagram: &[u8]) -> bool {
    datagram.iter().all(u8::is_ascii_whitespace)
}

#[async_trait]
impl StackUdp for FilteredUdp {
    async fn recv_from(&self, buffer: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        loop {
            let (len, source) = self.socket.recv_from(buffer).await?;
            let source = unmapped(source);
            self.counts.datagrams.fetch_add(1, Ordering::Relaxed);
            let datagram = buffer.get(..len).unwrap_or_default();
            if stun::is_stun(datagram) {
                self.questions.answer(datagram, source);
                continue;
            }
            if !self.door.lets_in(source.ip()) {
                self.counts.kept_out.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if is_blank(datagram) {
                self.counts.keepalives.fetch_add(1, Ordering::Relaxed);
                // The stack answers it, and strangers are not told that somebody is here.
                match self.door.answers(source.ip()) {
                    true => return Ok((len, source)),
                    false => continue,
                }
            }
            if is_plausible(datagram, buffer.len()) {
                if let Some(refusal) = super::unknown_method::refusal(datagram, source) {
                    self.counts.junk.fetch_add(1, Ordering::Relaxed);
                    if self.door.answers(source.ip()) {
                        self.send_to(&refusal, source).await.ok();
                    }
                    continue;
                }
                self.hear(Way::Received, datagram, source);
                return Ok((len, source));
            }
            self.counts.junk.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn send_to(&self, datagram: &[u8], to: SocketAddr) -> rsipstack::Result<usize> {
        let sent = self.send_unheard(datagram, to).await?;
        self.hear(Way::Sent, datagram, to);
        Ok(sent)
    }

    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Strangers;

    #[test]
    fn junk_is_told_from_messages() {
        let message = b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n";
        assert!(is_plausible(message, 8192));
        assert!(!is_plausible(message, message.len()));
        for junk in [&b""[..], b"\x00\x01", b"short", &[0x80; 200], b"OPTIONS sip:a@b SIP/2.0\r\nVia: \0\r\n\r\n"] {
            assert!(!is_plausible(junk, 8192), "{junk:?}");
        }
        assert!(is_blank(b"\r\n\r\n"));
    }

    #[tokio::test]
    async fn port_zero_gives_one_port_for_both() {
        let bound =
            bind("127.0.0.1:0".parse().expect("address"), Arc::default(), Arc::default(), Arc::new(Door::new(Strangers::Ignore)))
                .expect("bind");
        assert_ne!(bound.local.port(), 0);
        assert_eq!(bound.tcp.local_addr().expect("bound").port(), bound.local.port());
    }
}
