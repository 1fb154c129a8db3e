//! What follows from an attempt. Time and chance are arguments.
//!
//! A receiver has a day. It is asked again after 5 seconds, 10, 20 … up to an hour, each time by chance somewhat earlier, so that
//! those who failed together do not come back together. `Retry-After` (RFC 9110 §10.2.3) is longer than that or has no effect.

use crate::outside::{Answer, OutsideError};
use callie_store::delivery::{Attempt, DeliveryState, Next};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// How patient we are.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Until the second attempt.
    pub first: SignedDuration,
    /// Between two attempts.
    pub longest: SignedDuration,
    /// From the first attempt to the last.
    pub patience: SignedDuration,
    /// For one attempt.
    pub attempt: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: SignedDuration::from_secs(5),
            longest: SignedDuration::from_secs(3_600),
            patience: SignedDuration::from_hours(24),
            attempt: Duration::from_secs(10),
        }
    }
}

/// A receiver that was out of reach is left alone for so long at most, whatever else there is for it.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Of an error's text that is kept, in characters.
const EVIDENCE: usize = 200;

/// Where a delivery stands before the attempt.
#[derive(Debug, Clone, Copy)]
pub struct Tried {
    pub attempts: u32,
    pub since: Timestamp,
}

/// The attempt for the queue, and whether the receiver wants nothing any more (410).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub attempt: Attempt,
    pub is_gone: bool,
}

/// `chance`: 0 to 1.
pub fn judge(pace: &Pace, outcome: &Result<Answer, OutsideError>, tried: Tried, now: Timestamp, chance: f64) -> Verdict {
    let status = outcome.as_ref().ok().map(|answer| answer.status);
    let settled = |state, error: Option<String>, is_gone| Verdict {
        attempt: Attempt { at: now, status, error, next: Next::Settle(state) },
        is_gone,
    };
    match status {
        Some(200..=299) => return settled(DeliveryState::Delivered, None, false),
        Some(410) => {
            let error = "the receiver wants no more (410): the webhook is not active any more".to_owned();
            return settled(DeliveryState::Dropped, Some(error), true);
        }
        _ => {}
    }
    let error = Some(evidence(outcome));
    let until = tried.since.saturating_add(pace.patience).unwrap_or(Timestamp::MAX);
    if now >= until {
        return settled(DeliveryState::Failed, error, false);
    }
    let wait = backoff(pace, tried.attempts, chance);
    let asked = outcome.as_ref().ok().and_then(|answer| retry_after(answer, now));
    let later = |wait: SignedDuration| now.saturating_add(wait).unwrap_or(until).min(until);
    let at = asked.map_or(later(wait), |asked| asked.clamp(later(wait), until));
    let pause = match (asked, outcome) {
        (Some(_), _) => Some(at),
        (None, Err(OutsideError::Unreachable(..) | OutsideError::TooSlow { .. } | OutsideError::Broken(..))) => {
            Some(later(wait.min(LONGEST_PAUSE)))
        }
        _ => None,
    };
    Verdict { attempt: Attempt { at: now, status, error, next: Next::Retry { at, pause } }, is_gone: false }
}

/// Between half of the step and all of it.
fn backoff(pace: &Pace, attempts: u32, chance: f64) -> SignedDuration {
    let doubled = pace.first.checked_mul(1 << attempts.min(20)).unwrap_or(pace.longest).min(pace.longest);
    doubled.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

/// Seconds, or a date.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    let text = answer.headers.get("retry-after")?.to_str().ok()?.trim();
    match text.parse::<u32>() {
        Ok(seconds) => now.checked_add(SignedDuration::from_secs(seconds.into())).ok(),
        Err(_) => jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp()),
    }
}

