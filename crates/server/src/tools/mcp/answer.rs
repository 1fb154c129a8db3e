//! What a tool of a server gave, as a model can use it.

use super::super::http::answer::{bounded, without_secrets};
use super::session::Given;
use callie_ai::tools::Outcome;
use callie_domain::user::tools::Headers;
use serde_json::json;

pub fn outcome_of(given: Given, headers: Option<&Headers>) -> Outcome {
    let text = without_secrets(&given.text, headers);
    let (value, is_whole) = bounded(&text, given.is_json);
    if given.is_error {
        let text = if text.trim().is_empty() { "the tool failed and did not say why".to_owned() } else { text };
        let (text, _) = bounded(&text, false);
        // A model that reads what was wrong may do it better.
        return Outcome::error(text.as_str().unwrap_or_default(), true);
    }
    let mut outcome = Outcome::output(value);
    if !is_whole {
        outcome.result.insert("shortened".into(), json!(true));
    }
    outcome
}
