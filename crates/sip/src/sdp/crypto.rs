//! Keys in SDP (RFC 4568): the lines that we write, and which of a stranger's we take.
//!
//! Each side names the key of what it sends. One line is one choice; lines with a master key identifier, with several keys or
//! with parameters that change the encryption are left to those who know them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use callie_media::rtp::srtp::{SrtpKey, SrtpSuite};
use zeroize::Zeroizing;

/// Octets of a master key with its salt, as drawn.
const KEY_LEN: usize = 30;
/// Most digits of a tag (RFC 4568 §9.1).
const TAG_DIGITS: usize = 9;

/// Our key for each suite: no two lines of an offer share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurKeys([SrtpKey; 2]);

impl OurKeys {
    /// From the system's random source, for one call.
    pub fn new(random: [[u8; KEY_LEN]; 2]) -> Self {
        Self(random.map(SrtpKey::new))
    }

    pub(super) fn of(&self, suite: SrtpSuite) -> &SrtpKey {
        let [long_tag, short_tag] = &self.0;
        match suite {
            SrtpSuite::AesCm128HmacSha1_80 => long_tag,
            SrtpSuite::AesCm128HmacSha1_32 => short_tag,
        }
    }
}

/// A line that we can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CryptoLine {
    pub tag: u32,
    pub suite: SrtpSuite,
    /// Of what its writer sends.
    pub key: SrtpKey,
}

/// `a=crypto` with our key.
pub(super) fn write(tag: u32, suite: SrtpSuite, key: &SrtpKey) -> String {
    format!("a=crypto:{tag} {} inline:{}\r\n", suite.name(), STANDARD.encode(key.octets()))
}

impl CryptoLine {
    /// Reads what follows `a=crypto:`. `None` when it is not for us.
    pub fn read(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= TAG_DIGITS && tag.bytes().all(|b| b.is_ascii_digit()))?;
        let tag = tag.parse().ok()?;
        let name = words.next()?;
        let suite = SrtpSuite::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))?;
        let key = key(words.next()?)?;
        words.all(is_harmless).then_some(Self { tag, suite, key })
    }
}

/// `inline:` with a key and perhaps how long it lasts, which is for its sender to mind. With a master key identifier it is
/// not for us (RFC 4568 §6.1).
fn key(parameters: &str) -> Option<SrtpKey> {
    let (method, info) = parameters.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || info.contains(';') {
        return None;
    }
    let mut parts = info.split('|');
    let octets = decode(parts.next()?)?;
    let lifetime_ok = parts.next().is_none_or(is_lifetime);
    (lifetime_ok && parts.next().is_none()).then(|| SrtpKey::new(*octets))
}

fn decode(text: &str) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
    <[u8; KEY_LEN]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

/// Packets, as a number or a power of two.
fn is_lifetime(text: &str) -> bool {
    let digits = text.strip_prefix("2^").unwrap_or(text);
    (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a session parameter leaves the packets as they are: a window for replays, keys that are derived once, and what its
/// writer marks as dispensable (RFC 4568 §6.3).
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-') || parameter.starts_with("WSH=") || parameter == "KDR=0"
}