fn evidence(outcome: &Result<Answer, OutsideError>) -> String {
    let text = match outcome {
        Ok(answer) => {
            let body = String::from_utf8_lossy(&answer.body);
            let what = if (300..400).contains(&answer.status) { "redirects, which is not followed" } else { "answered" };
            format!("the receiver {what}: {} {}", answer.status, body.trim())
        }
        Err(error) => error.to_string(),
    };
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(EVIDENCE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::HeaderMap;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + second).expect("a time")
    }

    fn answer(status: u16, retry_after: &str) -> Result<Answer, OutsideError> {
        let mut headers = HeaderMap::new();
        if !retry_after.is_empty() {
            headers.insert("retry-after", retry_after.parse().expect("a value"));
        }
        Ok(Answer { status, headers, body: b"no\r\nway".to_vec(), is_whole: true })
    }

    fn unreachable() -> Result<Answer, OutsideError> {
        Err(OutsideError::Unreachable("h".to_owned(), "refused".to_owned()))
    }

    /// Seconds until the next attempt and until the end of the pause.
    fn waits(outcome: Result<Answer, OutsideError>, attempts: u32, chance: f64) -> (i64, Option<i64>) {
        let verdict = judge(&Pace::default(), &outcome, Tried { attempts, since: at(0) }, at(10), chance);
        let Next::Retry { at: next, pause } = verdict.attempt.next else { panic!("settled: {verdict:?}") };
        let seconds = |time: Timestamp| time.as_second() - at(10).as_second();
        (seconds(next), pause.map(seconds))
    }

    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        for (attempts, longest) in [(0, 5), (1, 10), (2, 20), (9, 2_560), (10, 3_600), (40, 3_600)] {
            assert_eq!(waits(answer(500, ""), attempts, 1.0), (longest, None));
            assert_eq!(waits(answer(500, ""), attempts, 0.0), (longest / 2, None), "by chance");
        }
    }

    #[test]
    fn what_is_asked_for_is_heeded_if_it_is_longer() {
        for (retry_after, wait, pause) in [
            ("120", 120, Some(120)),
            ("1", 5, Some(5)),
            ("Thu, 09 Oct 2025 08:54:30 GMT", 60, Some(60)),
            ("Fri, 09 Oct 2020 08:54:30 GMT", 5, Some(5)),
            ("999999999", 86_390, Some(86_390)),
            ("soon", 5, None),
            ("-5", 5, None),
        ] {
            assert_eq!(waits(answer(429, retry_after), 0, 1.0), (wait, pause), "{retry_after}");
        }
    }

    #[test]
    fn a_receiver_out_of_reach_is_left_alone_for_a_while() {
        assert_eq!(waits(unreachable(), 2, 1.0), (20, Some(20)));
        assert_eq!(waits(unreachable(), 9, 1.0), (2_560, Some(60)));
        let refused = || Err(OutsideError::Refused("10.0.0.1".to_owned()));
        assert_eq!(waits(refused(), 0, 1.0), (5, None));
    }

    #[test]
    fn an_attempt_settles_what_it_settles() {
        let tried = Tried { attempts: 7, since: at(0) };
        let day = 86_400;
        for (outcome, now, want, is_gone) in [
            (answer(200, ""), 1, DeliveryState::Delivered, false),
            (answer(299, ""), day * 2, DeliveryState::Delivered, false),
            (answer(410, ""), 1, DeliveryState::Dropped, true),
            (answer(500, "60"), day, DeliveryState::Failed, false),
            (unreachable(), day + 1, DeliveryState::Failed, false),
        ] {
            let verdict = judge(&Pace::default(), &outcome, tried, at(now), 0.5);
            assert_eq!((verdict.attempt.next, verdict.is_gone), (Next::Settle(want), is_gone), "{outcome:?}");
        }
        let last = judge(&Pace::default(), &answer(500, ""), Tried { attempts: 30, since: at(0) }, at(day - 1), 1.0);
        assert_eq!(last.attempt.next, Next::Retry { at: at(day), pause: None }, "a last attempt when the day is over");
    }

    #[test]
    fn the_evidence_is_one_short_line() {
        for (status, want) in
            [(307, "the receiver redirects, which is not followed: 307 no  way"), (404, "the receiver answered: 404 no  way")]
        {
            let verdict = judge(&Pace::default(), &answer(status, ""), Tried { attempts: 0, since: at(0) }, at(0), 0.0);
            assert_eq!((verdict.attempt.error.as_deref(), verdict.attempt.status), (Some(want), Some(status)));
        }
    }
}
