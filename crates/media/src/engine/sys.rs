//! The system calls that the standard library does not offer: many datagrams at once, sleeping until a moment, real-time
//! priority. The only unsafe code of the crate; everything it exports is safe.
#![expect(unsafe_code, reason = "recvmmsg, clock_nanosleep, clock_gettime and sched_setscheduler exist only in libc")]

use std::{
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
    time::Duration,
};

/// Datagrams taken by one system call.
pub(super) const BATCH: usize = 8;
/// Longer datagrams are cut; no telephone sends RTP beyond an Ethernet frame.
const DATAGRAM_BYTES: usize = 1500;

/// Time since the machine started, not counting sleep: the clock of all sessions.
pub(super) fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing. CLOCK_MONOTONIC always exists, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    to_duration(time)
}

/// Difference between the wall clock, in which the kernel stamps datagrams, and [`now`].
fn wall_offset() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing. CLOCK_REALTIME always exists, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    to_duration(time).saturating_sub(now())
}

fn to_duration(time: libc::timespec) -> Duration {
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Asks the kernel to stamp each datagram with its time of arrival: a socket that is read every 20 ms would else know the
/// caller's jitter no better than that. Without it the time of reading is used.
pub(super) fn stamp_arrivals(socket: &UdpSocket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = mem::size_of_val(&on) as libc::socklen_t;
    // SAFETY: `on` is valid for reading with its true size; the descriptor is open because `socket` is borrowed.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const on).cast(), size) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sleeps until [`now`] has reached `moment`; returns at once when it is past.
pub(super) fn sleep_until(moment: Duration) {
    let until = libc::timespec { tv_sec: moment.as_secs() as _, tv_nsec: moment.subsec_nanos().into() };
    // SAFETY: `until` is valid for reading; an absolute sleep writes no remainder, so null is allowed.
    while unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const until, ptr::null_mut()) }
        == libc::EINTR
    {}
}

/// Gives the calling thread a real-time priority (SCHED_FIFO).
///
/// # Errors
/// The process may not: it lacks CAP_SYS_NICE or the resource limit RTPRIO.
pub(super) fn set_realtime(priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: `parameters` is valid for reading; 0 names the calling thread.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Room for one control message with a timestamp; of words, because control messages are aligned to them.
type Control = [u64; 8];
/// A stamp that is older than this comes from a clock that was set.
const OLDEST_STAMP: Duration = Duration::from_secs(1);

/// Buffers for one [`Datagrams::receive`]; one per thread, used for all its sockets.
pub(super) struct Datagrams {
    bytes: Box<[[u8; DATAGRAM_BYTES]; BATCH]>,
    sources: [libc::sockaddr_storage; BATCH],
    lengths: [usize; BATCH],
    /// In the kernel's clock.
    stamps: [Option<Duration>; BATCH],
    count: usize,
    wall_offset: Duration,
    now: Duration,
}

impl Datagrams {
    pub(super) fn new() -> Self {
        Self {
            bytes: Box::new([[0; DATAGRAM_BYTES]; BATCH]),
            // SAFETY: all zeros is a valid sockaddr_storage (family AF_UNSPEC).
            sources: unsafe { mem::zeroed() },
            lengths: [0; BATCH],
            stamps: [None; BATCH],
            count: 0,
            wall_offset: Duration::ZERO,
            now: Duration::ZERO,
        }
    }

    /// Begins a tick: looks at the clocks, so that not each datagram has to.
    pub(super) fn begin(&mut self, now: Duration) {
        self.wall_offset = wall_offset();
        self.now = now;
    }

    /// Takes up to [`BATCH`] waiting datagrams without blocking, and says how many.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> usize {
        let mut control: [Control; BATCH] = [[0; 8]; BATCH];
        // SAFETY: all zeros is a valid iovec and a valid mmsghdr (no buffers, no address).
        let mut parts: [libc::iovec; BATCH] = unsafe { mem::zeroed() };
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for (i, message) in messages.iter_mut().enumerate() {
            parts[i] = libc::iovec { iov_base: self.bytes[i].as_mut_ptr().cast(), iov_len: DATAGRAM_BYTES };
            message.msg_hdr.msg_iov = &raw mut parts[i];
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_name = (&raw mut self.sources[i]).cast();
            message.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            message.msg_hdr.msg_control = (&raw mut control[i]).cast();
            message.msg_hdr.msg_controllen = mem::size_of::<Control>() as _;
        }
        // SAFETY: every header points to one part, one address and one control buffer that outlive the call, each with its
        // true size, and no two headers share memory; the descriptor is open because `socket` is borrowed. A null timeout is
        // allowed.
        let taken =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), BATCH as _, libc::MSG_DONTWAIT, ptr::null_mut()) };
        self.count = usize::try_from(taken).unwrap_or(0).min(BATCH);
        for (i, message) in messages.iter().enumerate().take(self.count) {
            self.lengths[i] = (message.msg_len as usize).min(DATAGRAM_BYTES);
            // SAFETY: the kernel has filled this header, and its control buffer is still alive.
            self.stamps[i] = unsafe { arrival_stamp(&message.msg_hdr) };
        }
        self.count
    }

    /// What the last [`Self::receive`] took: bytes, source, and when they arrived in the clock of [`now`]. A datagram from
    /// an address of no IP family is left out.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&mut [u8], SocketAddr, Duration)> {
        let (now, wall_offset) = (self.now, self.wall_offset);
        let heads = self.sources.iter().zip(&self.lengths).zip(&self.stamps);
        self.bytes.iter_mut().zip(heads).take(self.count).filter_map(move |(bytes, ((source, length), stamp))| {
            Some((bytes.get_mut(..*length)?, to_socket_addr(source)?, arrival(*stamp, now, wall_offset)))
        })
    }
}

