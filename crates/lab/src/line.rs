//! A bad line between a telephone and the world: loses packets and delays them, the same ones each time for the same seed. Pure:
//! time is an argument, and whoever owns a way waits until [`LossyWay::due`].
//!
//! ```text
//!   telephone ── LossyWay (out) ──▶ RTP socket ──▶ the product
//!   telephone ◀── LossyWay (in) ─── RTP socket ◀── the product
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Every packet is under way for so many deviations of its jitter on average, so that hardly one would have to be early.
const HEAD_ROOM: f64 = 3.0;

/// What a line does to packets, in both directions alike but not in step. The default is a line without faults.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LineFaults {
    /// The share of packets that are lost, 0 to 1, each whatever becomes of the others.
    pub loss: f64,
    /// Standard deviation of the delay, which is normally distributed, three deviations on average, never below zero, and
    /// independent from packet to packet: packets overtake each other.
    pub jitter_sd: Duration,
    /// The same seed loses the same packets of a direction, counted from its first, and gives them the same delays.
    pub seed: u64,
}

impl LineFaults {
    /// A line without faults.
    pub const NONE: Self = Self { loss: 0.0, jitter_sd: Duration::ZERO, seed: 0 };

    /// The telephone's way out, and its way in.
    pub(crate) fn ways<T>(self) -> [LossyWay<T>; 2] {
        [0, 1].map(|direction| LossyWay::new(self, direction))
    }
}

/// One direction of a line, with the packets that are under way.
#[derive(Debug)]
pub(crate) struct LossyWay<T> {
    loss: f64,
    jitter_sd: Duration,
    losses: Dice,
    delays: Dice,
    count: u64,
    lost: u64,
    /// As many as are sent within the longest delay, nine deviations of jitter.
    under_way: BinaryHeap<Reverse<UnderWay<T>>>,
}

#[derive(Debug)]
struct UnderWay<T> {
    arrives: Instant,
    number: u64,
    packet: T,
}

impl<T> LossyWay<T> {
    fn new(faults: LineFaults, direction: u64) -> Self {
        let LineFaults { loss, jitter_sd, seed } = faults;
        // Dice of their own, so that a line loses the same packets with jitter and without.
        let dice = |kind: u64| Dice(seed ^ Dice(4 * direction + kind).next());
        Self { loss, jitter_sd, losses: dice(1), delays: dice(2), count: 0, lost: 0, under_way: BinaryHeap::new() }
    }

    /// Packets that were lost so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// A packet sets out.
    pub fn send(&mut self, packet: T, now: Instant) {
        let (lost, delay) = (self.losses.roll() < self.loss, self.delay());
        self.count += 1;
        if lost {
            self.lost += 1;
        } else {
            self.under_way.push(Reverse(UnderWay { arrives: now + delay, number: self.count, packet }));
        }
    }

    fn delay(&mut self) -> Duration {
        let deviations = HEAD_ROOM + self.delays.normal();
        Duration::try_from_secs_f64(self.jitter_sd.as_secs_f64() * deviations).unwrap_or_default()
    }

    /// When the next packet arrives.
    pub fn due(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse(next)| next.arrives)
    }

    /// The next packet that has arrived by now, in the order of arrival.
    pub fn arrival(&mut self, now: Instant) -> Option<T> {
        self.due().filter(|due| *due <= now)?;
        self.under_way.pop().map(|Reverse(next)| next.packet)
    }
}

impl<T> UnderWay<T> {
    /// Those that arrive together keep the order in which they were sent.
    fn order(&self) -> (Instant, u64) {
        (self.arrives, self.number)
    }
}

impl<T> PartialEq for UnderWay<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<T> Eq for UnderWay<T> {}

