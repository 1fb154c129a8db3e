//! Which names we answer to, and that no other web site speaks through a visitor's browser.
//!
//! A browser can be made to send requests here by any web site. Two checks keep those out: where the API may be used without
//! a key the `Host` must be one of our own names (against DNS rebinding), and a request that a browser marks as coming from
//! another site is refused (against forged requests; bodies are read whatever their content type, so a plain form could carry
//! one).

use super::error::Problem;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::{IpAddr, SocketAddr};

/// The names that this server answers to.
#[derive(Debug, Clone)]
pub struct Names {
    /// The address that it really listens on.
    pub listening: SocketAddr,
    /// Host, and port where it is not the usual one, of `CALLIE_PUBLIC_URL`.
    pub public: Option<Authority>,
    /// Every other name too: where nobody gets in without proof, a foreign name that leads here brings no cookie of ours.
    pub any: bool,
}

pub async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    match check(&names, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The decision alone.
fn check(names: &Names, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = host_of(uri, headers).ok_or_else(|| Problem::misdirected("the request has no valid Host header"))?;
    let is_public = names.public.as_ref() == Some(&host);
    if !names.any && !is_public && !is_our_name(&host, names.listening) {
        let port = names.listening.port();
        return Err(Problem::misdirected(format!(
            "the Host header must be localhost:{port}, 127.0.0.1:{port} or [::1]:{port}, is {host}"
        )));
    }
    if let Some(origin) = headers.get(header::ORIGIN)
        && !is_same_origin(origin.as_bytes(), &host)
        // A proxy may have put another Host in its place.
        && !names.public.as_ref().is_some_and(|public| is_same_origin(origin.as_bytes(), public))
    {
        return Err(Problem::foreign_origin("the Origin header names another site than this server"));
    }
    if is_cross_site(headers) && !is_navigation(method, headers) {
        return Err(Problem::foreign_origin("the browser says that another site sent this request (Sec-Fetch-Site)"));
    }
    Ok(())
}

fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok()?.parse().ok(),
        (None, _) => uri.authority().cloned(),
        _ => None,
    }
}

fn is_our_name(host: &Authority, address: SocketAddr) -> bool {
    let name = host.host();
    let is_name = name.eq_ignore_ascii_case("localhost")
        || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|ip| {
            ip == address.ip() || ip == IpAddr::from([127, 0, 0, 1]) || ip == IpAddr::from(std::net::Ipv6Addr::LOCALHOST)
        });
    let is_port = host.as_str() == name || host.as_str() == format!("{name}:{}", address.port());
    is_name && is_port
}

/// A page's origin is ours when it names the very host and port that the request went to.
fn is_same_origin(origin: &[u8], host: &Authority) -> bool {
    let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    authority.is_some_and(|a| a.eq_ignore_ascii_case(host.as_str().as_bytes()))
}

fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-site").iter().any(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site"))
}

/// Somebody followed a link to us: a page is shown, the other site learns nothing and nothing changes.
fn is_navigation(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &[u8]| headers.get(name).is_some_and(|v| v.as_bytes() == value);
    method == Method::GET && is("sec-fetch-mode", b"navigate") && is("sec-fetch-dest", b"document")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, headers: &[(&str, &str)]) -> u16 {
        verdict_of(&names(None, false), method, headers)
    }

    fn names(public: Option<&str>, any: bool) -> Names {
        let public = public.map(|host| host.parse().expect("valid"));
        Names { listening: "127.0.0.1:8080".parse().expect("valid"), public, any }
    }

    fn verdict_of(names: &Names, method: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = axum::http::HeaderName::try_from(*name).expect("valid");
            map.append(name, value.parse().expect("valid"));
        }
        let method = method.parse().expect("valid");
        check(names, &method, &Uri::from_static("/users"), &map).map_or_else(|p| p.status, |()| 200)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for (host, want) in [
            ("localhost:8080", 200),
            ("LOCALHOST:8080", 200),
            ("localhost", 200),
            ("127.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("[::1]", 200),
            ("localhost:8081", 421),
            ("localhost:", 421),
            ("localhost.evil.example:8080", 421),
            ("evil.example", 421),
            ("192.168.1.5:8080", 421),
            ("127.0.0.1.evil.example", 421),
            ("0.0.0.0:8080", 421),
            ("user@localhost:8080", 421),
            ("", 421),
            ("a b", 421),
        ] {
            assert_eq!(verdict("GET", &[("host", host)]), want, "{host:?}");
        }
        assert_eq!(verdict("GET", &[]), 421, "no Host");
        assert_eq!(verdict("GET", &[("host", "localhost"), ("host", "localhost")]), 421, "two Hosts");
    }

    #[test]
    fn a_public_name_is_ours_and_a_closed_door_answers_any() {
        let (closed, open) = (names(Some("calls.example.org"), true), names(Some("calls.example.org"), false));
        for (names, host, origin, want) in [
            (&open, "calls.example.org", None, 200),
            (&open, "calls.example.org", Some("https://calls.example.org"), 200),
            (&open, "localhost:8080", Some("https://calls.example.org"), 200),
            (&open, "evil.example", None, 421),
            (&closed, "callie.internal:8080", None, 200),
            (&closed, "callie.internal:8080", Some("http://callie.internal:8080"), 200),
            (&closed, "127.0.0.1:8080", Some("https://calls.example.org"), 200),
            (&closed, "calls.example.org", Some("https://evil.example"), 403),
            (&closed, "calls.example.org", Some("https://calls.example.org.evil.example"), 403),
        ] {
            let headers: Vec<_> = [("host", host)].into_iter().chain(origin.map(|origin| ("origin", origin))).collect();
            assert_eq!(verdict_of(names, "POST", &headers), want, "{host} {origin:?}");
        }
    }

    #[test]
    fn other_sites_are_refused() {
        for (origin, want) in [
            ("http://localhost:8080", 200),
            ("http://127.0.0.1:8080", 403),
            ("http://localhost:3000", 403),
            ("http://localhost", 403),
            ("https://evil.example", 403),
            ("null", 403),
            ("", 403),
        ] {
            for method in ["GET", "POST", "DELETE"] {
                assert_eq!(verdict(method, &[("host", "localhost:8080"), ("origin", origin)]), want, "{method} {origin:?}");
            }
        }
    }

    #[test]
    fn browsers_that_say_cross_site_are_refused_save_for_links() {
        let host = ("host", "localhost:8080");
        let cross = ("sec-fetch-site", "cross-site");
        let (mode, dest) = (("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"));
        for (method, headers, want) in [
            ("GET", vec![host, cross], 403),
            ("POST", vec![host, cross], 403),
            ("POST", vec![host, cross, mode, dest], 403),
            ("GET", vec![host, cross, mode, ("sec-fetch-dest", "iframe")], 403),
            ("GET", vec![host, cross, mode, dest], 200),
            ("GET", vec![host, ("sec-fetch-site", "same-origin")], 200),
            ("GET", vec![host, ("sec-fetch-site", "none")], 200),
        ] {
            assert_eq!(verdict(method, &headers), want, "{method} {headers:?}");
        }
    }
}
