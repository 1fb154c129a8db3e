//! What every answer tells a browser: take nothing for what it is not, show us in nobody's frame, send nothing elsewhere.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::Response,
};

/// Whether this server speaks TLS itself, or is known under an https address.
#[derive(Debug, Clone, Copy)]
pub struct Secure(pub bool);

const ALWAYS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(self)"),
];
const YEAR: &str = "max-age=31536000";
/// JSON and audio load nothing.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
/// Swagger's page styles itself in place.
const DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
                    frame-ancestors 'none'";

/// Every answer of these routes has the headers.
pub fn on(router: Router, secure: Secure) -> Router {
    router.layer(middleware::from_fn_with_state(secure, headers))
}

async fn headers(State(Secure(secure)): State<Secure>, request: Request, next: Next) -> Response {
    let is_docs = request.uri().path().starts_with("/docs");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(YEAR));
    }
    // The dashboard says itself what it loads and how long it may be kept.
    let policy = if is_docs { DOCS } else { NOTHING };
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(policy));
    if !is_docs {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}
