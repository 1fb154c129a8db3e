//! What each operation asks of whoever wants it. One table: an operation that is not in it is refused to everybody, and a test
//! compares it with the description of the API.

use axum::http::Method;
use callie_domain::Need::{self, Admin, AnyRole, Narrowed, Nobody, Operator, OwnCall, OwnUser};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Operations with their needs, by path.
pub const TABLE: &[(&str, &[(&str, Need)])] = &[
    ("/", &[("GET", Nobody)]),
    ("/health", &[("GET", Nobody)]),
    ("/health/live", &[("GET", Nobody)]),
    ("/health/ready", &[("GET", Nobody)]),
    ("/session", &[("GET", Nobody), ("POST", Nobody), ("DELETE", Nobody)]),
    ("/session/oidc", &[("GET", Nobody)]),
    ("/session/oidc/callback", &[("GET", Nobody)]),
    ("/presets", &[("GET", AnyRole)]),
    ("/engines", &[("GET", AnyRole)]),
    ("/users", &[("GET", Narrowed), ("POST", Operator)]),
    ("/users/{user_id}", &[("GET", OwnUser), ("PUT", OwnUser), ("DELETE", Operator)]),
    ("/users/{user_id}/ai/check", &[("POST", OwnUser)]),
    ("/users/{user_id}/analytics", &[("GET", OwnUser)]),
    ("/users/{user_id}/call", &[("POST", OwnUser)]),
    ("/users/{user_id}/calls/pending", &[("GET", OwnUser)]),
    ("/users/{user_id}/calls/pending/{order_id}", &[("DELETE", OwnUser)]),
    ("/users/{user_id}/contacts", &[("GET", OwnUser), ("PUT", OwnUser)]),
    ("/users/{user_id}/costs", &[("GET", OwnUser)]),
    ("/users/{user_id}/do-not-call", &[("GET", OwnUser), ("POST", OwnUser), ("DELETE", OwnUser)]),
    ("/users/{user_id}/doctor", &[("GET", OwnUser), ("POST", OwnUser)]),
    ("/users/{user_id}/erasures", &[("GET", OwnUser), ("POST", OwnUser)]),
    ("/users/{user_id}/erasures/preview", &[("GET", OwnUser)]),
    ("/users/{user_id}/sip/connect", &[("POST", OwnUser)]),
    ("/users/{user_id}/sip/disconnect", &[("POST", OwnUser)]),
    ("/users/{user_id}/sip/trace", &[("GET", OwnUser)]),
    ("/users/{user_id}/talk", &[("GET", OwnUser)]),
    ("/users/{user_id}/versions", &[("GET", OwnUser)]),
    ("/users/{user_id}/versions/{version}", &[("GET", OwnUser)]),
    ("/users/{user_id}/webhooks/deliveries", &[("GET", OwnUser)]),
    ("/users/{user_id}/webhooks/deliveries/{delivery_id}", &[("GET", OwnUser)]),
    ("/users/{user_id}/webhooks/deliveries/{delivery_id}/resend", &[("POST", OwnUser)]),
    ("/users/{user_id}/webhooks/test", &[("POST", OwnUser)]),
    ("/calls", &[("GET", Narrowed)]),
    ("/calls/active", &[("GET", Narrowed)]),
    ("/calls/{call_id}", &[("GET", OwnCall)]),
    ("/calls/{call_id}/dtmf", &[("POST", OwnCall)]),
    ("/calls/{call_id}/hangup", &[("POST", OwnCall)]),
    ("/calls/{call_id}/hint", &[("POST", OwnCall)]),
    ("/calls/{call_id}/listen", &[("GET", OwnCall)]),
    ("/calls/{call_id}/pcap", &[("GET", OwnCall)]),
    ("/calls/{call_id}/recording", &[("GET", OwnCall)]),
    ("/calls/{call_id}/sip", &[("GET", OwnCall)]),
    ("/calls/{call_id}/transcript", &[("GET", OwnCall)]),
    ("/calls/{call_id}/transfer", &[("POST", OwnCall)]),
    ("/calls/{call_id}/transfer/cancel", &[("POST", OwnCall)]),
    ("/calls/{call_id}/transfer/join", &[("POST", OwnCall)]),
    ("/latency", &[("GET", Narrowed)]),
    ("/analytics", &[("GET", Narrowed)]),
    ("/events", &[("GET", Narrowed)]),
    ("/metrics", &[("GET", Operator)]),
    ("/admin/status", &[("GET", Operator)]),
    ("/keys", &[("GET", Admin), ("POST", Admin)]),
    ("/keys/{key_id}", &[("DELETE", Admin)]),
    ("/audit", &[("GET", Admin)]),
    // The first version knew one line and nobody else.
    ("/call", &[("POST", Operator)]),
    ("/conversations", &[("GET", Operator)]),
    ("/stats", &[("GET", Operator)]),
    ("/info", &[("GET", Operator)]),
    ("/tools", &[("GET", Operator)]),
    ("/sms", &[("POST", Operator)]),
    ("/chat", &[("POST", Operator)]),
    ("/ai/chat", &[("POST", Operator)]),
];

