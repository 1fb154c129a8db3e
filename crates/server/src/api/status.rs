//! `/admin/status`: the whole system in one document.

use super::engines::{self, EngineDocument};
use super::state::{Clock, Hooks, Lines, ServerInfo, Users};
use crate::exchange::SipCounts;
use crate::health::{Board, Status};
use crate::hooks::meters::Metered;
use crate::records::recordings::{Recordings, RecordingsState};
use axum::{Json, extract::State};
use callie_domain::registration::RegistrationState;
use callie_store::{Entry, UserView};
use serde::Serialize;
use utoipa::ToSchema;

/// The system's state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "multi_tenant_enabled": true,
    "total_users": 5,
    "connected_sip_clients": 3,
    "registered_sip_clients": 3,
    "active_calls": 1,
    "firebase_connected": false,
    "active_user_clients": ["alice", "bob", "charlie"],
    "system_status": "healthy",
    "problems": [],
    "store": "sqlite",
    "version": "0.1.0",
    "uptime_s": 3600,
    "engines": [{"name": "local", "available": true, "default": true, "detail": "the offline engine"}]
}))]
pub struct AdminStatus {
    /// Always true.
    pub multi_tenant_enabled: bool,
    pub total_users: usize,
    /// Users whose line runs: registered, or trying to be.
    pub connected_sip_clients: usize,
    pub registered_sip_clients: usize,
    pub active_calls: usize,
    /// Whether Firestore answers; false with the embedded store.
    pub firebase_connected: bool,
    /// The ids of the connected users, sorted.
    pub active_user_clients: Vec<String>,
    /// `healthy`, or `degraded` when there are `problems`.
    pub system_status: &'static str,
    /// What is amiss, for people.
    pub problems: Vec<String>,
    /// The backend of the user documents.
    pub store: &'static str,
    pub version: &'static str,
    pub uptime_s: i64,
    /// The conversation engines that a user may ask for.
    pub engines: Vec<EngineDocument>,
    pub sip: SipTraffic,
    pub webhooks: HookTraffic,
    pub recordings: RecordingsState,
}

/// What the receivers of all users were told since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookTraffic {
    /// In the queue now.
    pub waiting: i64,
    pub attempts: u64,
    pub delivered: u64,
    /// Attempts that failed and are repeated.
    pub retried: u64,
    /// After a day without success.
    pub given_up: u64,
    /// Their receiver is gone, or wants no more.
    pub dropped: u64,
    /// Attempts that were refused because the receiver is at an address that is not public.
    pub guarded: u64,
    /// Not taken into the queue, because too much of the user waited there.
    pub overflowed: u64,
}

impl HookTraffic {
    async fn of(hooks: &Hooks) -> Self {
        let counts = hooks.queue.delivery_counts().await.unwrap_or_default();
        let Metered { attempts, delivered, retried, given_up, dropped, guarded } = hooks.meters.read();
        let (waiting, overflowed) = (counts.waiting, counts.refused);
        Self { waiting, attempts, delivered, retried, given_up, dropped, guarded, overflowed }
    }
}

/// What came in by SIP since the start, and what of it was turned away.
#[derive(Debug, Serialize, ToSchema)]
pub struct SipTraffic {
    /// Open TCP and TLS connections.
    pub connections: usize,
    pub datagrams: u64,
    /// What was no SIP message.
    pub garbage: u64,
    /// Calls that wait for their ACK now.
    pub setting_up: usize,
    pub refused: RefusedDocument,
}

/// What was turned away, by reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedDocument {
    /// Messages beyond what their sender may send; dropped unread.
    pub too_many: u64,
    /// Requests of strangers to nobody; they hear what `CALLIE_SIP_STRANGERS` says.
    pub strangers: u64,
    /// Calls to a line from an address that is none of its provider's (`accept_from`).
    pub not_provider: u64,
    /// Calls for which there was no room.
    pub no_room: u64,
    /// Requests of providers that had to be refused.
    pub other: u64,
    /// Connections of strangers.
    pub connections: u64,
}

