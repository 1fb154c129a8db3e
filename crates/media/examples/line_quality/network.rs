//! A network between two sockets: forwards datagrams both ways, and loses and delays them as a line of its kind does. The same
//! line loses the same packets each time, as far as they are sent in the same order.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Clean,
    /// Each packet may be lost, whatever became of others.
    Loss {
        percent: u8,
    },
    /// Normally distributed delays, independent of one another, so packets overtake each other.
    Jitter {
        deviation_ms: u8,
    },
}

impl Line {
    pub const ALL: [Self; 3] = [Self::Clean, Self::Loss { percent: 2 }, Self::Jitter { deviation_ms: 30 }];

    /// How long a packet is under way; `None` when it is lost.
    fn carry(self, dice: &mut Dice) -> Option<Duration> {
        match self {
            Self::Clean => Some(Duration::ZERO),
            Self::Loss { percent } => (dice.roll() >= f64::from(percent) / 100.0).then_some(Duration::ZERO),
            Self::Jitter { deviation_ms } => {
                // Three deviations of head room; what would arrive before it was sent arrives at once.
                let ms = f64::from(deviation_ms) * (3.0 + dice.normal());
                Some(Duration::from_secs_f64(ms.max(0.0) / 1e3))
            }
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Loss { percent } => write!(f, "{percent} % loss"),
            Self::Jitter { deviation_ms } => write!(f, "jitter, {deviation_ms} ms"),
        }
    }
}

/// The two ends of a network: what comes to one leaves from the other.
pub struct Network {
    ends: [UdpSocket; 2],
}

impl Network {
    pub fn new() -> io::Result<Self> {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        Ok(Self { ends: [socket()?, socket()?] })
    }

    /// Where each party sends to.
    pub fn addresses(&self) -> io::Result<[SocketAddr; 2]> {
        Ok([self.ends[0].local_addr()?, self.ends[1].local_addr()?])
    }

    /// Forwards between the parties until told to stop.
    pub fn run(&self, line: Line, parties: [SocketAddr; 2], stop: &AtomicBool) {
        std::thread::scope(|scope| {
            let [a, b] = &self.ends;
            scope.spawn(|| forward(line, a, (b, parties[1]), Dice(0x9e37_79b9_7f4a_7c15), stop));
            scope.spawn(|| forward(line, b, (a, parties[0]), Dice(0xd1b5_4a32_d192_ed03), stop));
        });
    }
}

fn forward(line: Line, from: &UdpSocket, (via, to): (&UdpSocket, SocketAddr), mut dice: Dice, stop: &AtomicBool) {
    // By arrival, then by number.
    let mut under_way: BTreeMap<(Instant, u64), Vec<u8>> = BTreeMap::new();
    let mut datagram = [0; 1_500];
    for number in 0.. {
        while let Some(next) = under_way.first_entry().filter(|next| next.key().0 <= Instant::now()) {
            // Who has gone does not listen any more.
            let _ = via.send_to(&next.remove(), to);
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let patience = Duration::from_millis(20);
        let wait = under_way.first_key_value().map_or(patience, |((due, _), _)| due.saturating_duration_since(Instant::now()));
        let wait = wait.clamp(Duration::from_micros(1), patience);
        if from.set_read_timeout(Some(wait)).is_ok()
            && let Ok(length) = from.recv(&mut datagram)
            && let Some(delay) = line.carry(&mut dice)
        {
            under_way.insert((Instant::now() + delay, number), datagram[..length].to_vec());
        }
    }
}

/// Xorshift.
struct Dice(u64);

impl Dice {
    /// Between 0 and 1.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal, with a deviation of one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}
