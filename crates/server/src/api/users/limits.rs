//! The map `limits` of a user, as it is shown and as it is sent.

use callie_domain::user::Limits;
use callie_domain::user::limits::{CallingWindow, Micros, time_text, weekday_word};
use serde::Serialize;
use utoipa::ToSchema;

/// What a user's line may do at most, whoever asks for it. Null is the default, 0 no limit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitsDocument {
    /// Only numbers that begin so, if there are any.
    #[schema(example = json!(["+49"]))]
    pub allowed_prefixes: Vec<String>,
    pub denied_prefixes: Vec<String>,
    /// Legs that were dialled and are up.
    pub concurrent_calls: Option<u32>,
    #[schema(example = 600)]
    pub calls_per_hour: Option<u32>,
    pub minutes_per_day: Option<u32>,
    /// In the currency of the price table.
    #[schema(example = 20.0)]
    pub spend_per_day: Option<f64>,
    pub spend_per_month: Option<f64>,
    /// How national numbers are to be read (ISO 3166).
    #[schema(example = "DE")]
    pub country: Option<String>,
    /// Where days begin; UTC when null.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// When people may be called, on their own clock; at any time when there are none.
    pub calling_windows: Vec<WindowDocument>,
}

/// When people may be called.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WindowDocument {
    /// Some of mon, tue, wed, thu, fri, sat, sun; an empty list means all of them.
    pub days: Vec<&'static str>,
    #[schema(example = "09:00")]
    pub from: String,
    /// Not included. Where it is not later than `from` it is on the next day.
    #[schema(example = "18:00")]
    pub until: String,
}

impl LimitsDocument {
    pub fn of(limits: &Limits) -> Self {
        Self {
            allowed_prefixes: limits.allowed_prefixes.clone(),
            denied_prefixes: limits.denied_prefixes.clone(),
            concurrent_calls: limits.concurrent_calls,
            calls_per_hour: limits.calls_per_hour,
            minutes_per_day: limits.minutes_per_day,
            spend_per_day: limits.spend_per_day.map(Micros::units),
            spend_per_month: limits.spend_per_month.map(Micros::units),
            country: limits.country.clone(),
            time_zone: limits.time_zone.clone(),
            calling_windows: limits.calling_windows.iter().map(WindowDocument::of).collect(),
        }
    }
}

impl WindowDocument {
    fn of(window: &CallingWindow) -> Self {
        let days = window.days.iter().copied().map(weekday_word).collect();
        Self { days, from: time_text(window.from), until: time_text(window.until) }
    }
}

/// What a user's line may do at most. Null gives back the default.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct LimitsChange {
    /// Only numbers that begin so may be dialled: `+49`, or as it is dialled (`2` for extensions, `bob`).
    #[schema(max_items = 200)]
    allowed_prefixes: Option<Vec<String>>,
    /// Denied, unless a longer allowed one fits.
    #[schema(max_items = 200)]
    denied_prefixes: Option<Vec<String>>,
    /// Legs that were dialled and are up; 0 is no limit.
    #[schema(maximum = 1000)]
    concurrent_calls: Option<u32>,
    /// 600 unless it is said; 0 is no limit.
    #[schema(maximum = 100000)]
    calls_per_hour: Option<u32>,
    /// Of calls that were dialled; one that is up counts with the most it may last. 0 is no limit.
    #[schema(maximum = 1000000)]
    minutes_per_day: Option<u32>,
    /// Of all calls, in the currency of the price table; looked at before each dialling. 0 is no limit.
    spend_per_day: Option<f64>,
    spend_per_month: Option<f64>,
    /// How national numbers are to be read (ISO 3166); by itself that of the number under which the line calls.
    country: Option<String>,
    /// IANA name; UTC by itself.
    time_zone: Option<String>,
    /// The whole list; null empties it.
    #[schema(max_items = 21)]
    calling_windows: Option<Vec<WindowChange>>,
}

/// When people may be called, on their own clock.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct WindowChange {
    /// Some of mon, tue, wed, thu, fri, sat, sun; all of them by itself.
    days: Option<Vec<String>>,
    #[schema(example = "09:00")]
    from: String,
    /// Not included; `24:00` is the end of the day.
    #[schema(example = "18:00")]
    until: String,
}
