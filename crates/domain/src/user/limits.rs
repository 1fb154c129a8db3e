//! What a user's line may do at most, whoever asks for it: the map `limits` of the document. What follows from it is decided in
//! [`crate::toll`].

use super::field::Field;
use crate::Faults;
use crate::numbering::{Home, plan};
use jiff::civil::{Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::{Map, Value};
use std::fmt;

/// More than anybody reads.
const MOST_PREFIXES: usize = 200;
const MOST_WINDOWS: usize = 21;

/// Money in millionths of the unit of the price table's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

impl Micros {
    pub fn from_units(units: f64) -> Self {
        // Saturates; no price is a billion.
        Self((units * 1e6).round() as i64)
    }

    pub fn units(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.units())
    }
}

/// See the module. `None` is the default, 0 no limit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Only numbers that begin so, if there are any: `+49`, or as it is dialled: `2`, `bob`.
    pub allowed_prefixes: Vec<String>,
    pub denied_prefixes: Vec<String>,
    pub concurrent_calls: Option<u32>,
    pub calls_per_hour: Option<u32>,
    pub minutes_per_day: Option<u32>,
    pub spend_per_day: Option<Micros>,
    pub spend_per_month: Option<Micros>,
    /// ISO 3166: how national numbers are to be read.
    pub country: Option<String>,
    /// IANA: where days begin, and the windows of callees of whom nothing is known.
    pub time_zone: Option<String>,
    /// None: at any time.
    pub calling_windows: Vec<CallingWindow>,
}

impl Eq for Limits {}

/// When people may be called, on the clock of those who are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallingWindow {
    /// In the order of the week; all of them when none is named.
    pub days: Vec<Weekday>,
    pub from: Time,
    /// Not included; at or before `from` it is on the next day.
    pub until: Time,
}

pub const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub fn weekday_word(day: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, known)| *known == day).map_or("", |(word, _)| word)
}

/// `09:00`
pub fn time_text(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// By its IANA name, from the zones that are built in.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

impl Limits {
    pub fn zone(&self) -> TimeZone {
        self.time_zone.as_deref().and_then(zone).unwrap_or(TimeZone::UTC)
    }

    pub fn home(&self) -> Option<Home> {
        plan().region(self.country.as_deref()?)
    }
}

/// What a client said: `None` where it said nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsInput {
    allowed_prefixes: Option<Vec<String>>,
    denied_prefixes: Option<Vec<String>>,
    concurrent_calls: Option<Option<u32>>,
    calls_per_hour: Option<Option<u32>>,
    minutes_per_day: Option<Option<u32>>,
    spend_per_day: Option<Option<Micros>>,
    spend_per_month: Option<Option<Micros>>,
    country: Option<Option<String>>,
    time_zone: Option<Option<String>>,
    calling_windows: Option<Vec<CallingWindow>>,
}

impl LimitsInput {
    /// `false` when the field is none of these.
    pub(super) fn read_field(&mut self, key: &str, field: &Field<'_>, faults: &mut Faults) -> bool {
        match key {
            "allowed_prefixes" => self.allowed_prefixes = prefixes(field, faults),
            "denied_prefixes" => self.denied_prefixes = prefixes(field, faults),
            "concurrent_calls" => self.concurrent_calls = field.optional(|f| f.number_or_off(faults, 1, 1_000)),
            "calls_per_hour" => self.calls_per_hour = field.optional(|f| f.number_or_off(faults, 1, 100_000)),
            "minutes_per_day" => self.minutes_per_day = field.optional(|f| f.number_or_off(faults, 1, 1_000_000)),
            "spend_per_day" => self.spend_per_day = field.optional(|f| money(f, faults)),
            "spend_per_month" => self.spend_per_month = field.optional(|f| money(f, faults)),
            "country" => self.country = field.optional(|f| country(f, faults)),
            "time_zone" => self.time_zone = field.optional(|f| time_zone(f, faults)),
            "calling_windows" => self.calling_windows = windows(field, faults),
            _ => return false,
        }
        true
    }

    pub(super) fn apply(self, limits: &mut Limits) {
        macro_rules! set {
            ($($field:ident),*) => {$(
                if let Some(value) = self.$field {
                    limits.$field = value;
                }
            )*};
        }
        set!(allowed_prefixes, denied_prefixes, concurrent_calls, calls_per_hour, minutes_per_day);
        set!(spend_per_day, spend_per_month, country, time_zone, calling_windows);
    }
}

/// `null` is the empty list.
fn prefixes(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let is_prefix = |text: &str| {
        let rest = text.strip_prefix('+').unwrap_or(text);
        let international = text.starts_with('+') && rest.bytes().all(|b| b.is_ascii_digit());
        let dialled = rest == text && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '#'));
        (1..=32).contains(&rest.len()) && (international || dialled)
    };
    let read = |item: &Value| {
        let text: String = item.as_str()?.chars().filter(|c| !matches!(c, ' ' | '(' | ')')).collect();
        is_prefix(&text).then_some(text)
    };
    let list = match field.value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) if items.len() <= MOST_PREFIXES => items.iter().map(read).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    if list.is_none() {
        let problem =
            format!("must be a list of at most {MOST_PREFIXES} beginnings of numbers such as +49, or as they are dialled");
        faults.add(field.path, problem);
    }
    list
}

fn money(field: &Field<'_>, faults: &mut Faults) -> Option<Micros> {
    let units = field.value.as_f64().filter(|units| (0.0..=1e9).contains(units));
    if units.is_none() {
        faults.add(field.path, "must be 0 (off) or an amount such as 12.50, in the currency of the price table");
    }
    units.map(Micros::from_units)
}

