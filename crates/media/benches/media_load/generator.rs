//! The callers: one process with one socket talks to all calls, and measures when their packets leave by the kernel's stamps
//! (on loopback a packet arrives when it is sent).
//!
//! ```text
//! parent ── "generate WARM_UP MEASURED" ──▶ child     child's port on its stdout, the calls' ports on its stdin,
//!                                                     the figures on its stdout when the time is over
//! ```
#![expect(unsafe_code, reason = "SO_TIMESTAMPNS can only be set through libc")]

use callie_media::{
    FRAME, FRAME_SAMPLES,
    codec::G711,
    rtp::{RtpHeader, RtpPacket, header::HEADER_LEN},
};
use socket2::{MaybeUninitSlice, MsgHdrMut, SockAddr, Socket};
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// Packets of all calls go out in so many bursts per frame.
const BURSTS: usize = 20;

/// The callers' process, before and while it calls.
pub struct Generator {
    child: Child,
    said: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

/// What the callers heard: percentiles 50, 99 and 99.9.
#[derive(Debug, Default)]
pub struct Heard {
    pub spacing_us: [u64; 3],
    pub off_us: [u64; 3],
    pub lost: u64,
    /// p99 of how late they themselves sent: a run with more than 1 ms says little about the server.
    pub own_lateness_us: u64,
}

impl Generator {
    pub fn start(warm_up: Duration, measured: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("our own path"))
            .args(["generate", &warm_up.as_millis().to_string(), &measured.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("another process");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let port = read_line(&mut said).trim().parse().expect("a port");
        Self { child, said, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }
    }

    /// Calls all ports.
    pub fn call(mut self, ports: &[u16]) -> Self {
        let line: Vec<_> = ports.iter().map(u16::to_string).collect();
        let mut stdin = self.child.stdin.take().expect("piped");
        writeln!(stdin, "{}", line.join(" ")).expect("the child reads");
        self
    }

    pub fn finish(mut self) -> Heard {
        let line = read_line(&mut self.said);
        self.child.wait().expect("ours");
        let mut figures = line.split_whitespace().map(|figure| figure.parse::<u64>().expect("a figure"));
        let mut next = || figures.next().expect("eight figures");
        Heard { spacing_us: [next(), next(), next()], off_us: [next(), next(), next()], lost: next(), own_lateness_us: next() }
    }
}

fn read_line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).expect("the other process lives");
    line
}

/// The child's main.
pub fn run(arguments: &[String]) {
    let millis = |index: usize| Duration::from_millis(arguments.get(index).and_then(|ms| ms.parse().ok()).expect("millis"));
    let (warm_up, measured) = (millis(0), millis(1));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    stamp(&socket);
    println!("{}", socket.local_addr().expect("bound").port());
    let ports: Vec<u16> =
        read_line(&mut std::io::stdin().lock()).split_whitespace().map(|port| port.parse().expect("a port")).collect();
    let begun = Instant::now();
    let end = begun + warm_up + measured;
    let sender = socket.try_clone().expect("a descriptor");
    let targets = ports.clone();
    let talking = std::thread::spawn(move || talk(&sender, &targets, begun, end + Duration::from_millis(300)));
    let mut ears = Ears::new(&ports);
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let socket = Socket::from(socket);
    while Instant::now() < end {
        if let Some((stamp, port, sequence)) = hear(&socket) {
            ears.note(stamp, port, sequence, Instant::now() > begun + warm_up);
        }
    }
    let own = talking.join().expect("no panic");
    let figures: Vec<_> = ears.figures().into_iter().chain([own]).map(|figure| figure.to_string()).collect();
    println!("{}", figures.join(" "));
}

fn stamp(socket: &UdpSocket) {
    socket2::SockRef::from(socket).set_recv_buffer_size(8 << 20).expect("a buffer");
    let on: libc::c_int = 1;
    // SAFETY: `on` is valid for reading with its true size and the descriptor is open.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, (&raw const on).cast(), 4) };
    assert_eq!(done, 0, "the kernel stamps datagrams");
}

