//! The map `limits`: what is the default leaves no field.

use super::write::{set, set_optional};
use callie_domain::user::Limits;
use callie_domain::user::limits::{CallingWindow, Micros, time_text, weekday_word};
use serde_json::{Map, Value};

pub(super) const FIELDS: [&str; 10] = [
    "allowed_prefixes",
    "denied_prefixes",
    "concurrent_calls",
    "calls_per_hour",
    "minutes_per_day",
    "spend_per_day",
    "spend_per_month",
    "country",
    "time_zone",
    "calling_windows",
];

pub(super) fn write(map: &mut Map<String, Value>, limits: &Limits) {
    let list = |prefixes: &[String]| (!prefixes.is_empty()).then(|| prefixes.to_vec());
    set_optional(map, "allowed_prefixes", list(&limits.allowed_prefixes));
    set_optional(map, "denied_prefixes", list(&limits.denied_prefixes));
    set_optional(map, "concurrent_calls", limits.concurrent_calls);
    set_optional(map, "calls_per_hour", limits.calls_per_hour);
    set_optional(map, "minutes_per_day", limits.minutes_per_day);
    set_optional(map, "spend_per_day", limits.spend_per_day.map(Micros::units));
    set_optional(map, "spend_per_month", limits.spend_per_month.map(Micros::units));
    set_optional(map, "country", limits.country.as_deref());
    set_optional(map, "time_zone", limits.time_zone.as_deref());
    let windows: Vec<_> = limits.calling_windows.iter().map(window).collect();
    set_optional(map, "calling_windows", (!windows.is_empty()).then_some(windows));
}

fn window(window: &CallingWindow) -> Value {
    let mut entry = Map::new();
    if !window.days.is_empty() {
        set(&mut entry, "days", window.days.iter().copied().map(weekday_word).collect::<Vec<_>>());
    }
    set(&mut entry, "from", time_text(window.from));
    set(&mut entry, "until", time_text(window.until));
    Value::Object(entry)
}
