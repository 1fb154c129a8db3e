//! `/metrics` for Prometheus, and `/latency`: how long callers wait for answers.

use super::authorize::Viewer;
use super::error::Problem;
use super::health::Examiner;
use super::state::{ApiState, Clock, Hooks, Lines, ServerInfo, Users};
use crate::exchange::{MediaCounts, SipCounts};
use crate::health::{Board, Status};
use crate::hooks::meters::Metered;
use crate::records::latency::Histogram;
use crate::records::metrics::{catalogue, page::Page};
use crate::records::{Metrics, Recordings};
use crate::telemetry::Tracer;
use axum::Json;
use axum::extract::{FromRef, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use callie_domain::UserId;
use callie_domain::registration::RegistrationState;
use callie_store::Entry;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Text format of Prometheus 0.0.4.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// `VmRSS` of `/proc/self/statm` is counted in pages of this size.
const PAGE_BYTES: f64 = 4_096.0;

/// What the server has counted since it began, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(gauges): State<Gauges>, State(examiner): State<Examiner>) -> impl IntoResponse {
    // It puts on the board what is only looked at when somebody asks.
    let _ = examiner.examine().await;
    let mut page = gauges.metrics.page();
    gauges.process(&mut page);
    gauges.health(&mut page);
    gauges.lines(&mut page);
    signalling(&mut page, gauges.lines.sip_counts());
    media(&mut page, gauges.lines.media_counts());
    gauges.hooks(&mut page).await;
    gauges.recordings(&mut page);
    gauges.traces(&mut page);
    ([(CONTENT_TYPE, FORMAT)], page.text())
}

/// Where what is not counted as it happens is looked up.
#[derive(Clone)]
pub struct Gauges {
    metrics: Metrics,
    users: Users,
    lines: Lines,
    hooks: Hooks,
    board: Board,
    tracer: Tracer,
    recordings: Recordings,
    info: ServerInfo,
    clock: Clock,
}

impl FromRef<ApiState> for Gauges {
    fn from_ref(state: &ApiState) -> Self {
        Self {
            metrics: state.metrics.clone(),
            users: state.users.clone(),
            lines: state.exchange.clone(),
            hooks: state.hooks.clone(),
            board: state.health.clone(),
            tracer: state.tracer.clone(),
            recordings: state.recordings.clone(),
            info: state.info.clone(),
            clock: state.clock.clone(),
        }
    }
}

impl Gauges {
    fn process(&self, page: &mut Page) {
        page.number(&catalogue::BUILD, &[self.info.version], 1.0);
        page.number(&catalogue::STARTED, &[], self.info.started_at.as_millisecond() as f64 / 1e3);
        if let Some(bytes) = resident_bytes() {
            page.number(&catalogue::MEMORY, &[], bytes);
        }
    }

    fn health(&self, page: &mut Page) {
        for check in self.board.checks() {
            let value = match check.verdict.status {
                Status::Passed => 0.0,
                Status::Warning => 1.0,
                Status::Failed => 2.0,
            };
            page.number(&catalogue::HEALTH, &[check.name], value);
        }
        let figures = self.board.figures();
        for (metric, value) in [(&catalogue::DISK_FREE, figures.disk_free), (&catalogue::CERTIFICATE, figures.certificate_until)]
        {
            if let Some(value) = value {
                page.number(metric, &[], value);
            }
        }
    }