impl From<SipCounts> for SipTraffic {
    fn from(counts: SipCounts) -> Self {
        Self {
            connections: counts.connections,
            datagrams: counts.datagrams,
            garbage: counts.garbage,
            setting_up: counts.setting_up,
            refused: RefusedDocument {
                too_many: counts.refused_too_many,
                strangers: counts.refused_strangers,
                not_provider: counts.refused_not_provider,
                no_room: counts.refused_no_room,
                other: counts.refused_other,
                connections: counts.refused_connections,
            },
        }
    }
}

/// Shows how the system is.
#[utoipa::path(get, path = "/admin/status", operation_id = "get_admin_status", tag = "server", responses((status = 200, body = AdminStatus)))]
pub async fn status(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(info): State<ServerInfo>,
    State(clock): State<Clock>,
    State(hooks): State<Hooks>,
    State(health): State<Board>,
    State(recordings): State<Recordings>,
) -> Json<AdminStatus> {
    let view = users.watch().borrow().clone();
    let lines_now = count_lines(&view, &lines);
    let mut problems = lines_now.problems();
    let store_problem = users.health().await.err();
    let firebase_connected = info.store == "firestore" && store_problem.is_none();
    // The store and the lines are counted here, by themselves.
    let amiss = health.checks().into_iter().filter(|check| check.verdict.status != Status::Passed);
    let amiss = amiss.filter(|check| !matches!(check.name, "server" | "store" | "lines" | "recordings"));
    problems.extend(amiss.filter_map(|check| check.verdict.reason));
    let recordings = recordings.state();
    problems.extend(recordings.problem.as_ref().map(|problem| {
        let RecordingsState { pending_uploads, pending_deletions, .. } = recordings;
        format!("{pending_uploads} recordings are still to be uploaded and {pending_deletions} to be deleted: {problem}")
    }));
    problems.splice(0..0, store_problem.map(|error| error.to_string()));
    Json(AdminStatus {
        multi_tenant_enabled: true,
        total_users: view.users.len(),
        connected_sip_clients: lines_now.connected.len(),
        registered_sip_clients: lines_now.registered,
        active_calls: lines.active_calls().len(),
        firebase_connected,
        active_user_clients: lines_now.connected,
        system_status: if problems.is_empty() { "healthy" } else { "degraded" },
        problems,
        store: info.store,
        version: info.version,
        uptime_s: clock.now().duration_since(info.started_at).as_secs(),
        engines: engines::documents(&info),
        sip: lines.sip_counts().into(),
        webhooks: HookTraffic::of(&hooks).await,
        recordings,
    })
}

#[derive(Default)]
struct LineCount {
    connected: Vec<String>,
    registered: usize,
    refused: usize,
    retrying: usize,
    down: usize,
    faulty: usize,
}

fn count_lines(view: &UserView, lines: &Lines) -> LineCount {
    let mut count = LineCount::default();
    for (id, entry) in &view.users {
        count.faulty += usize::from(matches!(entry, Entry::Faulty { .. }));
        let Some(line) = lines.line(id).filter(|line| line.connected) else { continue };
        count.connected.push(id.to_string());
        count.down += usize::from(line.registration.alert);
        match line.registration.state {
            RegistrationState::Registered => count.registered += 1,
            RegistrationState::WrongPassword => count.refused += 1,
            RegistrationState::Retrying => count.retrying += 1,
            RegistrationState::Off | RegistrationState::Registering | RegistrationState::Unregistering => {}
        }
    }
    count.connected.sort_unstable();
    count
}

impl LineCount {
    fn problems(&self) -> Vec<String> {
        [
            (self.refused, "line", "refused by the registrar (user name or password)"),
            (self.retrying, "line", "not registered, tried again"),
            (self.down, "line", "down for long"),
            (self.faulty, "user document", "unreadable"),
        ]
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, what, how)| format!("{n} {what}{}: {how}", if n == 1 { "" } else { "s" }))
        .collect()
    }
}
