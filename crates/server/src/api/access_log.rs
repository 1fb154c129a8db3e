//! One line for each request: method, path, status, duration. Never a query, a header or a body. And the counters of the API.

use crate::records::Metrics;
use crate::records::metrics::catalogue;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tracing::{debug, info, warn};

pub async fn access_log(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let began = std::time::Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    let duration_ms = began.elapsed().as_millis() as u64;
    metrics.count(&catalogue::HTTP_RESPONSES, &[status.as_str()], 1);
    metrics.observe(&catalogue::HTTP_DURATION, &[], began.elapsed().as_secs_f64());
    // Probes come every few seconds and say nothing new.
    if status.is_server_error() {
        warn!(%method, path, status = status.as_u16(), duration_ms, "{method} {path} failed with {}", status.as_u16());
    } else if path.starts_with("/health") {
        debug!(%method, path, status = status.as_u16(), duration_ms, "{method} {path} gave {}", status.as_u16());
    } else {
        info!(%method, path, status = status.as_u16(), duration_ms, "{method} {path} gave {}", status.as_u16());
    }
    response
}
