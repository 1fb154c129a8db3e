//! `/metrics` for Prometheus, and `/latency`: how long callers wait for answers.

use super::authorize::Viewer;
use super::error::Problem;
use super::state::Lines;
use crate::records::Metrics;
use crate::records::latency::{BOUNDS_MS, Histogram, Part};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use callie_domain::UserId;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use utoipa::{IntoParams, ToSchema};

/// Text format of Prometheus 0.0.4.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the server has counted since it began, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(metrics): State<Metrics>, State(lines): State<Lines>) -> impl IntoResponse {
    let mut text = String::new();
    let mut last = "";
    for ((name, labels), count) in metrics.counters() {
        if name != last {
            let _ = writeln!(text, "# TYPE {name} counter");
            last = name;
        }
        let _ = writeln!(text, "{name}{} {count}", braced(&labels));
    }
    let _ = writeln!(text, "# TYPE callie_calls_active gauge\ncallie_calls_active {}", lines.active_calls().len());
    let sip = lines.sip_counts();
    for (name, count) in [
        ("callie_signalling_datagrams_total", sip.datagrams),
        ("callie_signalling_garbage_total", sip.garbage),
        ("callie_signalling_refused_connections_total", sip.refused_connections),
    ] {
        let _ = writeln!(text, "# TYPE {name} counter\n{name} {count}");
    }
    let _ = writeln!(text, "# TYPE callie_answer_latency_seconds histogram");
    for (engine, parts) in metrics.latencies.by_engine(None) {
        for (part, histogram) in Part::ALL.into_iter().zip(&parts) {
            write_histogram(&mut text, &engine, part, histogram);
        }
    }
    ([(CONTENT_TYPE, FORMAT)], text)
}

// Writing to a String cannot fail.
fn write_histogram(text: &mut String, engine: &str, part: Part, histogram: &Histogram) {
    let name = "callie_answer_latency_seconds";
    let labels = [("engine", engine.to_owned()), ("part", part.as_str().to_owned())];
    let mut sum = 0;
    let bounds = BOUNDS_MS.iter().map(|ms| (f64::from(*ms) / 1_000.0).to_string()).chain(["+Inf".to_owned()]);
    for (count, bound) in histogram.counts.iter().zip(bounds) {
        sum += count;
        let labels: Vec<_> = labels.iter().cloned().chain([("le", bound)]).collect();
        let _ = writeln!(text, "{name}_bucket{} {sum}", braced(&labels));
    }
    let seconds = histogram.sum_ms as f64 / 1_000.0;
    let _ = writeln!(text, "{name}_sum{} {seconds}\n{name}_count{} {sum}", braced(&labels), braced(&labels));
}

fn braced(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let list: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", list.join(","))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LatencyQuery {
    /// Of one user; of all without it.
    #[param(value_type = Option<String>, example = "alice")]
    user_id: Option<String>,
}

/// From the caller's last voiced packet to the first audible packet of the answer, both at the RTP socket, since the server began.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatencyReport {
    pub engines: Vec<EngineLatency>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EngineLatency {
    #[schema(example = "gemini")]
    pub engine: String,
    /// Answers counted.
    pub answers: u64,
    pub total: Percentiles,
    /// Jitter buffer and chunking, until the caller's last speech was handed to the engine.
    pub ear: Percentiles,
    /// Waiting for a message to be full and for the socket, until it had left for the engine's service.
    pub uplink: Percentiles,
    /// Network, end-of-turn detection and model, until the engine gave the first audio.
    pub engine_part: Percentiles,
    /// Until it was audible on the wire.
    pub playout: Percentiles,
}

/// Milliseconds, interpolated within the buckets of `callie_answer_latency_seconds`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Percentiles {
    pub p50_ms: u32,
    pub p95_ms: u32,
    pub p99_ms: u32,
}

impl Percentiles {
    fn of(histogram: &Histogram) -> Self {
        let quantile = |share| histogram.quantile(share).unwrap_or_default();
        Self { p50_ms: quantile(0.5), p95_ms: quantile(0.95), p99_ms: quantile(0.99) }
    }
}

/// Percentiles of the answers' latency by engine, of one user or of all.
#[utoipa::path(get, path = "/latency", operation_id = "latency", tag = "calls", params(LatencyQuery),
    responses((status = 200, body = LatencyReport),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "The user id is none")))]
pub async fn latency(
    State(metrics): State<Metrics>,
    viewer: Viewer,
    Query(query): Query<LatencyQuery>,
) -> Result<Json<LatencyReport>, Problem> {
    let user: Option<UserId> = match query.user_id.as_deref() {
        Some(text) => {
            Some(text.parse().map_err(|e: callie_domain::ids::BadUserId| callie_domain::Faults::one("user_id", e.to_string()))?)
        }
        None => None,
    };
    let user = viewer.narrow(user)?;
    let engines =
        metrics.latencies.by_engine(user.as_ref()).into_iter().map(|(engine, [total, ear, uplink, engine_part, playout])| {
            let answers = total.count();
            let [total, ear, uplink, engine_part, playout] =
                [total, ear, uplink, engine_part, playout].each_ref().map(Percentiles::of);
            EngineLatency { engine, answers, total, ear, uplink, engine_part, playout }
        });
    Ok(Json(LatencyReport { engines: engines.collect() }))
}
