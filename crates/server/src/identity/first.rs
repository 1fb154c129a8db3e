//! The link that lets the first admin in: printed once, good once, for an hour.

use super::{digest, random_text};
use callie_store::access::Digest;
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const GOOD_FOR: Duration = Duration::from_secs(3_600);

/// Holds the link's proof until somebody has used it. It is in memory alone: after a restart there is another one.
#[derive(Debug, Default)]
pub struct FirstRun(Mutex<Option<(Digest, Timestamp)>>);

impl FirstRun {
    /// The secret part of a fresh link; an older one is good no more.
    pub fn issue(&self, now: Timestamp) -> String {
        let text = random_text();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((digest(&text), now));
        text
    }

    /// Whether it is the one that was printed; it is not good a second time.
    pub fn redeem(&self, text: &str, now: Timestamp) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = kept.is_some_and(|(proof, at)| proof == digest(text) && now.duration_since(at).unsigned_abs() <= GOOD_FOR);
        if fits {
            *kept = None;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_good_once_and_for_an_hour() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let first = FirstRun::default();
        assert!(!first.redeem("", at(0)), "none was issued");
        let old = first.issue(at(0));
        let text = first.issue(at(0));
        assert!(!first.redeem(&old, at(1)), "another was issued since");
        assert!(first.redeem(&text, at(3_600)));
        assert!(!first.redeem(&text, at(3_600)), "a second time");
        let late = first.issue(at(0));
        assert!(!first.redeem(&late, at(3_601)));
    }
}
