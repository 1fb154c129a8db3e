//! RTP ports: who may use which, across all users of the process.
//!
//! An RTP session takes an even UDP port, and RTCP the odd one above it (RFC 3550 §11) if it is in the range and nobody else has
//! it: a call can do without. Users' ranges may overlap, so one [`RtpPorts`] serves the whole process. A reserved port is a bound socket; dropping the socket frees it.
//! Nothing here reads or writes a packet.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt, io,
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

/// Receive buffer asked of the kernel, bytes: about 2.5 s of G.711 with its bookkeeping.
const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;

/// How many freed ports rest before they are used again while others are free: late packets of the last call
/// must not reach the next one.
const RESTING_PORTS: usize = 16;

/// Every even port of a range is taken, by us or by another program, or the address cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortsExhausted {
    pub range: RangeInclusive<u16>,
    /// What the system said to the last port tried; `None` when all are ours.
    pub last_refusal: Option<io::ErrorKind>,
}

impl fmt::Display for PortsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no free RTP port in {}-{}", self.range.start(), self.range.end())?;
        self.last_refusal.map_or(Ok(()), |kind| write!(f, " (the last one tried: {kind})"))
    }
}

impl std::error::Error for PortsExhausted {}

/// Hands out RTP ports. Clones share one book.
#[derive(Debug, Clone, Default)]
pub struct RtpPorts {
    book: Arc<Mutex<Book>>,
}

impl RtpPorts {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a non-blocking UDP socket to the next free even port of `range` on `ip`. Some tens of microseconds; ports that
    /// other programs hold are skipped.
    ///
    /// # Errors
    /// [`PortsExhausted`] when no port of the range could be bound.
    pub fn reserve(&self, range: RangeInclusive<u16>, ip: IpAddr) -> Result<RtpSocket, PortsExhausted> {
        let mut refused = HashSet::new();
        let mut last_refusal = None;
        while let Some(lease) = self.claim(&range, &refused) {
            let local = SocketAddr::new(ip, lease.port);
            match bind(local) {
                Ok(socket) => {
                    let rtcp = rtcp_port(&range, local.port()).and_then(|port| bind(SocketAddr::new(ip, port)).ok());
                    return Ok(RtpSocket { socket, rtcp, local, _lease: lease });
                }
                Err(refusal) => {
                    last_refusal = Some(refusal.kind());
                    refused.insert(lease.port);
                }
            }
        }
        Err(PortsExhausted { range, last_refusal })
    }

    /// How many ports are reserved now.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.with_book(|book| book.taken.len())
    }

    fn claim(&self, range: &RangeInclusive<u16>, refused: &HashSet<u16>) -> Option<Lease> {
        let port = self.with_book(|book| book.claim(range, refused))?;
        Some(Lease { book: Arc::clone(&self.book), port })
    }

    fn with_book<T>(&self, work: impl FnOnce(&mut Book) -> T) -> T {
        work(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A bound RTP socket whose port is ours until it is dropped.
#[derive(Debug)]
pub struct RtpSocket {
    // Declared before the lease: the socket closes first, then the port returns to the book.
    socket: UdpSocket,
    rtcp: Option<UdpSocket>,
    local: SocketAddr,
    _lease: Lease,
}

impl RtpSocket {
    /// The address it is bound to, as asked for; the port goes into the SDP.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.local.port()
    }

    #[must_use]
    pub fn udp(&self) -> &UdpSocket {
        &self.socket
    }

    /// The socket of RTCP, on the port above; `None` when it was not to be had.
    #[must_use]
    pub fn rtcp(&self) -> Option<&UdpSocket> {
        self.rtcp.as_ref()
    }

    /// RTCP shares the port of RTP, or there is none.
    pub fn close_rtcp(&mut self) {
        self.rtcp = None;
    }
}

#[derive(Debug)]
struct Lease {
    book: Arc<Mutex<Book>>,
    port: u16,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).release(self.port);
    }
}

#[derive(Debug, Default)]
struct Book {
    taken: HashSet<u16>,
    /// Freed lately, oldest first; at most [`RESTING_PORTS`].
    resting: VecDeque<u16>,
    /// The port handed out last, per range: the next search begins behind it.
    last: HashMap<(u16, u16), u16>,
}

impl Book {
    /// The next free even port of a range: round robin, rested ones first, then the longest resting.
    fn claim(&mut self, range: &RangeInclusive<u16>, refused: &HashSet<u16>) -> Option<u16> {
        let key = (*range.start(), *range.end());
        let last = self.last.get(&key).copied();
        let even = || range.clone().filter(|port| port % 2 == 0 && *port != 0);
        let behind = even().filter(|port| last.is_some_and(|last| *port > last));
        let before = even().filter(|port| last.is_none_or(|last| *port <= last));
        let free = |port: &u16| !self.taken.contains(port) && !refused.contains(port);
        let rested = behind.chain(before).find(|port| free(port) && !self.resting.contains(port));
        let longest_resting = || self.resting.iter().copied().find(|port| range.contains(port) && free(port));
        let port = rested.or_else(longest_resting)?;
        self.taken.insert(port);
        self.last.insert(key, port);
        Some(port)
    }