/// Pages that are the same for everybody, whatever stands behind the rest of their path.
const PAGES: [&str; 3] = ["/docs", "/openapi.json", "/dashboard"];

/// Who hears these hears what people said: each access is in the audit, though nothing changes.
const LISTENING: [&str; 2] = ["/calls/{call_id}/recording", "/calls/{call_id}/listen"];

/// What begins with a GET because browsers open WebSockets with one, and is done all the same.
const DOING: [&str; 1] = ["/users/{user_id}/talk"];

/// What an operation needs. `path`: as it is declared, with its parameters in braces; `None` where nothing is.
pub fn need(method: &Method, path: Option<&str>) -> Option<Need> {
    static NEEDS: LazyLock<HashMap<(&str, &str), Need>> = LazyLock::new(|| {
        let rows = TABLE.iter().flat_map(|(path, needs)| needs.iter().map(move |(method, need)| ((*path, *method), *need)));
        rows.collect()
    });
    // That there is nothing is told to those who are known.
    let Some(path) = path else { return Some(AnyRole) };
    let is_page = |page: &str| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if PAGES.into_iter().any(is_page) {
        return Some(Nobody);
    }
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let known = || TABLE.iter().any(|(declared, _)| *declared == path);
    // A method that a path does not take is told to those who are known, too.
    NEEDS.get(&(path, method)).copied().or_else(|| known().then_some(AnyRole))
}

/// Whether the operation is written into the audit.
pub fn is_audited(method: &Method, path: &str) -> bool {
    !method.is_safe() || LISTENING.contains(&path) || DOING.contains(&path)
}

/// Whether somebody hears what people said; without its entry in the audit it is refused.
pub fn is_listening(path: &str) -> bool {
    LISTENING.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods() {
        for (method, path, want) in [
            (Method::GET, Some("/users"), Some(Narrowed)),
            (Method::HEAD, Some("/users"), Some(Narrowed)),
            (Method::POST, Some("/users"), Some(Operator)),
            (Method::PATCH, Some("/users"), Some(AnyRole)),
            (Method::GET, Some("/docs/{*rest}"), Some(Nobody)),
            (Method::GET, Some("/dashboard"), Some(Nobody)),
            (Method::GET, Some("/dashboards"), None),
            (Method::GET, Some("/brand/new"), None),
            (Method::GET, None, Some(AnyRole)),
        ] {
            assert_eq!(need(&method, path), want, "{method} {path:?}");
        }
        for path in LISTENING.iter().chain(&DOING) {
            assert!(is_audited(&Method::GET, path) && need(&Method::GET, Some(path)).is_some(), "{path} is an operation");
        }
    }
}
