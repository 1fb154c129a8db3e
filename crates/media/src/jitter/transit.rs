//! Transit times: how much later than its timestamp says a packet arrives, up to an unknown constant.

use crate::NARROWBAND_HZ;
use std::time::Duration;

/// The fastest and slowest packets are those of the last one to two terms.
const TERM: Duration = Duration::from_secs(2);
/// Packets before their spread is believed.
const ENOUGH: u32 = 25;

/// Extremes of one term, relative to the reference.
#[derive(Debug, Clone, Copy)]
struct Extremes {
    fastest: i32,
    slowest: i32,
}

impl Extremes {
    fn with(self, other: Option<Self>) -> Self {
        let other = other.unwrap_or(self);
        Self { fastest: self.fastest.min(other.fastest), slowest: self.slowest.max(other.slowest) }
    }
}

/// What arrivals tell about the network. All in samples.
#[derive(Debug, Clone, Default)]
pub(super) struct Transits {
    /// Transit of the first packet; the others are kept relative to it.
    reference: Option<u32>,
    this_term: Option<Extremes>,
    last_term: Option<Extremes>,
    term_began: Duration,
    packets: u32,
    /// Of the last packet, for the jitter.
    last: i32,
    /// 16 times the interarrival jitter, as in RFC 3550 appendix A.8.
    jitter_x16: u32,
}

impl Transits {
    /// Forgets the stream; the jitter is kept until there is another.
    pub fn restart(&mut self) {
        *self = Self { jitter_x16: self.jitter_x16, ..Self::default() };
    }

    /// Notes an arrival; returns by how much the packet is later than the fastest.
    pub fn note(&mut self, timestamp: u32, now: Duration) -> i32 {
        let transit = self.relative(timestamp, now);
        if self.reference.is_none() {
            self.reference = Some(clock(now).wrapping_sub(timestamp));
            (self.term_began, self.last) = (now, transit);
        }
        self.turn_over(now);
        let heard = Extremes { fastest: transit, slowest: transit };
        self.this_term = Some(heard.with(self.this_term));
        self.packets = self.packets.saturating_add(1);
        let step = transit.wrapping_sub(self.last).unsigned_abs().min(u32::MAX >> 8);
        self.jitter_x16 = (self.jitter_x16 + step).saturating_sub((self.jitter_x16 + 8) >> 4);
        self.last = transit;
        transit.saturating_sub(self.extremes().map_or(transit, |e| e.fastest))
    }

    fn turn_over(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.term_began);
        if elapsed >= TERM {
            // After a long pause the term before it still tells more than nothing.
            self.last_term = self.this_term.take().or(self.last_term);
            self.term_began = now;
        }
    }

    fn relative(&self, timestamp: u32, now: Duration) -> i32 {
        let transit = clock(now).wrapping_sub(timestamp);
        transit.wrapping_sub(self.reference.unwrap_or(transit)) as i32
    }

    fn extremes(&self) -> Option<Extremes> {
        match self.this_term {
            Some(this) => Some(this.with(self.last_term)),
            None => self.last_term,
        }
    }

    /// Whether a timestamp stands further than `limit` from those heard so far.
    pub fn jumps(&self, timestamp: u32, now: Duration, limit: i32) -> bool {
        let transit = self.relative(timestamp, now);
        self.extremes().is_some_and(|e| transit > e.slowest.saturating_add(limit) || transit < e.fastest.saturating_sub(limit))
    }

    /// Between the fastest and the slowest packet, once enough have been heard.
    pub fn spread(&self) -> Option<i32> {
        self.extremes().filter(|_| self.packets >= ENOUGH).map(|e| e.slowest.saturating_sub(e.fastest))
    }

    /// The delay of a frame played at `now` against the fastest packets' arrival.
    pub fn later_than_fastest(&self, timestamp: u32, now: Duration) -> i32 {
        self.extremes().map_or(0, |e| self.relative(timestamp, now).saturating_sub(e.fastest))
    }

    /// By how much the slowest packets came before they would be played, were `timestamp` played at `now`. Unknown, and
    /// therefore nothing, in the first terms.
    pub fn later_than_slowest(&self, timestamp: u32, now: Duration) -> i32 {
        let known = self.last_term.and(self.extremes());
        known.map_or(0, |e| self.relative(timestamp, now).saturating_sub(e.slowest))
    }

    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub fn jitter(&self) -> Duration {
        Duration::from_micros(u64::from(self.jitter_x16) * 125 / 16)
    }
}

/// A time in samples.
fn clock(now: Duration) -> u32 {
    let samples = now.as_secs().wrapping_mul(u64::from(NARROWBAND_HZ)) + u64::from(now.subsec_micros() / 125);
    samples as u32
}