    fn lines(&self, page: &mut Page) {
        use RegistrationState::{Off, Registered, Registering, Retrying, Unregistering, WrongPassword};
        let view = self.users.watch().borrow().clone();
        let faulty = view.users.values().filter(|entry| matches!(entry, Entry::Faulty { .. })).count();
        page.number(&catalogue::USERS, &["good"], (view.users.len() - faulty) as f64);
        page.number(&catalogue::USERS, &["faulty"], faulty as f64);
        let lines: Vec<_> = view.users.keys().filter_map(|user| Some(self.lines.line(user)?.registration)).collect();
        for (word, state) in [
            ("off", Off),
            ("registering", Registering),
            ("registered", Registered),
            ("retrying", Retrying),
            ("wrong_password", WrongPassword),
            ("unregistering", Unregistering),
        ] {
            page.number(&catalogue::LINES, &[word], lines.iter().filter(|line| line.state == state).count() as f64);
        }
        page.number(&catalogue::LINES_DOWN, &[], lines.iter().filter(|line| line.alert).count() as f64);
        let now = self.clock.now();
        let lapses = lines.iter().filter_map(|line| Some(now.duration_since(line.down_since?).as_secs_f64()));
        page.number(&catalogue::LINES_LAPSE, &[], lapses.fold(0.0, f64::max));
        page.number(&catalogue::CALLS_ACTIVE, &[], self.lines.active_calls().len() as f64);
    }

    async fn hooks(&self, page: &mut Page) {
        let counts = self.hooks.queue.delivery_counts().await.unwrap_or_default();
        let Metered { delivered, retried, given_up, dropped, guarded, .. } = self.hooks.meters.read();
        for (outcome, count) in
            [("delivered", delivered), ("retried", retried), ("given_up", given_up), ("dropped", dropped), ("guarded", guarded)]
        {
            page.count(&catalogue::HOOK_ATTEMPTS, &[outcome], count);
        }
        page.number(&catalogue::HOOK_QUEUE, &[], counts.waiting as f64);
        page.count(&catalogue::HOOK_OVERFLOW, &[], counts.refused);
    }

    fn recordings(&self, page: &mut Page) {
        let state = self.recordings.state();
        page.number(&catalogue::RECORDING_PENDING, &["upload"], state.pending_uploads as f64);
        page.number(&catalogue::RECORDING_PENDING, &["deletion"], state.pending_deletions as f64);
        page.count(&catalogue::RECORDING_UPLOADED, &[], state.uploaded);
        page.count(&catalogue::RECORDING_FAILED, &[], state.failed_attempts);
    }

    fn traces(&self, page: &mut Page) {
        let counts = self.tracer.counts().unwrap_or_default();
        page.count(&catalogue::TRACE_EXPORTED, &[], counts.exported);
        for (reason, count) in [
            ("queue_full", counts.queue_full),
            ("refused", counts.refused),
            ("unreachable", counts.unreachable),
            ("stopped", counts.stopped),
        ] {
            page.count(&catalogue::TRACE_DROPPED, &[reason], count);
        }
        page.count(&catalogue::TRACE_MISSED, &[], counts.missed_calls);
        page.number(&catalogue::TRACE_QUEUE, &[], counts.waiting as f64);
    }
}

fn signalling(page: &mut Page, sip: SipCounts) {
    page.count(&catalogue::SIP_DATAGRAMS, &[], sip.datagrams);
    page.count(&catalogue::SIP_GARBAGE, &[], sip.garbage);
    for (reason, count) in [
        ("too_many", sip.refused_too_many),
        ("strangers", sip.refused_strangers),
        ("not_provider", sip.refused_not_provider),
        ("no_room", sip.refused_no_room),
        ("other", sip.refused_other),
    ] {
        page.count(&catalogue::SIP_REFUSED, &[reason], count);
    }
    page.count(&catalogue::SIP_REFUSED_CONNECTIONS, &[], sip.refused_connections);
    page.number(&catalogue::SIP_CONNECTIONS, &[], sip.connections as f64);
    page.number(&catalogue::SIP_SETTING_UP, &[], sip.setting_up as f64);
}

fn media(page: &mut Page, counts: MediaCounts) {
    page.count(&catalogue::MEDIA_TICKS, &[], counts.ticks);
    page.count(&catalogue::MEDIA_LATE, &[], counts.late_ticks);
    page.number(&catalogue::MEDIA_WORST, &[], counts.worst_lateness.as_secs_f64());
}

/// Where the system tells it.
fn resident_bytes() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
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