/// Sends to each port every 20 ms; gives the p99 of its own lateness, microseconds.
fn talk(socket: &UdpSocket, ports: &[u16], begun: Instant, end: Instant) -> u64 {
    let mut packet = [0; HEADER_LEN + FRAME_SAMPLES];
    let samples: [i16; FRAME_SAMPLES] = std::array::from_fn(|i| ((i as f32 * 0.3).sin() * 8_000.0) as i16);
    G711::Pcmu.encode_i16(&samples, &mut packet[HEADER_LEN..]);
    let mut lateness = Vec::new();
    for burst in 0_u32.. {
        let due = begun + FRAME * burst / BURSTS as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if now >= end {
            break;
        }
        lateness.push((now - due).as_micros() as u64);
        let (frame, phase) = (burst / BURSTS as u32, burst as usize % BURSTS);
        for (ssrc, port) in ports.iter().enumerate().skip(phase).step_by(BURSTS) {
            let header = RtpHeader {
                marker: frame == 0,
                payload_type: 0,
                sequence: frame as u16,
                timestamp: frame.wrapping_mul(FRAME_SAMPLES as u32),
                ssrc: ssrc as u32,
            };
            header.write(packet.first_chunk_mut().expect("twelve bytes"));
            socket.send_to(&packet, (Ipv4Addr::LOCALHOST, *port)).expect("sent");
        }
    }
    percentile(&mut lateness, 0.99)
}

/// One packet: the kernel's stamp in microseconds, who sent it, its sequence number.
fn hear(socket: &Socket) -> Option<(u64, u16, u16)> {
    let mut bytes = [MaybeUninit::<u8>::uninit(); 256];
    let mut control = [MaybeUninit::<u8>::zeroed(); 64];
    let mut source = SockAddr::from(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
    let mut parts = [MaybeUninitSlice::new(&mut bytes)];
    let mut message = MsgHdrMut::new().with_addr(&mut source).with_buffers(&mut parts).with_control(&mut control);
    let length = socket.recvmsg(&mut message, 0).ok()?;
    let controlled = message.control_len();
    // SAFETY: the kernel has written so many bytes of both.
    let (bytes, control) = unsafe { (bytes[..length].assume_init_ref(), control[..controlled].assume_init_ref()) };
    let packet = RtpPacket::parse(bytes).ok()?;
    // A header of 16 bytes, then seconds and nanoseconds.
    let field = |at: usize| control.get(at..at + 8)?.first_chunk().copied().map(u64::from_ne_bytes);
    Some((field(16)? * 1_000_000 + field(24)? / 1_000, source.as_socket()?.port(), packet.header.sequence))
}

/// When packets of each call came.
struct Ears {
    last: HashMap<u16, (u64, u16)>,
    spacing: Vec<u64>,
    lost: u64,
}

impl Ears {
    fn new(ports: &[u16]) -> Self {
        Self { last: HashMap::with_capacity(ports.len()), spacing: Vec::new(), lost: 0 }
    }

    fn note(&mut self, stamp_us: u64, port: u16, sequence: u16, counted: bool) {
        let before = self.last.insert(port, (stamp_us, sequence));
        let Some((last_us, last_sequence)) = before.filter(|_| counted) else { return };
        match sequence.wrapping_sub(last_sequence) {
            1 => self.spacing.push(stamp_us.saturating_sub(last_us)),
            gap => self.lost += u64::from(gap.wrapping_sub(1)),
        }
    }

    fn figures(mut self) -> Vec<u64> {
        let frame_us = FRAME.as_micros() as u64;
        let mut off: Vec<u64> = self.spacing.iter().map(|us| us.abs_diff(frame_us)).collect();
        let ranks = [0.5, 0.99, 0.999];
        let spacing = ranks.map(|rank| percentile(&mut self.spacing, rank));
        let off = ranks.map(|rank| percentile(&mut off, rank));
        spacing.into_iter().chain(off).chain([self.lost]).collect()
    }
}

fn percentile(values: &mut [u64], rank: f64) -> u64 {
    if values.is_empty() {
        return 0;
    }
    let index = ((values.len() - 1) as f64 * rank) as usize;
    *values.select_nth_unstable(index).1
}
