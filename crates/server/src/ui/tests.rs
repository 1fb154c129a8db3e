//! The dashboard's files over HTTP, with files of the test's own, so that it needs no Node.

use super::asset::{Asset, Assets};
use axum::{body::Body, http::Request};
use tower::ServiceExt;

const FILES: Assets = &[
    Asset { path: "assets/app-1a2b.js", plain: b"plain", brotli: Some(b"brotli"), gzip: Some(b"gzip") },
    Asset { path: "index.html", plain: b"the page", brotli: None, gzip: None },
];

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn get(assets: Assets, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let response = super::routes(assets).oneshot(request.body(Body::empty()).expect("valid")).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
}

#[tokio::test]
async fn addresses_inside_of_the_dashboard_get_its_page_and_lost_files_do_not() {
    for (path, status, body) in [
        ("/dashboard/", 200, "the page"),
        ("/dashboard/index.html", 200, "the page"),
        ("/dashboard/users/alice", 200, "the page"),
        ("/dashboard/assets/app-1a2b.js", 200, "plain"),
        ("/dashboard/assets/app-9999.js", 404, "There is no such file in the dashboard.\n"),
    ] {
        let answer = get(FILES, path, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
    }
    let answer = get(FILES, "/dashboard", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (308, "/dashboard/"));
}

#[tokio::test]
async fn the_smallest_form_that_the_browser_takes() {
    for (accepts, body, encoding) in [
        ("gzip, deflate, br, zstd", "brotli", "br"),
        ("br;q=0, gzip", "gzip", "gzip"),
        ("GZIP;q=0.5", "gzip", "gzip"),
        ("identity", "plain", ""),
        ("", "plain", ""),
    ] {
        let answer = get(FILES, "/dashboard/assets/app-1a2b.js", &[("accept-encoding", accepts)]).await;
        assert_eq!((answer.body.as_str(), answer.header("content-encoding")), (body, encoding), "{accepts}");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    }
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever_and_the_page_is_asked_for_again() {
    assert_eq!(
        get(FILES, "/dashboard/assets/app-1a2b.js", &[]).await.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    let page = get(FILES, "/dashboard/", &[]).await;
    assert_eq!(page.header("cache-control"), "no-cache");
    let again = get(FILES, "/dashboard/", &[("if-none-match", page.header("etag"))]).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
}

#[tokio::test]
async fn a_page_may_load_nothing_from_elsewhere_and_no_script_of_its_own_text() {
    for path in ["/dashboard/", "/dashboard/assets/app-1a2b.js", "/dashboard/assets/lost.js"] {
        let answer = get(FILES, path, &[]).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_binary_without_a_dashboard_says_how_to_have_one() {
    let answer = get(&[], "/dashboard/users", &[]).await;
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("make web"), "{}", answer.body);
}
