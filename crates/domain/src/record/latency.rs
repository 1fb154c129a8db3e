//! How long callers wait for answers, as counts in buckets, so that the answers of many calls are added up.

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets, milliseconds; above the last it is without end.
pub const BOUNDS_MS: [u32; 18] =
    [50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 1_000, 1_250, 1_500, 2_000, 3_000, 4_000, 8_000, 16_000];

/// Counts by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The last is above every bound.
    pub counts: [u64; BOUNDS_MS.len() + 1],
    pub sum_ms: u64,
}

impl Histogram {
    pub fn add(&mut self, ms: u32) {
        let at = BOUNDS_MS.partition_point(|bound| *bound < ms);
        self.counts[at] += 1;
        self.sum_ms += u64::from(ms);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
        self.sum_ms += other.sum_ms;
    }

    /// Milliseconds that a share of the answers does not exceed, interpolated within its bucket; `None` without answers, and no
    /// more than the last bound.
    pub fn quantile(&self, share: f64) -> Option<u32> {
        let wanted = share * self.count() as f64;
        let mut below = 0.0;
        let mut lower = 0;
        for (count, upper) in self.counts.iter().zip(BOUNDS_MS.iter().chain(BOUNDS_MS.last())) {
            let count = *count as f64;
            if count > 0.0 && below + count >= wanted {
                let within = ((wanted - below) / count).clamp(0.0, 1.0);
                return Some(lower + (f64::from(upper - lower) * within).round() as u32);
            }
            below += count;
            lower = *upper;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated_within_their_bucket() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for ms in [10, 120, 120, 120, 450, 450, 450, 450, 450, 60_000] {
            histogram.add(ms);
        }
        assert_eq!(histogram.count(), 10);
        assert_eq!(histogram.quantile(0.1), Some(50));
        assert_eq!(histogram.quantile(0.4), Some(150));
        assert_eq!(histogram.quantile(0.65), Some(450));
        assert_eq!(histogram.quantile(0.99), Some(16_000), "no more than the last bound");
    }
}
