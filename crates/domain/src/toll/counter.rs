//! How much a line has dialled: calls of the last hour, minutes and money of the day and the month, calls that are up. Fed by calls as they
//! go on, and after a restart by the records of the month.
//!
//! Amounts are kept by the quarter of an hour, so that a day and a month begin where the user's zone says, whatever zone that is later.

use super::refusal::{Limit, Refusal};
use crate::user::limits::{Limits, Micros};
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const QUARTER_MS: i64 = 15 * 60 * 1_000;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Longer than any month.
const KEPT: SignedDuration = SignedDuration::from_hours(32 * 24);

/// Of users whose documents do not say: more than an agent needs, less than somebody who abuses it.
pub const USUAL_CALLS_PER_HOUR: u32 = 600;

/// What one call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    pub started_at: Timestamp,
    /// Legs that were dialled.
    pub dialled: u32,
    /// Of these, together.
    pub talk_ms: i64,
    pub cost: Micros,
}

/// A leg may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// It is to end then, or the minutes of the day are used up.
    pub at_most: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    talk_ms: i64,
    cost: Micros,
}

/// A leg that is up, counted at the most that it may last.
#[derive(Debug, Clone, Copy)]
struct Booked {
    talk_ms: i64,
}

/// Of one user.
#[derive(Debug, Default)]
pub struct Counters {
    /// When legs were dialled, of the last hour.
    dialled: VecDeque<Timestamp>,
    quarters: BTreeMap<i64, Tally>,
    up: BTreeMap<u64, Booked>,
}

impl Counters {
    /// A call of before: from the records. Calls come in the order in which they began.
    pub fn remember(&mut self, spent: Spent) {
        self.dialled.extend(std::iter::repeat_n(spent.started_at, spent.dialled as usize));
        self.add(spent.started_at, spent.talk_ms, spent.cost);
    }

    /// Whether a leg may be dialled now, which would last `longest` at most. It is booked when it may.
    pub fn begin(&mut self, leg: u64, limits: &Limits, longest: Duration, now: Timestamp) -> Result<Grant, Refusal> {
        self.forget(now);
        let legs = u32::try_from(self.up.len()).unwrap_or(u32::MAX);
        if let Some(most) = limits.concurrent_calls.filter(|most| *most > 0 && legs >= *most) {
            return Err(Refusal::new(Limit::ConcurrentCalls, format!("{most} calls at once that were dialled are the most")));
        }
        let hour = u32::try_from(self.dialled.len()).unwrap_or(u32::MAX);
        let most = limits.calls_per_hour.unwrap_or(USUAL_CALLS_PER_HOUR);
        if most > 0 && hour >= most {
            return Err(Refusal::new(Limit::CallsPerHour, format!("{most} calls in an hour are the most")));
        }
        self.check_spend(limits, now)?;
        let left = self.minutes_left(limits, now)?;
        let longest_ms = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        let talk_ms = left.map_or(longest_ms, |left| left.min(longest_ms));
        self.dialled.push_back(now);
        self.up.insert(leg, Booked { talk_ms });
        let at_most = left.filter(|left| *left < longest_ms).and_then(|left| u64::try_from(left).ok());
        Ok(Grant { at_most: at_most.map(Duration::from_millis) })
    }

    /// The leg is over; `answered_at` when it was answered at all.
    pub fn end(&mut self, leg: u64, answered_at: Option<Timestamp>, now: Timestamp) {
        if self.up.remove(&leg).is_some()
            && let Some(answered_at) = answered_at
        {
            let talk_ms = (now.as_millisecond() - answered_at.as_millisecond()).max(0);
            self.add(answered_at, talk_ms, Micros::default());
        }
    }

    /// What a call cost, whoever dialled it.
    pub fn spend(&mut self, cost: Micros, at: Timestamp) {
        self.add(at, 0, cost);
    }

    /// Legs that are up.
    pub fn legs(&self) -> usize {
        self.up.len()
    }

    fn check_spend(&self, limits: &Limits, now: Timestamp) -> Result<(), Refusal> {
        for (most, since, limit, span) in [
            (limits.spend_per_day, start_of_day(limits, now), Limit::SpendPerDay, "day"),
            (limits.spend_per_month, start_of_month(limits, now), Limit::SpendPerMonth, "month"),
        ] {
            let Some(most) = most.filter(|most| most.0 > 0) else { continue };
            let spent = self.since(since).cost;
            if spent >= most {
                return Err(Refusal::new(limit, format!("{spent} of {most} are spent this {span}")));
            }
        }
        Ok(())
    }

