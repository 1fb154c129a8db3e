//! When people may be called: on their clock, which is that of the place their number belongs to. Where a number may be in several zones it must be
//! a good time in all of them; where nothing is known of the place, the user's own zone counts.

use super::destination::Destination;
use super::refusal::{Limit, Refusal};
use crate::numbering::plan;
use crate::user::limits::{CallingWindow, Limits, time_text, zone};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Whether it is a good time there.
pub fn judge(limits: &Limits, destination: &Destination, now: Timestamp) -> Result<(), Refusal> {
    let windows = &limits.calling_windows;
    if windows.is_empty() {
        return Ok(());
    }
    for place in places(limits, destination) {
        let there = now.to_zoned(place.clone()).datetime();
        if !windows.iter().any(|window| is_open(window, there)) {
            let name = place.iana_name().unwrap_or("UTC");
            let detail = format!("it is {} there ({name}), outside of the calling windows", time_text(there.time()));
            return Err(Refusal::new(Limit::CallingWindows, detail));
        }
    }
    Ok(())
}

fn places(limits: &Limits, destination: &Destination) -> Vec<TimeZone> {
    let names = destination.dialled.numbers().filter_map(|number| Some(plan().code_of(number)?.zones(number))).flatten();
    let mut known: Vec<TimeZone> = Vec::new();
    for place in names.filter_map(|name| zone(name)) {
        if !known.contains(&place) {
            known.push(place);
        }
    }
    if known.is_empty() { vec![limits.zone()] } else { known }
}

fn is_open(window: &CallingWindow, there: DateTime) -> bool {
    let is_day = |at: DateTime| window.days.is_empty() || window.days.contains(&at.weekday());
    let time = there.time();
    if window.from < window.until {
        return is_day(there) && window.from <= time && time < window.until;
    }
    // Over midnight; what is after it belongs to the day before.
    let yesterday = there.checked_sub(1.day()).unwrap_or(there);
    (time >= window.from && is_day(there)) || (time < window.until && is_day(yesterday))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::User;
    use crate::user::user_of_tests;
    use serde_json::{Value, json};

    fn limits(zone: &str, windows: Value) -> Limits {
        let body = json!({"limits": {"time_zone": zone, "country": "DE", "calling_windows": windows}});
        let input = crate::user::input::UserInput::from_json(&body).expect("valid");
        input.apply(&user_of_tests(), Timestamp::UNIX_EPOCH).expect("valid").limits
    }

    fn is_good(limits: &Limits, dialled: &str, now: &str) -> bool {
        let user = User { limits: limits.clone(), ..user_of_tests() };
        let destination = Destination::of(&user, &dialled.parse().expect("can be dialled"));
        judge(limits, &destination, now.parse().expect("a time")).is_ok()
    }

    #[test]
    fn the_clock_is_that_of_those_who_are_called() {
        let office =
            limits("Europe/Berlin", json!([{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "until": "18:00"}]));
        for (dialled, now, want) in [
            // 2026-01-15 is a Thursday.
            ("+4930123456", "2026-01-15T07:59:59Z", false),
            ("+4930123456", "2026-01-15T08:00:00Z", true),
            ("+4930123456", "2026-01-15T16:59:59Z", true),
            ("+4930123456", "2026-01-15T17:00:00Z", false),
            ("030123456", "2026-01-15T08:00:00Z", true),
            ("+442079460000", "2026-01-15T08:30:00Z", false),
            ("+442079460000", "2026-01-15T17:30:00Z", true),
            ("+12125550123", "2026-01-15T13:59:00Z", false),
            ("+12125550123", "2026-01-15T14:00:00Z", true),
            // Summer time.
            ("+4930123456", "2026-07-16T07:00:00Z", true),
            ("+12125550123", "2026-07-16T13:00:00Z", true),
            // Friday evening here is Friday morning there; Sunday is no day.
            ("+13105550123", "2026-01-16T23:00:00Z", true),
            ("+4930123456", "2026-01-18T10:00:00Z", false),
            // Nothing is known of an extension but where its user is.
            ("2001", "2026-01-15T07:30:00Z", false),
            ("2001", "2026-01-15T08:30:00Z", true),
            ("bob", "2026-01-15T08:30:00Z", true),
        ] {
            assert_eq!(is_good(&office, dialled, now), want, "{dialled} at {now}");
        }
    }

    #[test]
    fn a_number_in_several_zones_needs_a_good_time_in_all() {
        let day = limits("UTC", json!([{"from": "09:00", "until": "21:00"}]));
        // Toll-free: anywhere between Puerto Rico and Guam, so never at a good time everywhere.
        assert!(!is_good(&day, "+18005550123", "2026-01-15T17:00:00Z"));
        assert!(is_good(&day, "+12125550123", "2026-01-15T17:00:00Z"));
    }

    #[test]
    fn a_window_may_end_on_the_next_day() {
        let night = limits("UTC", json!([{"days": ["fri"], "from": "20:00", "until": "02:00"}]));
        for (now, want) in [
            ("2026-01-16T19:59:00Z", false),
            ("2026-01-16T20:00:00Z", true),
            ("2026-01-17T01:59:00Z", true),
            ("2026-01-17T02:00:00Z", false),
            ("2026-01-17T20:30:00Z", false),
            ("2026-01-16T01:00:00Z", false),
        ] {
            assert_eq!(is_good(&night, "2001", now), want, "{now}");
        }
        let always = limits("UTC", json!([{"from": "00:00", "until": "24:00"}]));
        assert!(["2026-01-16T00:00:00Z", "2026-01-16T23:59:59Z"].iter().all(|now| is_good(&always, "2001", now)));
    }
}
