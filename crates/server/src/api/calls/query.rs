//! The parameters of GET /calls.

use crate::api::words::{CallResultWord, DirectionWord};
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
    /// Words that must all occur in what was said, or in `from` and `to`. Case and accents do not matter; `*` at the end of a
    /// word stands for any ending.
    #[param(max_length = 200, example = "boiler leak*")]
    q: Option<String>,
    /// 1 to 500; 50 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, example = 50)]
    limit: Option<String>,
    /// The `next` of the page before.
    before: Option<String>,
}

impl CallQuery {
    pub fn parse(self) -> Result<CallFilter, Faults> {
        let mut faults = Faults::default();
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
            text: words(self.q, &mut faults),
            limit: limit(self.limit, &mut faults),
            before: parsed("before", self.before, &mut faults),
        };
        faults.into_result(filter)
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

fn limit(text: Option<String>, faults: &mut Faults) -> usize {
    let Some(text) = text else { return 0 };
    match text.parse() {
        Ok(limit) if (1..=PAGE_LIMIT).contains(&limit) => limit,
        _ => {
            faults.add("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}"));
            0
        }
    }
}
