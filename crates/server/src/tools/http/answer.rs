//! What a web service answered, as a model can use it: bounded, as text or JSON, and without the secrets that we sent.

use crate::outside::{Answer, OutsideError};
use callie_ai::tools::Outcome;
use callie_domain::user::tools::Headers;
use serde_json::{Value, json};

/// Of a body that are read.
pub const MOST_BYTES: usize = 65_536;
/// Of it that a model gets, characters: it pays for each in every turn that follows.
const LONGEST: usize = 8_000;
/// Of the body of an error.
const LONGEST_ERROR: usize = 500;
/// A shorter word is no secret worth hiding, and is found everywhere.
const SHORTEST_SECRET: usize = 6;

/// Whether asking again may help.
pub fn is_retryable(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

pub fn outcome_of(answer: &Answer, headers: Option<&Headers>) -> Outcome {
    let content_type = answer.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = without_secrets(&text_of(content_type, &answer.body), headers);
    let is_success = (200..300).contains(&answer.status);
    let mut outcome = if is_success {
        let (value, is_whole) = match text.trim() {
            "" => (Value::from("done; the service said nothing more"), true),
            _ => bounded(&text, is_json(content_type)),
        };
        let is_whole = is_whole && answer.is_whole;
        let mut outcome = Outcome::output(value);
        if !is_whole {
            outcome.result.insert("shortened".into(), json!(true));
        }
        outcome
    } else {
        let text: String = text.trim().chars().take(LONGEST_ERROR).collect();
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        Outcome::error(format!("the service answered {}{said}", answer.status), is_retryable(answer.status))
    };
    outcome.result.insert("status".into(), json!(answer.status));
    outcome
}

pub fn outcome_of_error(error: &OutsideError) -> Outcome {
    Outcome::error(error.to_string(), error.is_retryable())
}

/// JSON as it is, unless it is too long; then its beginning. And whether that is all of it.
pub fn bounded(text: &str, is_json: bool) -> (Value, bool) {
    if is_json
        && let Ok(value) = serde_json::from_str::<Value>(text)
        && value.to_string().len() <= LONGEST
    {
        return (value, true);
    }
    let short: String = text.chars().take(LONGEST).collect();
    let is_whole = short.len() == text.len();
    (Value::from(short), is_whole)
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

fn text_of(content_type: &str, body: &[u8]) -> String {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text =
        kind.is_empty() || kind.starts_with("text/") || is_json(&kind) || kind.ends_with("xml") || kind.contains("urlencoded");
    if !is_text {
        return format!("{} bytes of {kind}", body.len());
    }
    let text = String::from_utf8_lossy(body);
    if kind == "text/html" { words_of_html(&text) } else { text.into_owned() }
}

/// What stands between the tags, without scripts and styles.
fn words_of_html(html: &str) -> String {
    // Has the same length, so that places in one are places in the other.
    let lower = html.to_ascii_lowercase();
    let find = |what: &str, from: usize| lower.get(from..).and_then(|rest| rest.find(what)).map(|at| from + at);
    let mut words = String::new();
    let mut from = 0;
    while let Some(open) = find("<", from) {
        words.push_str(html.get(from..open).unwrap_or_default());
        words.push(' ');
        let skips = ["script", "style"].iter().find(|name| lower.get(open + 1..).is_some_and(|rest| rest.starts_with(**name)));
        let close = match skips {
            Some(name) => find(&format!("</{name}"), open).and_then(|end| find(">", end)),
            None => find(">", open),
        };
        from = close.map_or(html.len(), |close| close + 1);
    }
    words.push_str(html.get(from..).unwrap_or_default());
    let words =
        words.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A service that echoes a request must not hand our key to a model, and with it to a caller and into the record.
pub fn without_secrets(text: &str, headers: Option<&Headers>) -> String {
    let mut text = text.to_owned();
    for (_, value) in headers.into_iter().flat_map(Headers::iter) {
        // `Bearer abc` is as good as `abc`.
        let words = std::iter::once(value).chain(value.split_whitespace().filter(|word| *word != value));
        for word in words.filter(|word| word.len() >= SHORTEST_SECRET && !word.eq_ignore_ascii_case("bearer")) {
            text = text.replace(word, "***");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::{HeaderMap, HeaderValue};

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        let content_type = HeaderValue::from_str(content_type).expect("a value");
        let headers = HeaderMap::from_iter([("content-type".parse().expect("a name"), content_type)]);
        Answer { status, headers, body: body.as_bytes().to_vec(), is_whole: true }
    }

    #[test]
    fn answers_are_told_in_a_form_that_a_model_can_use() {
        let cases = [
            (200, "application/json; charset=utf-8", r#"{"a":1}"#, json!({"output": {"a": 1}, "status": 200})),
            (200, "application/hal+json", "[1]", json!({"output": [1], "status": 200})),
            (200, "application/json", "{cut off", json!({"output": "{cut off", "status": 200})),
            (200, "text/plain", "fine", json!({"output": "fine", "status": 200})),
            (201, "", "made", json!({"output": "made", "status": 201})),
            (204, "", " ", json!({"output": "done; the service said nothing more", "status": 204})),
            (200, "image/png", "\u{1}\u{2}", json!({"output": "2 bytes of image/png", "status": 200})),
            (
                200,
                "text/html",
                "<html><style>p{}</style><p>Open&nbsp;at <b>9</b></p><SCRIPT>x<1</SCRIPT> &amp; more",
                json!({"output": "Open at 9 & more", "status": 200}),
            ),
            (
                404,
                "text/plain",
                "no such order",
                json!({"error": "the service answered 404: no such order", "retryable": false, "status": 404}),
            ),
            (503, "", "", json!({"error": "the service answered 503", "retryable": true, "status": 503})),
            (302, "", "", json!({"error": "the service answered 302", "retryable": false, "status": 302})),
        ];
        for (status, content_type, body, told) in cases {
            assert_eq!(Value::Object(outcome_of(&answer(status, content_type, body), None).result), told);
        }
    }

    #[test]
    fn long_answers_are_shortened_and_say_so() {
        let long = format!("[{}]", vec!["1"; 5_000].join(","));
        for content_type in ["application/json", "text/plain"] {
            let result = outcome_of(&answer(200, content_type, &long), None).result;
            assert_eq!((result["output"].as_str().map(str::len), result["shortened"].as_bool()), (Some(LONGEST), Some(true)));
        }
        let cut = Answer { is_whole: false, ..answer(200, "text/plain", "short") };
        assert_eq!(outcome_of(&cut, None).result["shortened"], true);
        let error = outcome_of(&answer(500, "text/plain", &"ä".repeat(5_000)), None);
        assert!(error.result["error"].as_str().is_some_and(|text| text.chars().count() < 600));
    }

    #[test]
    fn our_secrets_do_not_come_back() {
        let headers = Headers::parse("Authorization: Bearer s3cr3t-token\nX-Key: 0123456789\nX-A: abc").expect("valid");
        let body = r#"{"got":"Bearer s3cr3t-token","also":"s3cr3t-token","key":"0123456789","a":"abc"}"#;
        for (status, content_type) in [(200, "application/json"), (200, "text/plain"), (401, "application/json")] {
            let told = Value::Object(outcome_of(&answer(status, content_type, body), headers.as_ref()).result).to_string();
            assert!(!told.contains("s3cr3t") && !told.contains("0123456789") && told.contains("abc"), "{told}");
        }
    }

    #[test]
    fn broken_html_is_survived() {
        for html in ["<", "<script", "<script>a", "a<b", "<style>\u{130}</style>x", "<ſcript>"] {
            words_of_html(html);
        }
    }
}
