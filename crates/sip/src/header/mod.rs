//! The header values that we read ourselves, as small functions. Strangers wrote these values: nothing here panics, and
//! what a person or a log will see holds no control characters.
//!
//! Not a SIP parser: finding the fields of a message is the stack's work.

mod address;
pub(crate) mod scan;

pub use address::{Caller, SipTarget, caller, granted_expires, redirect_targets, service_routes, sip_target};
pub(crate) use address::{percent_decode, redirects};

use scan::{is_token, param, printable, split_outside_quotes};

/// Longest `text` of a `Reason` that is kept, characters.
const MAX_REASON_TEXT: usize = 200;

/// `Reason` (RFC 3326): `SIP;cause=200;text="Call completed elsewhere"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`…
    pub protocol: String,
    pub cause: Option<u16>,
    pub text: Option<String>,
}

/// Seconds of `Retry-After: 120 (I'm in a meeting);duration=3600` (RFC 3261 §20.33).
pub fn retry_after(value: &str) -> Option<u32> {
    let digits = value.split(['(', ';']).next()?;
    delta_seconds(digits)
}

/// Seconds of `Expires` and `Min-Expires`. Above 2^32-1 counts as 2^32-1 (RFC 3261 §20.19).
pub fn delta_seconds(value: &str) -> Option<u32> {
    let digits = value.trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

/// The first usable reason in a `Reason` header value; `SIP` ones go before others.
pub fn reason(value: &str) -> Option<Reason> {
    let found: Vec<Reason> = split_outside_quotes(value, b',').filter_map(one_reason).take(8).collect();
    found.iter().find(|r| r.protocol.eq_ignore_ascii_case("SIP")).or(found.first()).cloned()
}

fn one_reason(text: &str) -> Option<Reason> {
    let (protocol, params) = text.split_once(';').unwrap_or((text, ""));
    let protocol = protocol.trim();
    let text = param(params, "text").map(|t| printable(&t, MAX_REASON_TEXT)).filter(|t| !t.is_empty());
    is_token(protocol).then(|| Reason {
        protocol: protocol.to_owned(),
        cause: param(params, "cause").and_then(|c| c.parse().ok()),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds() {
        for (value, want) in [
            ("120", Some(120)),
            ("18000;duration=3600", Some(18000)),
            ("120 (I'm in a meeting)", Some(120)),
            (" 120 (a (b) c);duration=60", Some(120)),
            ("0", Some(0)),
            ("99999999999999999999", Some(u32::MAX)),
            ("", None),
            ("-1", None),
            ("+5", None),
            ("soon", None),
            ("1.5", None),
            ("(120)", None),
        ] {
            assert_eq!(retry_after(value), want, "{value:?}");
        }
        assert_eq!(delta_seconds(" 3600 "), Some(3600));
        assert_eq!(delta_seconds("3600;x"), None);
    }

    #[test]
    fn reads_reasons() {
        let show = |value| reason(value).map(|r| (r.protocol, r.cause, r.text.unwrap_or_default()));
        let want = |protocol: &str, cause, text: &str| Some((protocol.to_owned(), cause, text.to_owned()));
        assert_eq!(
            show(r#"SIP ;cause=200 ;text="Call completed elsewhere""#),
            want("SIP", Some(200), "Call completed elsewhere")
        );
        assert_eq!(show(r#"Q.850;cause=16;text="a, b", SIP;cause=486"#), want("SIP", Some(486), ""));
        assert_eq!(show("Q.850;cause=16"), want("Q.850", Some(16), ""));
        assert_eq!(show("SIP;cause=700000;text=\"a\r\nb\""), want("SIP", None, "a  b"));
        assert_eq!(show(""), None);
        assert_eq!(show("a b;cause=1"), None);
    }
}
