//! One field of a client's JSON read as what it must be; whatever it is not is a fault under its path.

use super::ENGINES;
use crate::audio::AudioCodec;
use crate::{Faults, HostPort, Secret, pem};
use serde_json::Value;
use std::net::IpAddr;

/// A bundle of a few authorities; all of a system's roots are not a user's setting.
const MAX_CERTIFICATES_BYTES: usize = 65_536;
/// What the store seals at most; a key of RSA-4096 has 3,300.
const MAX_KEY_BYTES: usize = 4_096;

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

    /// One word of a few; `words` names them all.
    pub fn word<T: std::str::FromStr>(&self, faults: &mut Faults, words: &str) -> Option<T> {
        let parsed = self.value.as_str().and_then(|t| t.trim().parse().ok());
        if parsed.is_none() {
            faults.add(self.path, format!("must be {words}"));
        }
        parsed
    }

    /// Codecs, the most wanted first.
    pub fn codecs(&self, faults: &mut Faults) -> Option<Vec<AudioCodec>> {
        let read = |item: &Value| item.as_str().and_then(|word| word.trim().parse::<AudioCodec>().ok());
        let list: Option<Vec<_>> = self.value.as_array().and_then(|items| items.iter().map(read).collect());
        let list = list.filter(|list| !list.is_empty() && !(1..list.len()).any(|i| list[..i].contains(&list[i])));
        if list.is_none() {
            faults.add(self.path, "must be a list of some of opus, g722, pcmu and pcma, each once, the most wanted first");
        }
        list
    }

    /// Certificates in PEM.
    pub fn certificates(&self, faults: &mut Faults) -> Option<String> {
        let text = self.string(faults)?;
        if text.len() > MAX_CERTIFICATES_BYTES {
            faults.add(self.path, format!("must have at most {MAX_CERTIFICATES_BYTES} bytes"));
            return None;
        }
        pem::certificates(text).map_err(|fault| faults.add(self.path, fault.to_string())).ok()
    }

    /// A private key in PEM. No fault quotes it.
    pub fn private_key(&self, faults: &mut Faults) -> Option<Secret> {
        let text = self.string(faults)?;
        private_key(text).map_err(|problem| faults.add(self.path, problem)).ok()
    }

    pub fn address(&self, faults: &mut Faults) -> Option<IpAddr> {
        let address = self.value.as_str().and_then(|text| text.trim().trim_matches(['[', ']']).parse::<IpAddr>().ok());
        let address = address.filter(|address| !address.is_unspecified() && !address.is_multicast());
        if address.is_none() {
            faults.add(self.path, "must be an address such as 203.0.113.7 or 2001:db8::7");
        }
        address
    }

    pub fn boolean(&self, faults: &mut Faults) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            faults.add(self.path, "must be true or false");
        }
        value
    }

    /// 0, which switches off, or a number of the range.
    pub fn number_or_off(&self, faults: &mut Faults, min: u64, max: u64) -> Option<u32> {
        let value = self.value.as_u64().filter(|n| *n == 0 || (min..=max).contains(n)).and_then(|n| u32::try_from(n).ok());
        if value.is_none() {
            faults.add(self.path, format!("must be 0 (off) or a whole number from {min} to {max}"));
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

/// A key in the form that [`pem`] writes.
pub(super) fn private_key(text: &str) -> Result<Secret, String> {
    if text.len() > MAX_KEY_BYTES {
        return Err(format!("must have at most {MAX_KEY_BYTES} bytes"));
    }
    let key = pem::private_key(text).map(Secret::new).map_err(|fault| fault.to_string())?;
    // With its line breaks it may be longer.
    if key.expose().len() > MAX_KEY_BYTES { private_key(key.expose()) } else { Ok(key) }
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
