//! `/users/{user_id}/sip/connect` and `…/disconnect`: the desired state of a line.
//!
//! The wish is written into the document, so a connected user is registered again after a restart. The answer waits a moment
//! for the reconciler and the registrar, then tells where the line stands.

use super::error::Problem;
use super::extract::UserPath;
use super::openapi::{StoreProblems, UserProblems};
use super::state::{Clock, Lines, Phases, Users};
use super::users::change::change;
use super::users::document::{RegistrationDocument, SipStatus};
use super::users::revision::IfMatch;
use crate::exchange::LineStatus;
use axum::{Json, extract::State};
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::user::input::UserInput;
use callie_domain::{User, UserId};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

/// How long an answer waits for the line to settle.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often the line is looked at besides each event of the live feed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Where the line stands after the wish was written.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineAnswer {
    pub success: bool,
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    /// `connected`, `already_connected`, `disconnected` or `already_disconnected`: the wish, and whether it was new.
    #[schema(example = "connected")]
    pub status: &'static str,
    /// How it goes, for people.
    #[schema(example = "alice is registered")]
    pub message: String,
    pub registered: bool,
    pub sip_status: SipStatus,
    pub registration: RegistrationDocument,
}

/// Keeps the user's line registered from now on, also after a restart.
///
/// Answers as soon as the registrar has answered, and after three seconds at the latest. Repeating it changes nothing.
#[utoipa::path(post, path = "/users/{user_id}/sip/connect", operation_id = "connect_line", tag = "lines", params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = LineAnswer), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The user is not active"), UserProblems, StoreProblems))]
pub async fn connect(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(clock): State<Clock>,
    State(phases): State<Phases>,
    UserPath(id): UserPath,
) -> Result<Json<LineAnswer>, Problem> {
    let wished_before = wish(&users, &clock, &id, true).await?;
    let line = settled(&lines, phases, &id, |line| line.is_some_and(has_first_result)).await;
    let status = if wished_before { "already_connected" } else { "connected" };
    Ok(Json(answer(id, status, line)))
}

/// Takes the user's line down and keeps it down. Repeating it changes nothing.
#[utoipa::path(post, path = "/users/{user_id}/sip/disconnect", operation_id = "disconnect_line", tag = "lines", params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = LineAnswer), UserProblems, StoreProblems))]
pub async fn disconnect(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(clock): State<Clock>,
    State(phases): State<Phases>,
    UserPath(id): UserPath,
) -> Result<Json<LineAnswer>, Problem> {
    let wished_before = wish(&users, &clock, &id, false).await?;
    let line = settled(&lines, phases, &id, |line| line.is_none_or(|l| !l.connected)).await;
    let status = if wished_before { "already_disconnected" } else { "disconnected" };
    Ok(Json(answer(id, status, line)))
}

/// Writes the wish; tells whether it was there already.
async fn wish(users: &Users, clock: &Clock, id: &UserId, connect: bool) -> Result<bool, Problem> {
    let was_there = AtomicBool::new(false);
    change(users, id, &IfMatch::Any, |old| {
        was_there.store(old.user.sip.connect == connect, Ordering::Relaxed);
        wished(&old.user, connect, clock)
    })
    .await?;
    Ok(was_there.into_inner())
}

fn wished(old: &User, connect: bool, clock: &Clock) -> Result<User, Problem> {
    if connect && !old.sip.is_active {
        let id = &old.id;
        let detail = format!("user {id} is not active; PUT /users/{id} {{\"is_active\": true}} first");
        return Err(Problem::conflict("not-active", detail));
    }
    Ok(UserInput { connect: Some(connect), ..UserInput::default() }.apply(old, clock.now())?)
}

/// The registrar has said something, or cannot be reached for now.
fn has_first_result(line: &LineStatus) -> bool {
    use RegistrationState::{Off, Registered, Registering, Retrying, Unregistering, WrongPassword};
    match line.registration.state {
        Registered | Retrying | WrongPassword => line.connected,
        Off | Registering | Unregistering => false,
    }
}

/// Waits until the line `is_settled`, patience ends or the server stops; then tells how the line is.
async fn settled(
    lines: &Lines,
    phases: Phases,
    id: &UserId,
    is_settled: impl Fn(Option<&LineStatus>) -> bool,
) -> Option<LineStatus> {
    let mut feed = lines.live();
    let watch = async {
        while !is_settled(lines.line(id).as_ref()) {
            // Any event is a reason to look, and so is silence: the line may have changed before its event.
            match tokio::time::timeout(LOOK_AGAIN, feed.recv()).await {
                Ok(Err(RecvError::Closed)) => return,
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
            }
        }
    };
    tokio::select! {
        () = watch => {}
        () = tokio::time::sleep(PATIENCE) => {}
        () = phases.stopping() => {}
    }
    lines.line(id)
}

fn answer(user_id: UserId, status: &'static str, line: Option<LineStatus>) -> LineAnswer {
    let sip_status = SipStatus::of(line.as_ref());
    let registration = line.map_or(RegistrationStatus::OFF, |l| l.registration);
    let message = told(&user_id, &registration);
    let registered = sip_status.registered;
    LineAnswer { success: true, user_id, status, message, registered, sip_status, registration: registration.into() }
}

fn told(id: &UserId, registration: &RegistrationStatus) -> String {
    let because = registration.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    match registration.state {
        RegistrationState::Off => format!("{id} has no line"),
        RegistrationState::Registering => format!("{id} is being registered; GET /users/{id} shows how it goes"),
        RegistrationState::Registered => format!("{id} is registered"),
        RegistrationState::Retrying => format!("{id} could not be registered and is tried again{because}"),
        RegistrationState::WrongPassword => {
            format!("the registrar refuses the credentials of {id}; check sip_username and sip_password{because}")
        }
        RegistrationState::Unregistering => format!("{id} is being unregistered"),
    }
}
