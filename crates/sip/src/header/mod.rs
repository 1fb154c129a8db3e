//! The header fields that we read ourselves, as small functions on their values. Strangers wrote these: nothing here
//! panics, and what a person or a log will see holds no control characters.

use callie_domain::{HostPort, Transport};

/// Where a `sip:` URI points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipTarget {
    pub host: HostPort,
    pub transport: Option<Transport>,
}

/// `Reason` (RFC 3326): `SIP;cause=200;text="Call completed elsewhere"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`…
    pub protocol: String,
    pub cause: Option<u16>,
    pub text: Option<String>,
}

/// Who calls, as shown to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    pub display_name: Option<String>,
    /// User part of the URI, decoded: mostly a number. Empty when there is none.
    pub number: String,
}

/// Seconds of `Retry-After: 120 (I'm in a meeting);duration=3600` (RFC 3261 §20.33).
pub fn retry_after(_value: &str) -> Option<u32> {
    None
}

/// Seconds of `Expires` and `Min-Expires`. Above 2^32-1 counts as 2^32-1.
pub fn delta_seconds(_value: &str) -> Option<u32> {
    None
}

/// What a 200 grants to the Contact whose user part is `token` (RFC 3261 §10.2.4): its own `expires`, else the `Expires`
/// header, else what was `asked`. `None` when no Contact is ours.
pub fn granted_expires<'a>(
    _contacts: impl Iterator<Item = &'a str>,
    _expires: Option<&str>,
    _token: &str,
    _asked: u32,
) -> Option<u32> {
    None
}

/// The `sip:` Contacts of a 3xx, best first.
pub fn redirect_targets<'a>(_contacts: impl Iterator<Item = &'a str>) -> Vec<SipTarget> {
    Vec::new()
}

/// The first `Reason` in a header value.
pub fn reason(_value: &str) -> Option<Reason> {
    None
}

/// The caller out of `P-Asserted-Identity` when there is one (trust it only from the account's own provider), else `From`.
pub fn caller(_from: &str, _asserted: Option<&str>) -> Caller {
    Caller::default()
}
