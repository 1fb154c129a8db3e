//! How long is waited between attempts.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(4);

/// A time in which sessions fail, until one works.
#[derive(Debug)]
pub struct Outage {
    pub since: Instant,
    attempts: u32,
}

impl Outage {
    pub fn new(since: Instant) -> Self {
        Self { since, attempts: 0 }
    }

    /// Before the next attempt: nothing before the first, then longer and longer.
    pub fn next_pause(&mut self) -> Duration {
        let pause = match self.attempts {
            0 => Duration::ZERO,
            attempts => (FIRST * 2_u32.pow((attempts - 1).min(8))).min(LONGEST),
        };
        self.attempts += 1;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_four_seconds() {
        let mut outage = Outage::new(Instant::now());
        let pauses: Vec<u128> = (0..8).map(|_| outage.next_pause().as_millis()).collect();
        assert_eq!(pauses, [0, 250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]);
        (0..1_000).for_each(|_| assert!(outage.next_pause() <= LONGEST));
    }
}
