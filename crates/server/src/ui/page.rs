//! Requests below `/dashboard` into responses. Paths that name no file are addresses inside of the dashboard: they get its page,
//! which reads the address itself.

use super::asset::{Asset, Assets};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Nothing from elsewhere, no script and no style within the page, and no other site around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// The microphone is for talking to one's own agent; the page needs nothing else of the device.
const PERMISSIONS: &str = "microphone=(self), camera=(), geolocation=(), payment=(), usb=()";

/// For a binary that was built without the dashboard.
const NOT_BUILT: &str = "\
This callie was built without its dashboard.

To have it, with Node 20 or later, in the folder of the source:

    make web
    cargo build --release --package callie-server

The API works all the same: /docs describes it.
";

pub fn respond(assets: Assets, path: &str, headers: &HeaderMap) -> Response {
    if assets.is_empty() {
        return secured((StatusCode::NOT_FOUND, NOT_BUILT).into_response());
    }
    // An asset that is gone is an error to whoever asks for it, and must not be answered with a page.
    let found = Asset::find(assets, path).or_else(|| {
        let is_address = !path.starts_with("assets/");
        is_address.then(|| Asset::find(assets, "index.html")).flatten()
    });
    let response = found.map_or_else(
        || (StatusCode::NOT_FOUND, "There is no such file in the dashboard.\n").into_response(),
        |asset| file(asset, headers),
    );
    secured(response)
}

fn file(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let (bytes, encoding) = asset.form(headers);
    let caching = if asset.is_immutable() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = entity_tag(bytes);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes());
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(bytes).into_response() };
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, asset.content_type());
    set(header::CACHE_CONTROL, caching);
    set(header::ETAG, &tag);
    set(header::VARY, "Accept-Encoding");
    if let Some(encoding) = encoding.filter(|_| !known) {
        set(header::CONTENT_ENCODING, encoding);
    }
    response
}

fn entity_tag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let mut tag = String::from("\"");
    for byte in digest.iter().take(12) {
        // Writing to a text cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

fn secured(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
