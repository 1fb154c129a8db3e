//! When to report next: RFC 3550 §6.2 and §6.3 for two who talk with one another.
//!
//! With two members the least interval of 5 s is always longer than what 5 % of a telephone call's bandwidth asks for, and nobody
//! joins or leaves, so nothing is to be reconsidered.

use std::time::Duration;

const MIN_INTERVAL: Duration = Duration::from_secs(5);
/// e − 3/2: the reconsideration of others makes intervals shorter than drawn (§6.3.1).
const COMPENSATION: f64 = 1.218_28;

/// Draws the intervals.
#[derive(Debug, Clone)]
pub struct Intervals {
    seed: u64,
    first: bool,
}

impl Intervals {
    /// `seed` should be random, lest all calls report at once.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Xorshift stands still at zero.
        Self { seed: seed | 1 << 63, first: true }
    }

    /// Half to one and a half times the interval over the compensation; the first time half of that (§6.2).
    #[expect(clippy::should_implement_trait, reason = "there is always a next one")]
    pub fn next(&mut self) -> Duration {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        let drawn = (self.seed >> 40) as f64 / f64::from(1 << 24);
        let interval = if std::mem::take(&mut self.first) { MIN_INTERVAL / 2 } else { MIN_INTERVAL };
        interval.mul_f64((0.5 + drawn) / COMPENSATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_about_every_five_seconds_and_not_in_step() {
        for seed in [0, 1, u64::MAX, 0xdead_beef] {
            let mut intervals = Intervals::new(seed);
            assert!((1_020..3_080).contains(&intervals.next().as_millis()));
            let drawn: Vec<_> = (0..1_000).map(|_| intervals.next().as_millis()).collect();
            assert!(drawn.iter().all(|ms| (2_050..6_160).contains(ms)));
            assert!((3_950..4_260).contains(&(drawn.iter().sum::<u128>() / 1_000)), "5 s over the compensation");
            assert!(drawn.iter().any(|ms| *ms < 2_400) && drawn.iter().any(|ms| *ms > 5_800));
        }
        assert_ne!(Intervals::new(2).next(), Intervals::new(0x9_0000_0000).next());
    }
}
