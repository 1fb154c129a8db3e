//! The times of a registration, all in one place, with their jitter.

use std::time::Duration;

/// How often and how patiently an account registers.
#[derive(Debug, Clone, PartialEq)]
pub struct RegisterPolicy {
    /// Seconds asked for.
    pub wanted_expires_s: u32,
    /// Most seconds that a 423 may raise it to, and that a grant counts for.
    pub longest_expires_s: u32,
    /// Part of the granted time after which the binding is refreshed.
    pub refresh_at: f64,
    /// The refresh comes earlier by up to this part of the granted time, so that lines spread out.
    pub refresh_jitter: f64,
    /// However short the grant, refreshes are this far apart.
    pub shortest_refresh: Duration,
    /// Pauses after the first, second… failure in a row; the last one repeats.
    pub backoff: Vec<Duration>,
    /// Pause when nothing that we could do better would help.
    pub hopeless_pause: Duration,
    /// Pauses are stretched by up to this part. Never shortened: a `Retry-After` means "not before".
    pub pause_jitter: f64,
    /// Longest `Retry-After` that is obeyed.
    pub longest_pause: Duration,
    /// Pause after the registrar refused the credentials; doubled with each refusal in a row.
    pub wrong_password_pause: Duration,
    pub wrong_password_longest: Duration,
    /// After a closed flow or a new address, lines register again within this time.
    pub spread: Duration,
    /// A flow that lives shorter than this after a registration counts as failing.
    pub steady_flow: Duration,
    /// A REGISTER of which nothing is heard counts as lost after this. A safety net: the transaction speaks 32 s after
    /// sending (Timer F), but where many lines start at once a request may wait for its turn first.
    pub answer_limit: Duration,
    /// A place that failed is avoided for so long, where there are others.
    pub avoid_for: Duration,
    /// Without a binding for longer than this, people are told.
    pub alert_after: Duration,
    /// Time to remove the binding in; half of it may go to a REGISTER still outstanding.
    pub leave_limit: Duration,
}

impl Default for RegisterPolicy {
    fn default() -> Self {
        Self {
            wanted_expires_s: 3600,
            longest_expires_s: 86_400,
            refresh_at: 0.85,
            refresh_jitter: 0.1,
            shortest_refresh: Duration::from_secs(5),
            backoff: [2, 5, 15, 30, 60, 120].map(Duration::from_secs).to_vec(),
            hopeless_pause: Duration::from_secs(1800),
            pause_jitter: 0.2,
            longest_pause: Duration::from_secs(3600),
            wrong_password_pause: Duration::from_secs(1800),
            wrong_password_longest: Duration::from_secs(4 * 3600),
            spread: Duration::from_secs(5),
            steady_flow: Duration::from_secs(60),
            answer_limit: Duration::from_secs(300),
            avoid_for: Duration::from_secs(300),
            alert_after: Duration::from_secs(300),
            leave_limit: Duration::from_secs(4),
        }
    }
}

impl RegisterPolicy {
    /// From a grant to its refresh.
    pub(super) fn refresh_after(&self, granted_s: u32, entropy: u64) -> Duration {
        let part = (self.refresh_at - self.refresh_jitter * unit(entropy)).clamp(0.0, 1.0);
        Duration::from_secs(u64::from(granted_s)).mul_f64(part).max(self.shortest_refresh)
    }

    /// After the `failures`th failure in a row (from 1), not before what the registrar asked for.
    pub(super) fn retry_after(&self, failures: u32, asked_s: Option<u32>, entropy: u64) -> Duration {
        let step = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.backoff.get(step).or(self.backoff.last()).copied().unwrap_or(self.spread);
        let asked = Duration::from_secs(u64::from(asked_s.unwrap_or(0))).min(self.longest_pause);
        self.stretch(pause.max(asked), entropy)
    }

    /// When there is nothing that we could do better next time.
    pub(super) fn retry_rarely(&self, entropy: u64) -> Duration {
        self.stretch(self.hopeless_pause, entropy)
    }

    /// After the `refusals`th refusal of the credentials in a row (from 1).
    pub(super) fn wrong_password_after(&self, refusals: u32, entropy: u64) -> Duration {
        let doublings = refusals.saturating_sub(1).min(16);
        let pause = self.wrong_password_pause.saturating_mul(1 << doublings);
        self.stretch(pause.min(self.wrong_password_longest.max(self.wrong_password_pause)), entropy)
    }

    /// How long a place that failed is avoided, not shorter than it has asked for.
    pub fn avoid_after(&self, asked_s: Option<u32>) -> Duration {
        self.avoid_for.max(Duration::from_secs(u64::from(asked_s.unwrap_or(0))).min(self.longest_pause))
    }

    /// After something that strikes many lines at once.
    pub(super) fn spread_after(&self, entropy: u64) -> Duration {
        self.spread.mul_f64(0.05 + 0.95 * unit(entropy))
    }

    fn stretch(&self, pause: Duration, entropy: u64) -> Duration {
        pause.mul_f64(1.0 + self.pause_jitter.max(0.0) * unit(entropy))
    }
}

/// Random bits as a number from 0 up to, not including, 1.
fn unit(entropy: u64) -> f64 {
    (entropy >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bounds() {
        let policy = RegisterPolicy::default();
        for entropy in [0, 1, u64::MAX / 3, u64::MAX] {
            let seconds = |d: Duration| d.as_secs_f64();
            assert!((2700.0..=3060.0).contains(&seconds(policy.refresh_after(3600, entropy))));
            assert!((5.0..=5.0).contains(&seconds(policy.refresh_after(1, entropy))));
            assert!((2.0..=2.4).contains(&seconds(policy.retry_after(1, None, entropy))));
            assert!((120.0..=144.0).contains(&seconds(policy.retry_after(1000, None, entropy))));
            assert!((1800.0..=2160.0).contains(&seconds(policy.retry_rarely(entropy))));
            assert!((120.0..=144.0).contains(&seconds(policy.retry_after(1, Some(120), entropy))));
            assert!((3600.0..=4320.0).contains(&seconds(policy.retry_after(1, Some(u32::MAX), entropy))));
            assert!((1800.0..=2160.0).contains(&seconds(policy.wrong_password_after(1, entropy))));
            assert!((14400.0..=17280.0).contains(&seconds(policy.wrong_password_after(u32::MAX, entropy))));
            assert!((0.25..=5.0).contains(&seconds(policy.spread_after(entropy))));
        }
    }

    #[test]
    fn pauses_grow() {
        let policy = RegisterPolicy::default();
        let pauses: Vec<u64> = (1..=7).map(|n| policy.retry_after(n, None, 0).as_secs()).collect();
        assert_eq!(pauses, [2, 5, 15, 30, 60, 120, 120]);
    }
}