    /// Milliseconds that are left of the day's minutes, with what is up counted at its most.
    fn minutes_left(&self, limits: &Limits, now: Timestamp) -> Result<Option<i64>, Refusal> {
        let Some(minutes) = limits.minutes_per_day.filter(|minutes| *minutes > 0) else { return Ok(None) };
        let used = self.since(start_of_day(limits, now)).talk_ms;
        let booked = self.up.values().map(|booked| booked.talk_ms).fold(0, i64::saturating_add);
        let left = (i64::from(minutes) * 60_000).saturating_sub(used).saturating_sub(booked);
        if left > 0 {
            return Ok(Some(left));
        }
        let up = if booked > 0 { ", calls that are up counted at the most they may last" } else { "" };
        Err(Refusal::new(Limit::MinutesPerDay, format!("the {minutes} minutes of the day are used up{up}")))
    }

    fn add(&mut self, at: Timestamp, talk_ms: i64, cost: Micros) {
        let tally = self.quarters.entry(at.as_millisecond().div_euclid(QUARTER_MS)).or_default();
        tally.talk_ms = tally.talk_ms.saturating_add(talk_ms.max(0));
        tally.cost = Micros(tally.cost.0.saturating_add(cost.0));
    }

    fn since(&self, from: Timestamp) -> Tally {
        let from = from.as_millisecond().div_euclid(QUARTER_MS);
        self.quarters.range(from..).fold(Tally::default(), |sum, (_, tally)| Tally {
            talk_ms: sum.talk_ms.saturating_add(tally.talk_ms),
            cost: Micros(sum.cost.0.saturating_add(tally.cost.0)),
        })
    }

    fn forget(&mut self, now: Timestamp) {
        let hour_ago = now.saturating_sub(HOUR).unwrap_or(Timestamp::MIN);
        while self.dialled.front().is_some_and(|at| *at <= hour_ago) {
            self.dialled.pop_front();
        }
        let long_ago = now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN).as_millisecond().div_euclid(QUARTER_MS);
        self.quarters = self.quarters.split_off(&long_ago);
    }
}

/// How far back records count.
pub fn horizon(now: Timestamp) -> Timestamp {
    now.saturating_sub(KEPT).unwrap_or(Timestamp::MIN)
}

fn start_of_day(limits: &Limits, now: Timestamp) -> Timestamp {
    let there = now.to_zoned(limits.zone());
    there.start_of_day().map_or(now, |start| start.timestamp())
}

