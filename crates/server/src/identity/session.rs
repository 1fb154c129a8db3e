//! Browsers that have signed in: a cookie that only this server reads, and a text that only its own pages know.
//!
//! The cookie goes with every request of the browser, also with one that another site made it send (SameSite keeps most of
//! those away). Whatever changes something must therefore repeat a text in `X-CSRF-Token` that other sites cannot read. It
//! is made from the cookie, so that nothing more has to be kept.

use base64::Engine as _;
use callie_domain::Session;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;

pub const CSRF_HEADER: &str = "x-csrf-token";

/// The cookie's name. Over TLS its prefix makes browsers refuse it from anywhere but this host (RFC 6265bis §4.1.3.2).
pub fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-callie_session" } else { "callie_session" }
}

/// Sets the cookie. `None` takes it away.
pub fn set_cookie(secure: bool, value: Option<&str>) -> HeaderValue {
    cookie(cookie_name(secure), value, secure, "Strict", Session::LONGEST.as_secs())
}

/// A cookie for this host alone that no script reads.
pub(super) fn cookie(name: &str, value: Option<&str>, secure: bool, same_site: &str, age_s: u64) -> HeaderValue {
    let (value, age_s) = value.map_or(("", 0), |value| (value, age_s));
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={age_s}{secure}");
    // Names and values are letters, digits, '-' and '_'.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The value of a cookie that the browser sent.
pub(super) fn cookie_in<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// What pages of the session with this cookie repeat when they change something.
pub fn csrf(cookie: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(cookie.as_bytes()) else { return String::new() };
    mac.update(b"callie csrf 1");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; callie_session=abc; c".parse().expect("valid"));
        headers.append(header::COOKIE, "d=e".parse().expect("valid"));
        for (name, want) in [("callie_session", Some("abc")), ("d", Some("e")), ("session", None), ("c", None)] {
            assert_eq!(cookie_in(&headers, name), want, "{name}");
        }
    }

    #[test]
    fn cookies_are_set_for_this_host_alone() {
        let want = "callie_session=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800";
        assert_eq!(set_cookie(false, Some("v")), want);
        let want = "__Host-callie_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0; Secure";
        assert_eq!(set_cookie(true, None), want);
    }

    #[test]
    fn each_session_has_its_own_text() {
        assert_eq!(csrf("a"), csrf("a"));
        assert_ne!(csrf("a"), csrf("b"));
        assert_eq!(csrf("a").len(), 43);
    }
}
