//! `/health…`: for probes and load balancers.

use super::FirstVersionApi;
use super::state::{ApiState, Clock, Lines, Phase, Phases, ServerInfo, Users};
use crate::health::{Board, Check, Status, Verdict};
use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// How long the store may take to say that it is well.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// The process runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    #[schema(example = "alive")]
    pub status: &'static str,
}

/// One part of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckDocument {
    /// `server`, `store`, `sip`, `media`, `engines`, `lines`, `disk`, `keyring`, `certificate`.
    #[schema(example = "disk")]
    pub name: &'static str,
    /// `passed`; `warning`: calls are taken all the same; `failed`: none should come here.
    #[schema(value_type = String, example = "warning")]
    pub status: Status,
    /// Since when it is like this.
    pub since: Timestamp,
    /// What was found.
    #[schema(example = "812 MiB are free where records and recordings are kept")]
    pub reason: Option<String>,
    /// What to do about it.
    #[schema(example = "make room on the disk of CALLIE_DATA_DIR, or set calls.retention_days of users")]
    pub remedy: Option<&'static str>,
}

impl From<Check> for CheckDocument {
    fn from(Check { name, verdict: Verdict { status, reason, remedy }, since }: Check) -> Self {
        Self { name, status, since, reason, remedy }
    }
}

/// Whether calls and requests are taken, and why not.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`; `degraded` when calls are taken but something is amiss; `not_ready`.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// Of the checks that did not pass.
    pub reasons: Vec<String>,
    pub checks: Vec<CheckDocument>,
}

/// Readiness, with who answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`; `degraded` when calls are taken but something is amiss; `unhealthy`.
    #[schema(example = "healthy")]
    pub status: &'static str,
    /// Of the checks that did not pass.
    pub reasons: Vec<String>,
    pub checks: Vec<CheckDocument>,
    pub version: &'static str,
    pub uptime_s: i64,
    /// Calls are taken.
    pub agent_running: bool,
    /// Whether user `primary` is registered; where there is no such user, whether anybody is.
    pub sip_registered: bool,
    pub active_calls: usize,
    /// Calls that were answered.
    pub active_conversations: usize,
}

/// Health in one document; the status code is that of /health/ready.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "server",
    responses((status = 200, body = Health), (status = 503, body = Health, description = "Not ready; reasons say why")))]
pub async fn health(
    State(examiner): State<Examiner>,
    State(info): State<ServerInfo>,
    State(lines): State<Lines>,
    State(first_version): State<FirstVersionApi>,
) -> (StatusCode, Json<Health>) {
    let found = examiner.examine().await;
    let uptime_s = examiner.clock.now().duration_since(info.started_at).as_secs();
    let calls = lines.active_calls();
    let health = Health {
        status: found.word(["healthy", "degraded", "unhealthy"]),
        reasons: found.reasons(),
        version: info.version,
        uptime_s,
        agent_running: examiner.phases.now() == Phase::Running,
        sip_registered: is_registered(&examiner.users, &lines, &first_version),
        active_calls: calls.len(),
        active_conversations: calls.iter().filter(|call| call.answered).count(),
        checks: found.checks(),
    };
    (found.code(), Json(health))
}

fn is_registered(users: &Users, lines: &Lines, first_version: &FirstVersionApi) -> bool {
    let registered = |user| lines.line(user).is_some_and(|line| line.registration.is_registered());
    let view = users.watch().borrow().clone();
    match view.users.get_key_value(first_version.user()) {
        Some((primary, _)) => registered(primary),
        None => view.users.keys().any(registered),
    }
}

/// Whether the process runs. Restart it when this fails.
#[utoipa::path(get, path = "/health/live", operation_id = "get_liveness", tag = "server", responses((status = 200, body = Alive)))]
pub async fn live() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether the server takes calls and requests.
#[utoipa::path(get, path = "/health/ready", operation_id = "get_readiness", tag = "server",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, description = "Not ready; reasons say why")))]
pub async fn ready(State(examiner): State<Examiner>) -> (StatusCode, Json<Readiness>) {
    let found = examiner.examine().await;
    let status = found.word(["ready", "degraded", "not_ready"]);
    (found.code(), Json(Readiness { status, reasons: found.reasons(), checks: found.checks() }))
}

/// Takes what stands on the board, and looks itself at what may change from one moment to the next.
#[derive(Clone)]
pub struct Examiner {
    users: Users,
    phases: Phases,
    clock: Clock,
    board: Board,
}

impl FromRef<ApiState> for Examiner {
    fn from_ref(state: &ApiState) -> Self {
        let (users, phases, clock) = (state.users.clone(), state.phase.clone(), state.clock.clone());
        Self { users, phases, clock, board: state.health.clone() }
    }
}

impl Examiner {
    /// A store that is away costs no readiness: lines and calls go on with the users as they were last seen, and whoever took this
    /// server out for it would turn an outage of the store into one of the telephone.
    pub(super) async fn examine(&self) -> Found {
        let now = self.clock.now();
        let server = match self.phases.now() {
            Phase::Starting => Verdict::failed("the server is starting", "wait a moment"),
            Phase::Running => Verdict::PASSED,
            Phase::Stopping => Verdict::failed("the server is stopping", "start it again, or let another one take the calls"),
        };
        self.board.put("server", server, now);
        let away = |reason: String| {
            Verdict::warning(
                reason,
                "calls go on with the users as they were last seen; problems of GET /admin/status and the log say more",
            )
        };
        let store = match tokio::time::timeout(STORE_PATIENCE, self.users.health()).await {
            Ok(Ok(())) => Verdict::PASSED,
            Ok(Err(error)) => away(error.to_string()),
            Err(_) => away(format!("the store did not answer within {} s", STORE_PATIENCE.as_secs())),
        };
        self.board.put("store", store, now);
        Found(self.board.checks())
    }
}

/// All checks as they stand.
pub(super) struct Found(Vec<Check>);

impl Found {
    fn worst(&self) -> Status {
        self.0.iter().map(|check| check.verdict.status).max().unwrap_or(Status::Passed)
    }

    fn code(&self) -> StatusCode {
        match self.worst() {
            Status::Passed | Status::Warning => StatusCode::OK,
            Status::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word for: all is well, calls are taken all the same, nothing is taken.
    fn word(&self, [well, degraded, bad]: [&'static str; 3]) -> &'static str {
        match self.worst() {
            Status::Passed => well,
            Status::Warning => degraded,
            Status::Failed => bad,
        }
    }

    fn reasons(&self) -> Vec<String> {
        let amiss = self.0.iter().filter(|check| check.verdict.status != Status::Passed);
        amiss.filter_map(|check| check.verdict.reason.clone()).collect()
    }

    fn checks(&self) -> Vec<CheckDocument> {
        self.0.iter().cloned().map(Into::into).collect()
    }
}