fn arrival(stamp: Option<Duration>, now: Duration, wall_offset: Duration) -> Duration {
    let arrived = stamp.and_then(|stamp| stamp.checked_sub(wall_offset)).unwrap_or(now);
    let credible = arrived <= now && now - arrived < OLDEST_STAMP;
    if credible { arrived } else { now }
}

/// The kernel's stamp among the control messages of a datagram.
///
/// # Safety
/// `header` was filled by the kernel and its control buffer is alive and aligned for control messages.
unsafe fn arrival_stamp(header: &libc::msghdr) -> Option<Duration> {
    // SAFETY: as the caller promises; the macro checks the buffer's length.
    let message = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
    let is_stamp = message.cmsg_level == libc::SOL_SOCKET && message.cmsg_type == libc::SCM_TIMESTAMPNS;
    // SAFETY: such a message holds a timespec, which need not be aligned.
    is_stamp.then(|| to_duration(unsafe { ptr::read_unaligned(libc::CMSG_DATA(message).cast::<libc::timespec>()) }))
}

fn to_socket_addr(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage, which is large enough and aligned for any address, holds this one.
            let v4 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            // A dual-stack socket sees IPv4 callers as mapped addresses; the SDP names them plainly.
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr).to_canonical();
            Some(SocketAddr::new(ip, u16::from_be(v6.sin6_port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_waiting_datagrams_with_their_sources_and_never_blocks() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(receiver) = UdpSocket::bind(local) else { continue };
            let sender = UdpSocket::bind(local).expect("loopback");
            let mut datagrams = Datagrams::new();
            datagrams.begin(now());
            assert_eq!(datagrams.receive(&receiver), 0);
            for byte in 0..10 {
                sender.send_to(&[byte; 3], receiver.local_addr().expect("bound")).expect("sent");
            }
            let mut taken = Vec::new();
            for expected in [BATCH, 2, 0] {
                assert_eq!(datagrams.receive(&receiver), expected);
                taken.extend(datagrams.iter_mut().map(|(bytes, from, _)| (bytes.to_vec(), from)));
            }
            let from = sender.local_addr().expect("bound");
            assert_eq!(taken, (0..10).map(|byte| (vec![byte; 3], from)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_datagram_that_is_read_late_tells_when_it_came() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        stamp_arrivals(&receiver).expect("linux");
        let mut datagrams = Datagrams::new();
        // The kernel begins to stamp a moment after it was asked to; until then it stamps when read.
        let stamped = (0..200).any(|_| {
            let before = now();
            receiver.send_to(b"now", receiver.local_addr().expect("bound")).expect("sent");
            let after = now();
            sleep_until(after + Duration::from_millis(5));
            datagrams.begin(now());
            assert_eq!(datagrams.receive(&receiver), 1);
            let arrived = datagrams.iter_mut().next().expect("one").2;
            // The two clocks are not read at the same instant.
            let slack = Duration::from_millis(1);
            arrived + slack > before && arrived < after + slack
        });
        assert!(stamped);
    }

    #[test]
    fn sleeps_until_the_moment_and_not_when_it_is_past() {
        let before = now();
        sleep_until(before + Duration::from_millis(3));
        assert!(now() >= before + Duration::from_millis(3));
        sleep_until(before);
    }
}
