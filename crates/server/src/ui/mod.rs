//! The dashboard at `/dashboard`: files of `web/dist` that `build.rs` put into the binary. It holds no data: what it shows the
//! browser asks the API for, as anybody else would.
//!
//! | module | holds |
//! |---|---|
//! | [`asset`] | the files, and which form of one a browser takes |
//! | [`page`] | requests into responses: caching, the policy of what a page may load, what is said when nothing was built |

mod asset;
mod page;
#[cfg(test)]
mod tests;

use asset::Assets;
use axum::{
    Router,
    extract::{Path, State},
    http::HeaderMap,
    response::{Redirect, Response},
    routing::get,
};

/// `/dashboard` and all below it.
pub fn router() -> Router {
    routes(asset::BUILT)
}

fn routes(assets: Assets) -> Router {
    Router::new()
        .route("/dashboard", get(|| async { Redirect::permanent("/dashboard/") }))
        .route("/dashboard/", get(entrance))
        .route("/dashboard/{*path}", get(below))
        .with_state(assets)
}

async fn entrance(State(assets): State<Assets>, headers: HeaderMap) -> Response {
    page::respond(assets, "", &headers)
}

async fn below(State(assets): State<Assets>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    page::respond(assets, &path, &headers)
}