impl<T> PartialOrd for UnderWay<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for UnderWay<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// SplitMix64: small, and the same on every machine and with every version of a library.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to 1, never 1.
    fn roll(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal (a sum of twelve), mean 0, deviation 1, never beyond 6.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.roll()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: u32 = 20_000;
    const EVERY: Duration = Duration::from_millis(20);

    /// Each packet's number and how long it was under way, in the order of arrival, and how many were lost.
    fn sent_through(mut way: LossyWay<u32>) -> (Vec<(u32, Duration)>, u64) {
        let start = Instant::now();
        let mut arrived = Vec::new();
        for number in 0..PACKETS {
            let now = start + EVERY * number;
            way.send(number, now);
            while let Some(due) = way.due().filter(|due| *due < now + EVERY) {
                assert!(way.arrival(due - Duration::from_nanos(1)).is_none(), "not before it is due");
                let packet = way.arrival(due).expect("due");
                arrived.push((packet, due - (start + EVERY * packet)));
            }
        }
        let lost = way.lost();
        (arrived, lost)
    }

    fn ways(loss: f64, jitter_ms: u64, seed: u64) -> [LossyWay<u32>; 2] {
        LineFaults { loss, jitter_sd: Duration::from_millis(jitter_ms), seed }.ways()
    }

    fn numbers(arrived: &[(u32, Duration)]) -> Vec<u32> {
        arrived.iter().map(|(number, _)| *number).collect()
    }

    #[test]
    fn without_faults_every_packet_arrives_at_once_and_in_order() {
        for way in LineFaults::NONE.ways() {
            let (arrived, lost) = sent_through(way);
            assert_eq!(lost, 0);
            assert_eq!(numbers(&arrived), (0..PACKETS).collect::<Vec<_>>());
            assert!(arrived.iter().all(|(_, took)| took.is_zero()));
        }
    }

    #[test]
    fn so_many_are_lost_and_not_the_same_in_both_directions() {
        let [out, back] = ways(0.02, 0, 1).map(sent_through);
        for (arrived, lost) in [&out, &back] {
            assert_eq!(arrived.len() as u64 + lost, u64::from(PACKETS));
            // Four deviations of a binomial distribution.
            assert!(lost.abs_diff(400) < 80, "{lost}");
        }
        assert_ne!(numbers(&out.0), numbers(&back.0));
        let nothing = ways(1.0, 0, 1).map(|way| sent_through(way).0.len());
        assert_eq!(nothing, [0, 0]);
    }

    #[test]
    fn delays_are_spread_as_asked_for_and_packets_overtake_each_other() {
        let [out, _] = ways(0.0, 30, 1).map(sent_through);
        let ms: Vec<f64> = out.0.iter().map(|(_, took)| took.as_secs_f64() * 1e3).collect();
        let mean = ms.iter().sum::<f64>() / ms.len() as f64;
        let deviation = (ms.iter().map(|ms| (ms - mean).powi(2)).sum::<f64>() / ms.len() as f64).sqrt();
        assert!((mean - 90.0).abs() < 1.0 && (deviation - 30.0).abs() < 0.6, "{mean} ± {deviation}");
        let overtaken = numbers(&out.0).windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(overtaken > out.0.len() / 10, "{overtaken}");
    }

    #[test]
    fn the_same_seed_does_the_same_and_another_does_not() {
        let arrived = |loss, jitter_ms, seed| ways(loss, jitter_ms, seed).map(|way| sent_through(way).0);
        assert_eq!(arrived(0.02, 30, 7), arrived(0.02, 30, 7));
        assert_ne!(arrived(0.02, 30, 7), arrived(0.02, 30, 8));
        let sorted = |mut arrived: Vec<(u32, Duration)>| {
            arrived.sort_unstable();
            numbers(&arrived)
        };
        let mut still_under_way = 0;
        let [with, without] = [30, 0].map(|jitter_ms| arrived(0.02, jitter_ms, 7).map(sorted));
        for (with, without) in with.iter().zip(&without) {
            still_under_way += without.len() - with.len();
            assert!(without.starts_with(&with[..with.len() - 20]), "jitter does not change what is lost");
        }
        assert!(still_under_way < 40);
    }
}
