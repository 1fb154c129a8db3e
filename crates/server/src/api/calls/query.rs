//! The parameters of GET /calls.

use crate::api::csv::Format;
use crate::api::words::{CallResultWord, DirectionWord};
use axum::http::HeaderMap;
use callie_domain::Faults;
use callie_domain::record::{CallResult, Direction};
use callie_store::CallFilter;
use serde::{Deserialize, de::DeserializeOwned};
use std::{fmt::Display, str::FromStr};
use utoipa::IntoParams;

/// Calls in one page at most.
const PAGE_LIMIT: usize = 500;
/// Bounds of a search; each word is looked up by itself.
const MOST_WORDS: usize = 16;
const LONGEST_TEXT: usize = 200;

/// Which calls to list. All parameters are optional and narrow together.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CallQuery {
    #[param(example = "alice")]
    user_id: Option<String>,
    /// Who called.
    #[param(value_type = Option<DirectionWord>)]
    direction: Option<String>,
    /// The outcome in one word.
    #[param(value_type = Option<CallResultWord>)]
    result: Option<String>,
    /// Calls begun at or after this time.
    #[param(value_type = Option<Timestamp>, example = "2026-01-15T00:00:00Z")]
    from: Option<String>,
    /// Calls begun before this time.
    #[param(value_type = Option<Timestamp>)]
    until: Option<String>,
    /// Seconds from answer to end, at least; calls that were not answered have none.
    #[param(value_type = Option<f64>, minimum = 0)]
    min_duration: Option<String>,
    /// Seconds at most.
    #[param(value_type = Option<f64>, minimum = 0)]
    max_duration: Option<String>,
    /// Milliseconds that 95 of a hundred answers of the call did not exceed (`talk.latency_p95_ms`), at least.
    #[param(value_type = Option<u32>)]
    min_latency_ms: Option<String>,
    /// At most.
    #[param(value_type = Option<u32>)]
    max_latency_ms: Option<String>,
    /// Words that must all occur in what was said, or in `from` and `to`. Case and accents do not matter; `*` at the end of a
    /// word stands for any ending.
    #[param(max_length = 200, example = "boiler leak*")]
    q: Option<String>,
    /// `json` or `csv`; goes before the header `Accept`. CSV has all calls that fit, unless `limit` says how many.
    format: Option<String>,
    /// 1 to 500; 50 without it. Of CSV any number.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, example = 50)]
    limit: Option<String>,
    /// The `next` of the page before.
    before: Option<String>,
}

impl CallQuery {
    pub fn parse(self, headers: &HeaderMap) -> Result<(CallFilter, Format), Faults> {
        let mut faults = Faults::default();
        let format = Format::of(self.format.as_deref(), headers, &mut faults);
        let most = if format == Format::Csv { usize::MAX } else { PAGE_LIMIT };
        let filter = CallFilter {
            user_id: parsed("user_id", self.user_id, &mut faults),
            direction: word::<Direction>("direction", self.direction, "must be inbound or outbound", &mut faults),
            result: word::<CallResult>(
                "result",
                self.result,
                "must be completed, cancelled, rejected, busy, no_answer, declined, not_found, failed or lost",
                &mut faults,
            ),
            from: parsed("from", self.from, &mut faults),
            until: parsed("until", self.until, &mut faults),
            min_duration_ms: number("min_duration", self.min_duration, 1_000.0, &mut faults),
            max_duration_ms: number("max_duration", self.max_duration, 1_000.0, &mut faults),
            min_latency_ms: number("min_latency_ms", self.min_latency_ms, 1.0, &mut faults),
            max_latency_ms: number("max_latency_ms", self.max_latency_ms, 1.0, &mut faults),
            text: words(self.q, &mut faults),
            limit: limit(self.limit, most, &mut faults),
            before: parsed("before", self.before, &mut faults),
        };
        faults.into_result((filter, format))
    }
}

fn parsed<T: FromStr<Err: Display>>(field: &str, text: Option<String>, faults: &mut Faults) -> Option<T> {
    text?.parse().map_err(|e: T::Err| faults.add(field, e.to_string())).ok()
}

fn word<T: DeserializeOwned>(field: &str, text: Option<String>, problem: &str, faults: &mut Faults) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text?)).map_err(|_| faults.add(field, problem)).ok()
}

fn words(text: Option<String>, faults: &mut Faults) -> Option<String> {
    let text = text?;
    let words = text.split_whitespace().count();
    if !text.chars().any(char::is_alphanumeric) || text.chars().count() > LONGEST_TEXT || words > MOST_WORDS {
        faults.add("q", format!("must have a letter or digit, at most {MOST_WORDS} words and {LONGEST_TEXT} characters"));
        return None;
    }
    Some(text)
}

/// A number of seconds or milliseconds, in milliseconds.
fn number(field: &str, text: Option<String>, to_ms: f64, faults: &mut Faults) -> Option<i64> {
    let ms = text?.parse::<f64>().ok().map(|number| number * to_ms).filter(|ms| (0.0..=1e12).contains(ms));
    if ms.is_none() {
        faults.add(field, "must be a number, 0 or more");
    }
    // Checked: 0 to 10¹².
    ms.map(|ms| ms.round() as i64)
}

fn limit(text: Option<String>, most: usize, faults: &mut Faults) -> usize {
    let Some(text) = text else { return 0 };
    match text.parse() {
        Ok(limit) if (1..=most).contains(&limit) => limit,
        _ => {
            faults.add("limit", format!("must be a whole number from 1 to {most}"));
            0
        }
    }
}
