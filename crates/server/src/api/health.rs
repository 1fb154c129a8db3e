//! `/health…`: for probes and load balancers.

use super::FirstVersionApi;
use super::state::{Clock, Lines, Phase, Phases, ServerInfo, Users};
use axum::{Json, extract::State, http::StatusCode};
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

/// Whether calls and requests are taken, and why not.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`; `degraded` when calls are taken but the store is away; `not_ready`.
    #[schema(example = "ready")]
    pub status: &'static str,
    pub reasons: Vec<String>,
}

/// Readiness, with who answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`; `degraded` when calls are taken but the store is away; `unhealthy`.
    #[schema(example = "healthy")]
    pub status: &'static str,
    pub reasons: Vec<String>,
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
    State(users): State<Users>,
    State(phases): State<Phases>,
    State(info): State<ServerInfo>,
    State(clock): State<Clock>,
    State(lines): State<Lines>,
    State(first_version): State<FirstVersionApi>,
) -> (StatusCode, Json<Health>) {
    let (code, reasons) = readiness(&users, &phases).await;
    let status = word(code, &reasons, ["healthy", "degraded", "unhealthy"]);
    let uptime_s = clock.now().duration_since(info.started_at).as_secs();
    let calls = lines.active_calls();
    let health = Health {
        status,
        reasons,
        version: info.version,
        uptime_s,
        agent_running: phases.now() == Phase::Running,
        sip_registered: is_registered(&users, &lines, &first_version),
        active_calls: calls.len(),
        active_conversations: calls.iter().filter(|call| call.answered).count(),
    };
    (code, Json(health))
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
pub async fn ready(State(users): State<Users>, State(phases): State<Phases>) -> (StatusCode, Json<Readiness>) {
    let (code, reasons) = readiness(&users, &phases).await;
    let status = word(code, &reasons, ["ready", "degraded", "not_ready"]);
    (code, Json(Readiness { status, reasons }))
}

/// The word for: all is well, calls are taken all the same, nothing is taken.
fn word(code: StatusCode, reasons: &[String], [well, degraded, bad]: [&'static str; 3]) -> &'static str {
    match code {
        StatusCode::OK if reasons.is_empty() => well,
        StatusCode::OK => degraded,
        _ => bad,
    }
}

/// A store that is away costs no readiness: lines and calls go on with the users as they were last seen, and whoever took this
/// server out for it would turn an outage of the store into one of the telephone.
async fn readiness(users: &Users, phases: &Phases) -> (StatusCode, Vec<String>) {
    let mut reasons = Vec::new();
    match phases.now() {
        Phase::Starting => reasons.push("the server is starting".to_owned()),
        Phase::Running => {}
        Phase::Stopping => reasons.push("the server is stopping".to_owned()),
    }
    let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match tokio::time::timeout(STORE_PATIENCE, users.health()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => reasons.push(error.to_string()),
        Err(_) => reasons.push(format!("the store did not answer within {} s", STORE_PATIENCE.as_secs())),
    }
    (code, reasons)
}
