//! Tables as CSV (RFC 4180): for those who ask for it by `format=csv` or `Accept: text/csv`.

use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use callie_domain::Faults;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
}

impl Format {
    /// The parameter goes before the header.
    pub fn of(asked: Option<&str>, headers: &HeaderMap, faults: &mut Faults) -> Self {
        match asked {
            Some("csv") => Self::Csv,
            Some("json") => Self::Json,
            Some(_) => {
                faults.add("format", "must be json or csv");
                Self::Json
            }
            None => {
                let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
                let wants = accepted.split(',').any(|kind| kind.trim().split(';').next() == Some("text/csv"));
                if wants { Self::Csv } else { Self::Json }
            }
        }
    }
}

/// One row, ended.
pub fn row<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// What a stranger has put there does not become a formula in somebody's spreadsheet.
fn cell(text: &str) -> String {
    let is_number =
        text.strip_prefix(['+', '-']).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || " .-".contains(c)));
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// A body of rows, to be saved under this name.
pub fn answer(name: &'static str, body: axum::body::Body) -> Response {
    let disposition = HeaderValue::from_static(name);
    ([(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")), (CONTENT_DISPOSITION, disposition)], body)
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        for (text, want) in [
            ("plain", "plain"),
            ("+43 1 234-5", "+43 1 234-5"),
            ("-1.5", "-1.5"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+cmd|x", "\"'+cmd|x\""),
            ("@x", "\"'@x\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), want, "{text}");
        }
        assert_eq!(row(["a", "", "b c"]), "a,,b c\r\n");
    }
}
