//! What may be dialled: a telephone number, an extension, or a SIP address.

use serde::Serialize;
use std::{fmt, str::FromStr};

/// A destination that is safe to write into a SIP URI: no control bytes, no separators, no parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DialTarget {
    /// Number or extension: the user part of the request URI.
    pub user: String,
    /// The domain of a full SIP address; the account's own domain is used without one.
    pub host: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a telephone number such as +1234567890, an extension, or an address such as sip:name@host")]
pub struct BadDialTarget;

impl FromStr for DialTarget {
    type Err = BadDialTarget;

    /// Visual separators of numbers (RFC 3966 §5.1.1: `-`, `.`, `(`, `)`, space) are dropped when the rest is a number.
    fn from_str(text: &str) -> Result<Self, BadDialTarget> {
        let text = text.trim();
        let text = text.strip_prefix("sip:").or_else(|| text.strip_prefix("tel:")).unwrap_or(text);
        let (user, host) = match text.split_once('@') {
            Some((user, host)) => (user, Some(host)),
            None => (text, None),
        };
        let compact: String = user.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
        let is_number = !compact.is_empty()
            && compact.chars().enumerate().all(|(i, c)| c.is_ascii_digit() || matches!(c, '*' | '#') || (i == 0 && c == '+'));
        let user = if is_number { compact } else { user.to_owned() };
        let user_ok = (1..=64).contains(&user.len())
            && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.' | '*' | '#'))
            && user != "+";
        let host_ok = host.is_none_or(|h| crate::account::HostPort::from_str(h).is_ok());
        if user_ok && host_ok { Ok(Self { user, host: host.map(str::to_owned) }) } else { Err(BadDialTarget) }
    }
}

impl fmt::Display for DialTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => write!(f, "{}@{host}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

/// A number as it may appear in a log at info: its last two characters.
pub fn masked(number: &str) -> String {
    let tail: String = number.chars().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_separators() {
        for (text, user, host) in [
            ("+1 (234) 567-890", "+1234567890", None),
            ("tel:+1-234", "+1234", None),
            ("bob", "bob", None),
            ("first.last", "first.last", None),
            ("*97#", "*97#", None),
            ("sip:bob@example.com:5070", "bob", Some("example.com:5070")),
        ] {
            let target: DialTarget = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((target.user.as_str(), target.host.as_deref()), (user, host), "{text}");
        }
    }

    #[test]
    fn nothing_can_be_smuggled_into_a_header() {
        for bad in ["", "+", "1\r\nVia: x", "bob>;x", "a b", "bob@", "bob@a b", "sip:bob@h;transport=tcp", "b%00"] {
            assert!(bad.parse::<DialTarget>().is_err(), "{bad:?}");
        }
    }
}