fn country(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let region = field.value.as_str().map(|text| text.trim().to_ascii_uppercase()).filter(|text| plan().region(text).is_some());
    if region.is_none() {
        faults.add(field.path, "must be a country by its two letters (ISO 3166), such as DE");
    }
    region
}

fn time_zone(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let zone = field.value.as_str().map(str::trim).and_then(zone);
    let name = zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned);
    if name.is_none() {
        faults.add(field.path, "must be a time zone by its IANA name, such as Europe/Berlin");
    }
    name
}

/// `null` is the empty list.
fn windows(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<CallingWindow>> {
    let list = match field.value {
        Value::Null => return Some(Vec::new()),
        Value::Array(list) if list.len() <= MOST_WINDOWS => list,
        _ => {
            faults.add(field.path, format!("must be a list of at most {MOST_WINDOWS} windows"));
            return None;
        }
    };
    let before = faults.0.len();
    let windows = list.iter().enumerate().filter_map(|(index, entry)| {
        let path = format!("{}[{index}]", field.path);
        match entry.as_object() {
            Some(entry) => window(&path, entry, faults),
            None => {
                faults.add(path, "must be an object with from and until");
                None
            }
        }
    });
    let windows: Vec<_> = windows.collect();
    (faults.0.len() == before).then_some(windows)
}

fn window(path: &str, entry: &Map<String, Value>, faults: &mut Faults) -> Option<CallingWindow> {
    let (mut days, mut from, mut until) = (Some(Vec::new()), None, None);
    for (key, value) in entry {
        let path = format!("{path}.{key}");
        match key.as_str() {
            "days" => days = week(&path, value, faults),
            "from" => from = clock(&path, value, faults),
            "until" => until = clock(&path, value, faults),
            _ => faults.add(path, "is not a known field"),
        }
    }
    for field in ["from", "until"] {
        if !entry.contains_key(field) {
            faults.add(format!("{path}.{field}"), "is required");
        }
    }
    Some(CallingWindow { days: days?, from: from?, until: until? })
}

fn week(path: &str, value: &Value, faults: &mut Faults) -> Option<Vec<Weekday>> {
    let read = |item: &Value| WEEKDAYS.iter().find(|(word, _)| item.as_str() == Some(word)).map(|(_, day)| *day);
    let mut days = match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(read).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    match &mut days {
        Some(days) => {
            days.sort_by_key(|day| day.to_monday_zero_offset());
            days.dedup();
        }
        None => faults.add(path, "must be a list of some of mon, tue, wed, thu, fri, sat, sun"),
    }
    days
}

/// `24:00` is midnight at the end of the day.
fn clock(path: &str, value: &Value, faults: &mut Faults) -> Option<Time> {
    let text = value.as_str().map(str::trim).unwrap_or_default();
    let time = text.split_once(':').and_then(|(hour, minute)| match (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    });
    if time.is_none() {
        faults.add(path, "must be a time of day such as 09:00");
    }
    time
}

#[cfg(test)]
mod tests {
    use super::super::input::UserInput;
    use super::super::user_of_tests;
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn put(limits: Value) -> Result<Limits, Faults> {
        let user = UserInput::from_json(&json!({ "limits": limits }))?.apply(&user_of_tests(), Timestamp::UNIX_EPOCH)?;
        Ok(user.limits)
    }

    #[test]
    fn every_limit_is_read_and_given_back() {
        let limits = put(json!({"allowed_prefixes": ["+49 (30)", "2", "bob"], "denied_prefixes": ["+49900"], "concurrent_calls": 2,
            "calls_per_hour": 0, "minutes_per_day": 600, "spend_per_day": 12.5, "spend_per_month": 100, "country": "de",
            "time_zone": "europe/berlin", "calling_windows": [{"days": ["fri", "mon", "mon"], "from": "09:00", "until": "24:00"}]}))
        .expect("valid");
        insta::assert_debug_snapshot!(limits);
        assert_eq!(limits.home().map(|home| home.code), Some("49"));
        let cleared = json!({"allowed_prefixes": null, "denied_prefixes": [], "concurrent_calls": null, "calls_per_hour": null,
            "minutes_per_day": null, "spend_per_day": null, "spend_per_month": null, "country": "", "time_zone": null,
            "calling_windows": null});
        assert_eq!(put(cleared), Ok(Limits::default()));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (limits, want) in [
            (json!({"allowed_prefixes": "+49"}), "limits.allowed_prefixes"),
            (json!({"allowed_prefixes": ["+"]}), "limits.allowed_prefixes"),
            (json!({"denied_prefixes": ["+4a"]}), "limits.denied_prefixes"),
            (json!({"denied_prefixes": ["a\r\nb"]}), "limits.denied_prefixes"),
            (json!({"concurrent_calls": -1}), "limits.concurrent_calls"),
            (json!({"calls_per_hour": 1.5}), "limits.calls_per_hour"),
            (json!({"spend_per_day": -0.5}), "limits.spend_per_day"),
            (json!({"spend_per_month": "10"}), "limits.spend_per_month"),
            (json!({"country": "Germany"}), "limits.country"),
            (json!({"time_zone": "Berlin"}), "limits.time_zone"),
            (json!({"calling_windows": [5]}), "limits.calling_windows[0]"),
            (json!({"calling_windows": [{"from": "9", "until": "10:00"}]}), "limits.calling_windows[0].from"),
            (json!({"calling_windows": [{"from": "09:00"}]}), "limits.calling_windows[0].until"),
            (json!({"calling_windows": [{"days": ["mo"], "from": "09:00", "until": "10:00"}]}), "limits.calling_windows[0].days"),
            (json!({"colour": 1}), "limits.colour"),
        ] {
            let faults = put(limits.clone()).expect_err("faulty");
            assert_eq!(faults.0.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), [want], "{limits}");
        }
    }
}
