//! One field of a client's JSON read as what it must be; whatever it is not is a fault under its path.

use super::ENGINES;
use crate::{Faults, HostPort, Secret, Transport};
use serde_json::Value;

/// One field of the body with its path, for fault messages.
pub(super) struct Field<'a> {
    pub path: &'a str,
    pub value: &'a Value,
}

impl Field<'_> {
    /// `null` clears; anything else is read by `read`.
    pub fn optional<T>(&self, read: impl FnOnce(&Self) -> Option<T>) -> Option<Option<T>> {
        match self.value {
            Value::Null => Some(None),
            Value::String(text) if text.trim().is_empty() => Some(None),
            _ => read(self).map(Some),
        }
    }

    fn string(&self, faults: &mut Faults) -> Option<&str> {
        let text = self.value.as_str();
        if text.is_none() {
            faults.add(self.path, "must be a text");
        }
        text
    }

    /// One line of text: trimmed, without control characters.
    pub fn text(&self, faults: &mut Faults, min: usize, max: usize) -> Option<String> {
        let text = self.string(faults)?.trim();
        if text.chars().any(char::is_control) {
            faults.add(self.path, "must not contain control characters");
            return None;
        }
        self.of_length(text, faults, min, max)
    }

    /// Text of several lines.
    pub fn prose(&self, faults: &mut Faults, max: usize) -> Option<String> {
        let text = self.string(faults)?.trim();
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            faults.add(self.path, "must not contain control characters other than line breaks");
            return None;
        }
        self.of_length(text, faults, 1, max)
    }

    fn of_length(&self, text: &str, faults: &mut Faults, min: usize, max: usize) -> Option<String> {
        if (min..=max).contains(&text.chars().count()) {
            return Some(text.to_owned());
        }
        faults.add(self.path, format!("must have {min} to {max} characters"));
        None
    }

    pub fn password(&self, faults: &mut Faults) -> Option<Secret> {
        let text = self.string(faults)?;
        if text.chars().any(char::is_control) || text.len() > 256 {
            faults.add(self.path, "must have at most 256 bytes and no control characters");
            return None;
        }
        Some(Secret::new(text))
    }

    /// Characters that may stand unescaped in the user part of a SIP URI (RFC 3261 §25.1), a safe subset.
    pub fn uri_user(&self, faults: &mut Faults) -> Option<String> {
        let text = self.text(faults, 1, 64)?;
        if text.chars().all(is_uri_user_char) {
            return Some(text);
        }
        faults.add(self.path, "may contain letters, digits and + - _ . * # only");
        None
    }

    pub fn sip_username(&self, faults: &mut Faults) -> Option<String> {
        let text = self.text(faults, 1, 128)?;
        let text = text.strip_prefix("sip:").map(str::to_owned).unwrap_or(text);
        let (user, host) = match text.split_once('@') {
            Some((user, host)) => (user, Some(host)),
            None => (text.as_str(), None),
        };
        let user_ok = !user.is_empty() && user.chars().all(is_uri_user_char);
        if user_ok && host.is_none_or(|h| h.parse::<HostPort>().is_ok()) {
            return Some(text);
        }
        faults.add(self.path, "must be a name such as ext1001 or alice@company.com");
        None
    }

    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, faults: &mut Faults, kind: &str) -> Option<T> {
        let Some(text) = self.value.as_str() else {
            faults.add(self.path, format!("must be a {kind}"));
            return None;
        };
        text.trim().parse().map_err(|e: T::Err| faults.add(self.path, e.to_string())).ok()
    }

    /// One of the engines that there are.
    pub fn engine(&self, faults: &mut Faults) -> Option<String> {
        let name = self.value.as_str().map(str::trim).filter(|name| ENGINES.contains(name));
        if name.is_none() {
            faults.add(self.path, format!("must be one of {}", ENGINES.join(", ")));
        }
        name.map(str::to_owned)
    }

    /// The shape of a language tag (RFC 5646 §2.1): a language, then script, region and the like.
    pub fn language(&self, faults: &mut Faults) -> Option<String> {
        let tag = self.value.as_str().map(str::trim).filter(|tag| is_language_tag(tag));
        if tag.is_none() {
            faults.add(self.path, "must be a language tag such as de, en-GB or zh-Hant-TW");
        }
        tag.map(str::to_owned)
    }

    pub fn transport(&self, faults: &mut Faults) -> Option<Transport> {
        let parsed = self.value.as_str().and_then(|t| t.parse().ok());
        if parsed.is_none() {
            faults.add(self.path, "must be udp or tcp");
        }
        parsed
    }

    pub fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            faults.add(self.path, "must be true or false");
        }
        value
    }

    pub fn number<T: TryFrom<u64>>(&self, faults: &mut Faults, min: u64, max: u64) -> Option<T> {
        let value = self.value.as_u64().filter(|n| (min..=max).contains(n)).and_then(|n| T::try_from(n).ok());
        if value.is_none() {
            faults.add(self.path, format!("must be a whole number from {min} to {max}"));
        }
        value
    }
}

fn is_language_tag(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let language = subtags.next().unwrap_or_default();
    let language_ok = (2..=8).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
    let rest_ok = subtags.all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    language_ok && rest_ok && tag.len() <= 35
}

fn is_uri_user_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.' | '*' | '#')
}
