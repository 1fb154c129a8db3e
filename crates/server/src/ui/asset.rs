//! The built files. They come compressed by the build, so that no request compresses anything.

use axum::http::{HeaderMap, header};

pub type Assets = &'static [Asset];

/// What `web/dist` held when this binary was built, in order of path; empty without a dashboard.
pub const BUILT: Assets = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// Below `/dashboard/`.
    pub path: &'static str,
    pub plain: &'static [u8],
    pub brotli: Option<&'static [u8]>,
    pub gzip: Option<&'static [u8]>,
}

impl Asset {
    pub fn find(assets: Assets, path: &str) -> Option<&'static Self> {
        let at = assets.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
        assets.get(at)
    }

    /// The smallest form that the client takes, and its `Content-Encoding`.
    pub fn form(&self, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        match (self.brotli, self.gzip) {
            (Some(bytes), _) if accepts(headers, "br") => (bytes, Some("br")),
            (_, Some(bytes)) if accepts(headers, "gzip") => (bytes, Some("gzip")),
            _ => (self.plain, None),
        }
    }

    /// Its name holds a hash of what is in it.
    pub fn is_immutable(&self) -> bool {
        self.path.starts_with("assets/")
    }

    pub fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "html" => "text/html; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "json" | "webmanifest" => "application/json",
            "md" | "txt" => "text/plain; charset=utf-8",
            "woff2" => "font/woff2",
            _ => "application/octet-stream",
        }
    }
}

/// `Accept-Encoding` names this coding with a weight that is not 0 (RFC 9110 §12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let listed = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|value| value.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(coding) && !refused
    })
}
