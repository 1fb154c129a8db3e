//! How often somebody may ask: a budget for each key or person, one for each address, and a small one for wrong guesses.

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock>;

/// How many seconds' worth may come at once.
const BURST: u32 = 4;
/// Of an address: whoever shares one (an office, a proxy) shares it with others.
const OF_ADDRESS: u32 = 2;
/// Wrong keys, tokens and cookies of one address: at once, and then one every six seconds.
const GUESSES: u32 = 10;
const GUESS_EVERY: Duration = Duration::from_secs(6);

#[derive(Debug)]
pub struct Rates {
    by_name: Limiter<String>,
    by_address: Limiter<IpAddr>,
    guesses: Limiter<IpAddr>,
}

impl Rates {
    /// `per_second`: requests of one key or person.
    pub fn new(per_second: NonZeroU32) -> Self {
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.saturating_mul(FOUR));
        const FOUR: NonZeroU32 = NonZeroU32::new(BURST).expect("not zero");
        const TWO: NonZeroU32 = NonZeroU32::new(OF_ADDRESS).expect("not zero");
        const TEN: NonZeroU32 = NonZeroU32::new(GUESSES).expect("not zero");
        let guesses = Quota::with_period(GUESS_EVERY).unwrap_or(Quota::per_minute(TEN)).allow_burst(TEN);
        Self {
            by_name: RateLimiter::keyed(quota(per_second)),
            by_address: RateLimiter::keyed(quota(per_second.saturating_mul(TWO))),
            guesses: RateLimiter::keyed(guesses),
        }
    }

    /// `Err`: how long to wait.
    pub fn of_name(&self, name: &str) -> Result<(), Duration> {
        checked(&self.by_name, &name.to_owned())
    }

    pub fn of_address(&self, address: IpAddr) -> Result<(), Duration> {
        checked(&self.by_address, &address)
    }

    /// A wrong guess from there.
    pub fn guessed(&self, address: IpAddr) -> Result<(), Duration> {
        checked(&self.guesses, &address)
    }

    /// Forgets whom nothing is held against any more; without it each address ever seen would stay in memory.
    pub fn tidy(&self) {
        self.by_name.retain_recent();
        self.by_address.retain_recent();
        self.guesses.retain_recent();
        self.by_name.shrink_to_fit();
        self.by_address.shrink_to_fit();
        self.guesses.shrink_to_fit();
    }
}

fn checked<K: std::hash::Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K) -> Result<(), Duration> {
    limiter.check_key(key).map_err(|until| until.wait_time_from(limiter.clock().now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_budget_of_its_own() {
        let rates = Rates::new(NonZeroU32::MIN);
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..BURST {
            rates.of_name("a").expect("within the burst");
        }
        let wait = rates.of_name("a").expect_err("over it");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        rates.of_name("b").expect("another's");
        for _ in 0..GUESSES {
            rates.guessed(one).expect("within the burst");
        }
        let wait = rates.guessed(one).expect_err("over it");
        assert!(wait > Duration::from_secs(5) && wait <= GUESS_EVERY, "{wait:?}");
        rates.guessed(other).expect("another's");
        rates.of_address(one).expect("guesses are counted apart");
        rates.tidy();
        rates.guessed(one).expect_err("what is held against somebody stays");
    }
}
