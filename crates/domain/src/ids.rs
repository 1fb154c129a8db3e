//! Names of things, each a type of its own so that one cannot be passed for another.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A user's (tenant's) name: 1–64 of `A–Z a–z 0–9 . _ @ -`, beginning with a letter or digit.
///
/// The set is safe as a Firestore document id, as a path segment and as a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, '.', '_', '@' or '-', beginning with a letter or digit")]
pub struct BadUserId;

impl UserId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = BadUserId;
    fn try_from(text: String) -> Result<Self, BadUserId> {
        let first_ok = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let rest_ok = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '-'));
        if first_ok && rest_ok && text.len() <= 64 { Ok(Self(text)) } else { Err(BadUserId) }
    }
}
impl FromStr for UserId {
    type Err = BadUserId;
    fn from_str(text: &str) -> Result<Self, BadUserId> {
        Self::try_from(text.to_owned())
    }
}
impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0
    }
}
impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! ulid_names {
    ($($(#[$doc:meta])* $name:ident, $bad:ident, $text:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(ulid::Ulid);

        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error($text)]
        pub struct $bad;

        impl $name {
            /// `entropy` must be fresh random bits; the time gives the order.
            pub fn new(at: jiff::Timestamp, entropy: u128) -> Self {
                let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
                Self(ulid::Ulid::from_parts(ms, entropy))
            }

            /// Its 128 bits: the time, then the entropy.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            /// The time that it was given, to the millisecond.
            pub fn began_at(&self) -> Option<jiff::Timestamp> {
                jiff::Timestamp::from_millisecond(i64::try_from(self.0.timestamp_ms()).ok()?).ok()
            }
        }
        impl TryFrom<String> for $name {
            type Error = $bad;
            fn try_from(text: String) -> Result<Self, $bad> {
                text.parse()
            }
        }
        impl FromStr for $name {
            type Err = $bad;
            fn from_str(text: &str) -> Result<Self, $bad> {
                ulid::Ulid::from_string(text).map(Self).map_err(|_| $bad)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    )*};
}

ulid_names! {
    /// A call's name: a ULID, so that names sort by the time the call began.
    CallId, BadCallId, "must be a call id: 26 characters of Crockford's base 32";
    /// The name of a call that was ordered with rules for trying it again: a ULID.
    OrderId, BadOrderId, "must be the id of a pending call: 26 characters of Crockford's base 32";
    /// The name of one thing told to one receiver.
    DeliveryId, BadDeliveryId, "must be the id of a delivery: 26 characters of Crockford's base 32";
}

/// The hardware address of the desk phone that a user imitates, written `00:15:65:12:34:56`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be six hexadecimal pairs such as 00:15:65:12:34:56")]
pub struct BadMac;

impl MacAddress {
    /// The prefix of the vendor whose phones are imitated (Yealink).
    pub const VENDOR_PREFIX: [u8; 3] = [0x00, 0x15, 0x65];

    /// An address under [`Self::VENDOR_PREFIX`]; the caller draws the entropy and checks that nobody else has it.
    pub fn generate(entropy: [u8; 3]) -> Self {
        let [a, b, c] = Self::VENDOR_PREFIX;
        let [d, e, f] = entropy;
        Self([a, b, c, d, e, f])
    }
}
impl TryFrom<String> for MacAddress {
    type Error = BadMac;
    fn try_from(text: String) -> Result<Self, BadMac> {
        text.parse()
    }
}
impl FromStr for MacAddress {
    type Err = BadMac;
    /// Pairs separated by `:` or `-`, or twelve digits without a separator.
    fn from_str(text: &str) -> Result<Self, BadMac> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-')).collect();
        if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadMac);
        }
        let mut mac = [0u8; 6];
        for (byte, pair) in mac.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| BadMac)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| BadMac)?;
        }
        Ok(Self(mac))
    }
}
impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> String {
        mac.to_string()
    }
}
impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The random user part of an account's Contact. Inbound requests are matched to an account by it and by nothing else,
/// so that To and From, which anybody can write, decide nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContactToken(String);

impl ContactToken {
    /// 16 lowercase letters and digits from 80 fresh random bits.
    pub fn new(entropy: [u8; 10]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bits = entropy.iter().fold(0u128, |acc, &b| (acc << 8) | u128::from(b));
        let mut text = String::with_capacity(16);
        for _ in 0..16 {
            text.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
        }
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for ContactToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_safe_names() {
        for good in ["alice", "company_a_sales", "a.b@c-d", "9"] {
            assert!(good.parse::<UserId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "_x", "a/b", "a b", "a\r\n", "é", &"x".repeat(65)] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn mac_addresses_are_normalised() {
        let mac: MacAddress = "00-15-65-AB-cd-EF".parse().expect("valid");
        assert_eq!(mac.to_string(), "00:15:65:ab:cd:ef");
        assert_eq!("001565abcdef".parse(), Ok(mac));
        assert!("00:15:65:ab:cd".parse::<MacAddress>().is_err());
        assert!("00:15:65:ab:cd:+f".parse::<MacAddress>().is_err());
    }

    #[test]
    fn contact_tokens_are_sixteen_plain_characters() {
        let token = ContactToken::new([0xff; 10]);
        assert_eq!(token.as_str(), "9999999999999999");
        assert_ne!(ContactToken::new([1; 10]), ContactToken::new([2; 10]));
    }
}