fn start_of_month(limits: &Limits, now: Timestamp) -> Timestamp {
    let there = now.to_zoned(limits.zone());
    let first = there.date().first_of_month().to_datetime(Time::midnight()).to_zoned(limits.zone());
    first.map_or_else(|_| now.saturating_sub(31.days()).unwrap_or(now), |start| start.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_HOUR: Duration = Duration::from_secs(1_800);

    fn at(text: &str) -> Timestamp {
        format!("2026-01-{text}Z").parse().expect("a time")
    }

    fn limit(result: Result<Grant, Refusal>) -> Limit {
        result.expect_err("refused").limit
    }

    #[test]
    fn calls_at_once_are_counted_until_they_end() {
        let limits = Limits { concurrent_calls: Some(2), ..Limits::default() };
        let mut counters = Counters::default();
        for leg in [1, 2] {
            counters.begin(leg, &limits, HALF_HOUR, at("15T10:00:00")).expect("there is room");
        }
        assert_eq!(limit(counters.begin(3, &limits, HALF_HOUR, at("15T10:00:00"))), Limit::ConcurrentCalls);
        counters.end(1, None, at("15T10:00:05"));
        counters.end(1, None, at("15T10:00:05"));
        assert!(counters.begin(3, &limits, HALF_HOUR, at("15T10:00:06")).is_ok());
        assert_eq!(counters.legs(), 2);
    }

    #[test]
    fn calls_of_an_hour_are_those_of_the_last_sixty_minutes() {
        let limits = Limits { calls_per_hour: Some(2), ..Limits::default() };
        let mut counters = Counters::default();
        counters.remember(Spent { started_at: at("15T09:30:00"), dialled: 1, talk_ms: 0, cost: Micros(0) });
        assert!(counters.begin(1, &limits, HALF_HOUR, at("15T10:00:00")).is_ok());
        assert_eq!(limit(counters.begin(2, &limits, HALF_HOUR, at("15T10:29:59"))), Limit::CallsPerHour);
        assert!(counters.begin(3, &limits, HALF_HOUR, at("15T10:30:00")).is_ok(), "what was refused does not count");
        let none = Limits { calls_per_hour: Some(0), ..Limits::default() };
        let mut many = Counters::default();
        assert!((0..2_000).all(|leg| many.begin(leg, &none, HALF_HOUR, at("15T10:00:00")).is_ok()), "0 is no limit");
        let usual =
            (0..2_000).filter(|leg| Counters::default().begin(*leg, &Limits::default(), HALF_HOUR, at("15T10:00:00")).is_ok());
        assert_eq!(usual.count(), 2_000);
        let mut one = Counters::default();
        let granted = (0..2_000).filter(|leg| one.begin(*leg, &Limits::default(), HALF_HOUR, at("15T10:00:00")).is_ok()).count();
        assert_eq!(granted, USUAL_CALLS_PER_HOUR as usize);
    }

    #[test]
    fn minutes_of_the_day_are_never_exceeded() {
        let limits = Limits { minutes_per_day: Some(60), time_zone: Some("Europe/Berlin".to_owned()), ..Limits::default() };
        let mut counters = Counters::default();
        // Yesterday in Berlin.
        counters.remember(Spent { started_at: at("14T22:45:00"), dialled: 1, talk_ms: 3_000_000, cost: Micros(0) });
        counters.remember(Spent { started_at: at("14T23:15:00"), dialled: 1, talk_ms: 600_000, cost: Micros(0) });
        let first = counters.begin(1, &limits, HALF_HOUR, at("15T10:00:00")).expect("50 are left");
        let second = counters.begin(2, &limits, HALF_HOUR, at("15T10:00:00")).expect("20 are left");
        assert_eq!((first.at_most, second.at_most), (None, Some(Duration::from_secs(1_200))));
        assert_eq!(limit(counters.begin(3, &limits, HALF_HOUR, at("15T10:00:01"))), Limit::MinutesPerDay, "as they may last");
        counters.end(1, Some(at("15T10:00:10")), at("15T10:05:10"));
        let third = counters.begin(3, &limits, HALF_HOUR, at("15T10:06:00")).expect("25 are left again");
        assert_eq!(third.at_most, Some(Duration::from_secs(1_500)));
        assert!(counters.begin(4, &limits, HALF_HOUR, at("15T23:00:00")).is_ok_and(|grant| grant.at_most.is_some()), "a new day");
    }

    #[test]
    fn money_is_counted_by_day_and_month_of_the_users_zone() {
        let limits = Limits {
            spend_per_day: Some(Micros::from_units(2.0)),
            spend_per_month: Some(Micros::from_units(5.0)),
            time_zone: Some("America/New_York".to_owned()),
            ..Limits::default()
        };
        let mut counters = Counters::default();
        let spent =
            |text: &str, units: f64| Spent { started_at: at(text), dialled: 0, talk_ms: 0, cost: Micros::from_units(units) };
        // The last of December in New York.
        counters.remember(spent("01T04:59:00", 50.0));
        counters.remember(spent("14T12:00:00", 1.5));
        counters.spend(Micros::from_units(1.99), at("15T10:00:00"));
        assert!(counters.begin(1, &limits, HALF_HOUR, at("15T11:00:00")).is_ok());
        counters.spend(Micros::from_units(0.01), at("15T11:00:00"));
        assert_eq!(limit(counters.begin(2, &limits, HALF_HOUR, at("15T11:01:00"))), Limit::SpendPerDay);
        assert!(counters.begin(3, &limits, HALF_HOUR, at("16T05:00:00")).is_ok(), "another day there");
        counters.spend(Micros::from_units(1.5), at("16T06:00:00"));
        let refusal = counters.begin(4, &limits, HALF_HOUR, at("16T07:00:00")).expect_err("refused");
        assert_eq!(refusal.to_string(), "spend_per_month: 5.00 of 5.00 are spent this month");
        let february: Timestamp = "2026-02-01T05:00:00Z".parse().expect("a time");
        assert!(counters.begin(5, &limits, HALF_HOUR, february).is_ok());
    }
}
