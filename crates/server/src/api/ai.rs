//! `/users/{user_id}/ai/check`: whether a user's engine takes key, model and voice, by a real session.

use super::error::Problem;
use super::extract::UserPath;
use super::openapi::{StoreProblems, UserProblems};
use super::state::{Lines, Users};
use super::words::EngineWord;
use crate::exchange::{EngineCheck, EngineFault};
use axum::{Json, extract::State};
use callie_domain::UserId;
use serde::Serialize;
use utoipa::ToSchema;

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct EngineCheckDocument {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    /// A call could be held now.
    pub ok: bool,
    /// The engine that would talk.
    #[schema(value_type = EngineWord, example = "gemini")]
    pub engine: &'static str,
    /// The user's, or else the server's; null where the engine has none to choose.
    #[schema(example = "gemini-3.8-live")]
    pub model: Option<String>,
    /// The user's; null where the engine chooses.
    #[schema(example = "Kore")]
    pub voice: Option<String>,
    /// Why it is not the engine that the user asks for.
    pub warning: Option<String>,
    /// `key_refused`, `model_unknown`, `quota_exceeded`, `setup_refused`, `unreachable` and the like, as in call records; null
    /// when it is ok, as are the next two.
    #[schema(example = "model_unknown")]
    pub cause: Option<&'static str>,
    /// The service's own words.
    pub detail: Option<String>,
    /// What to do about it.
    pub remedy: Option<&'static str>,
    /// Until the session was set up, or refused.
    #[schema(example = 410)]
    pub took_ms: u64,
}

/// Opens a session of the user's engine as for a call, with its model, voice, language, instructions and tools, and hangs up at once.
///
/// Answers within 15 seconds. A session of a service that costs money is opened: the service may charge for it.
#[utoipa::path(post, path = "/users/{user_id}/ai/check", operation_id = "check_engine", tag = "users", params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = EngineCheckDocument), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The user's document cannot be read"), UserProblems, StoreProblems))]
pub async fn check(
    State(users): State<Users>,
    State(lines): State<Lines>,
    UserPath(id): UserPath,
) -> Result<Json<EngineCheckDocument>, Problem> {
    let stored = users.get(&id).await?.ok_or_else(|| Problem::no_such_user(id.as_str()))?;
    let EngineCheck { engine, model, voice, warning, fault, took } = lines.check_engine(&stored.user).await;
    let ok = fault.is_none();
    let (cause, detail, remedy) = match fault {
        Some(EngineFault { cause, detail, remedy }) => (Some(cause), Some(detail), Some(remedy)),
        None => (None, None, None),
    };
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Ok(Json(EngineCheckDocument { user_id: id, ok, engine, model, voice, warning, cause, detail, remedy, took_ms }))
}
