//! Token buckets by address. Time is an argument; room is bounded: those that were not heard for longest are forgotten, which lets them
//! begin anew.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Addresses that are remembered.
const SOURCES: usize = 4_096;

/// How much may come at once, and how much in the long run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub burst: f64,
    pub per_second: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(allowance: Allowance, now: Instant) -> Self {
        Self { tokens: allowance.burst, at: now }
    }

    fn take(&mut self, allowance: Allowance, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * allowance.per_second).min(allowance.burst);
        self.at = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }
}

/// The buckets of two generations: who knocks moves to the young one, and when that is full the old one is forgotten.
pub(super) struct Rates {
    young: HashMap<IpAddr, Bucket>,
    old: HashMap<IpAddr, Bucket>,
    /// Of all strangers together.
    all: Option<Bucket>,
    all_may: Allowance,
}

impl Rates {
    pub fn new(all_may: Allowance) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), all: None, all_may }
    }

    /// One more from this address, if it may.
    pub fn take(&mut self, source: IpAddr, allowance: Allowance, now: Instant) -> bool {
        if let Some(bucket) = self.young.get_mut(&source) {
            return bucket.take(allowance, now);
        }
        if self.young.len() >= SOURCES / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        let mut bucket = self.old.remove(&source).unwrap_or_else(|| Bucket::full(allowance, now));
        let taken = bucket.take(allowance, now);
        self.young.insert(source, bucket);
        taken
    }

    /// The same, and all strangers together may too.
    pub fn take_stranger(&mut self, source: IpAddr, allowance: Allowance, now: Instant) -> bool {
        let all_may = self.all_may;
        self.take(source, allowance, now) && self.all.get_or_insert_with(|| Bucket::full(all_may, now)).take(all_may, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ONE: Allowance = Allowance { burst: 3.0, per_second: 2.0 };
    const ALL: Allowance = Allowance { burst: 10.0, per_second: 5.0 };

    fn source(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn a_bucket_fills_with_time() {
        let (mut rates, start) = (Rates::new(ALL), Instant::now());
        let mut of = |ms: u64, tries: usize| {
            let now = start + Duration::from_millis(ms);
            (0..tries).filter(|_| rates.take(source(1), ONE, now)).count()
        };
        assert_eq!([of(0, 5), of(499, 5), of(1_000, 5), of(60_000, 5)], [3, 0, 2, 3]);
    }

    #[test]
    fn all_strangers_together_have_a_limit() {
        let (mut rates, now) = (Rates::new(ALL), Instant::now());
        let let_in = (0..1_000).filter(|n| rates.take_stranger(source(*n), ONE, now)).count();
        assert_eq!(let_in, 10);
        assert_eq!((0..1_000).filter(|n| rates.take_stranger(source(*n), ONE, now + Duration::from_secs(1))).count(), 5);
    }

    #[test]
    fn made_up_addresses_take_no_room_without_bound_and_wash_nobody_clean_who_goes_on() {
        let (mut rates, now) = (Rates::new(ALL), Instant::now());
        let greedy = source(0);
        let mut got = 0;
        for n in 1..20 * 4_096 {
            rates.take(source(n), ONE, now);
            got += u32::from(rates.take(greedy, ONE, now));
        }
        assert_eq!(got, 3, "one that knocks all the time is remembered");
        assert!(rates.young.len() + rates.old.len() <= SOURCES);
    }
}
