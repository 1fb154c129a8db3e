//! The parameters of the analytics.

use crate::api::csv::Format;
use axum::http::HeaderMap;
use callie_domain::Faults;
use callie_domain::analytics::{Group, MOST_GROUPS, Span, groups, whole_quarters};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

/// Without `from`.
const USUAL_SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Which calls and times.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AnalyticsQuery {
    /// Calls begun at or after this time, to the quarter of an hour; thirty days before `to` without it.
    #[param(value_type = Option<Timestamp>, example = "2026-01-01T00:00:00Z")]
    from: Option<String>,
    /// Calls begun before this time; now without it.
    #[param(value_type = Option<Timestamp>)]
    to: Option<String>,
    /// `hour`, `day` (without it), `week` (from Monday) or `none`.
    #[param(example = "day")]
    group: Option<String>,
    /// Of the IANA database: where hours, days and weeks begin; `UTC` without it.
    #[param(example = "Europe/Vienna")]
    time_zone: Option<String>,
    /// `json` or `csv`; goes before the header `Accept`.
    format: Option<String>,
}

/// What is asked for.
pub struct Asked {
    pub from: Timestamp,
    pub to: Timestamp,
    pub zone_name: String,
    pub group: &'static str,
    pub groups: Vec<Span>,
    pub format: Format,
}

impl AnalyticsQuery {
    pub fn parse(self, now: Timestamp, headers: &HeaderMap) -> Result<Asked, Faults> {
        let mut faults = Faults::default();
        let to = time("to", self.to, &mut faults).unwrap_or(now);
        let from = time("from", self.from, &mut faults).unwrap_or_else(|| to.saturating_sub(USUAL_SPAN).unwrap_or(to));
        if from > to {
            faults.add("from", "must not be after to");
        }
        let (group, by) = match self.group.as_deref() {
            Some("hour") => ("hour", Group::Hour),
            Some("day") | None => ("day", Group::Day),
            Some("week") => ("week", Group::Week),
            Some("none") => ("none", Group::All),
            Some(_) => {
                faults.add("group", "must be hour, day, week or none");
                ("none", Group::All)
            }
        };
        let zone_name = self.time_zone.unwrap_or_else(|| "UTC".to_owned());
        let zone = TimeZone::get(&zone_name).unwrap_or_else(|_| {
            faults.add("time_zone", "must be a name of the IANA database such as Europe/Berlin");
            TimeZone::UTC
        });
        let format = Format::of(self.format.as_deref(), headers, &mut faults);
        let (from, to) = whole_quarters((from, to));
        let mut spans = Vec::new();
        if faults.is_empty() {
            match groups((from, to), by, &zone) {
                Some(groups) => spans = groups,
                None => {
                    faults.add("group", format!("makes more than {MOST_GROUPS} groups: choose a longer one, or a shorter time"))
                }
            }
        }
        faults.into_result(Asked { from, to, zone_name, group, groups: spans, format })
    }
}

fn time(field: &str, text: Option<String>, faults: &mut Faults) -> Option<Timestamp> {
    text?.parse().map_err(|_| faults.add(field, "must be a time such as 2026-01-15T00:00:00Z")).ok()
}