    fn release(&mut self, port: u16) {
        self.taken.remove(&port);
        // Refused ports rest as well: whoever holds them is likely to hold them a while longer.
        self.resting.retain(|resting| *resting != port);
        self.resting.push_back(port);
        if self.resting.len() > RESTING_PORTS {
            self.resting.pop_front();
        }
    }
}

fn rtcp_port(range: &RangeInclusive<u16>, rtp_port: u16) -> Option<u16> {
    rtp_port.checked_add(1).filter(|port| range.contains(port))
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, thread};

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A range of `count` even ports that nobody else uses at the moment, with its first port odd when asked for.
    fn quiet_range(count: u16) -> RangeInclusive<u16> {
        let mut start = 20_000 + (std::process::id() as u16 % 500) * 40;
        loop {
            let range = start..=start + 2 * count - 1;
            if range.clone().all(|port| UdpSocket::bind((LOOPBACK, port)).is_ok()) {
                return range;
            }
            start += 2 * count;
        }
    }

    #[test]
    fn hands_out_even_ports_once_each_then_names_the_exhausted_range() {
        let (ports, range) = (RtpPorts::new(), quiet_range(4));
        let held: Vec<_> = (0..4).map(|_| ports.reserve(range.clone(), LOOPBACK).expect("free")).collect();
        let mut numbers: Vec<_> = held.iter().map(RtpSocket::port).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 4);
        assert!(numbers.iter().all(|port| port % 2 == 0 && range.contains(port)));
        let exhausted = ports.reserve(range.clone(), LOOPBACK).expect_err("full");
        assert_eq!(exhausted, PortsExhausted { range: range.clone(), last_refusal: None });
        assert_eq!(exhausted.to_string(), format!("no free RTP port in {}-{}", range.start(), range.end()));
        drop(held);
        assert_eq!(ports.reserved(), 0);
        assert!(ports.reserve(range, LOOPBACK).is_ok());
    }

    #[test]
    fn a_freed_port_rests_while_others_are_free_and_is_reused_when_none_is() {
        let (ports, range) = (RtpPorts::new(), quiet_range(3));
        let take = || ports.reserve(range.clone(), LOOPBACK).expect("free");
        let first = take().port();
        let second = take().port();
        let third = take().port();
        assert_eq!(HashSet::from([first, second, third]).len(), 3);
        assert_eq!(take().port(), first, "the longest rested comes back");
    }

    #[test]
    fn overlapping_ranges_do_not_share_a_freed_port_at_once() {
        let (ports, wide) = (RtpPorts::new(), quiet_range(6));
        let narrow = *wide.start()..=*wide.start() + 5;
        let first = ports.reserve(wide, LOOPBACK).expect("free").port();
        assert_ne!(ports.reserve(narrow, LOOPBACK).expect("free").port(), first);
    }

    #[test]
    fn ports_of_other_programs_are_skipped() {
        let (ports, range) = (RtpPorts::new(), quiet_range(2));
        let first = range.start() + range.start() % 2;
        let other = UdpSocket::bind((LOOPBACK, first)).expect("free");
        let ours = ports.reserve(range.clone(), LOOPBACK).expect("one is left");
        assert_eq!(ours.port(), first + 2);
        let exhausted = ports.reserve(range, LOOPBACK).expect_err("full");
        assert_eq!(exhausted.last_refusal, Some(io::ErrorKind::AddrInUse));
        assert_eq!(ports.reserved(), 1, "a refused port is not kept");
        drop(other);
    }

    #[test]
    fn the_port_above_is_for_rtcp_if_it_is_to_be_had() {
        let (ports, range) = (RtpPorts::new(), quiet_range(3));
        let taken = UdpSocket::bind((LOOPBACK, range.start() + 3)).expect("free");
        let mut held: Vec<_> = [range.clone(), range.clone(), *range.start()..=range.start() + 4]
            .map(|range| ports.reserve(range, LOOPBACK).expect("free"))
            .into();
        held.sort_by_key(RtpSocket::port);
        let rtcp = |socket: &RtpSocket| socket.rtcp().map(|rtcp| rtcp.local_addr().expect("bound").port());
        assert_eq!(held.iter().map(rtcp).collect::<Vec<_>>(), [Some(range.start() + 1), None, None]);
        drop(taken);
        held[0].close_rtcp();
        assert!(UdpSocket::bind((LOOPBACK, range.start() + 1)).is_ok(), "given back");
    }

    #[test]
    fn an_empty_or_odd_range_and_a_foreign_address_are_exhausted() {
        let ports = RtpPorts::new();
        for range in [RangeInclusive::new(9, 8), 40_001..=40_001, 0..=0] {
            assert_eq!(ports.reserve(range.clone(), LOOPBACK).expect_err("empty").range, range);
        }
        let foreign = ports.reserve(40_000..=40_010, IpAddr::from([192, 0, 2, 1])).expect_err("not ours");
        assert_eq!(foreign.last_refusal, Some(io::ErrorKind::AddrNotAvailable));
    }

    #[test]
    fn parallel_reservations_never_collide() {
        let (ports, range) = (RtpPorts::new(), quiet_range(32));
        let held: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..8).map(|_| ports.reserve(range.clone(), LOOPBACK).expect("free")).collect::<Vec<_>>())
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
        });
        assert_eq!(held.iter().map(RtpSocket::port).collect::<HashSet<_>>().len(), 32);
        drop(held);
        assert_eq!(ports.reserved(), 0);
    }
}
