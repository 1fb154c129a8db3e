//! `/users/{user_id}/erasures/preview`: what an erasure would delete, while it can still be thought over.

use super::LONGEST_PARTY;
use crate::api::error::Problem;
use crate::api::extract::{Parameters, UserPath};
use crate::api::openapi::{QueryProblems, StoreProblems, UserProblems};
use crate::api::state::{Lines, Users};
use crate::api::webhooks::known;
use crate::records::erasure::Eraser;
use axum::{Json, extract::State};
use callie_domain::{Faults, UserId};
use callie_store::retention::{Outlook, Which};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What to look for: one of the two.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PreviewQuery {
    /// The other side, by number or by `from` or `to` as records show it.
    #[param(example = "+4930123456")]
    party: Option<String>,
    /// True: all calls of the user.
    #[param(value_type = Option<bool>)]
    everything: Option<String>,
}

/// What would be erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasurePreview {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    /// Calls that have ended and of which something is left.
    pub calls: u64,
    /// Of them, those with a recording.
    pub recordings: u64,
    /// When the first of them ended; null without calls.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    /// Calls of the user that are up: they are erased only by a request after their end.
    pub calls_up: usize,
}

/// Counts what `POST /users/{user_id}/erasures` would delete. Nothing is changed.
#[utoipa::path(get, path = "/users/{user_id}/erasures/preview", operation_id = "preview_erasure", tag = "calls",
    params(("user_id" = String, Path, example = "alice"), PreviewQuery),
    responses((status = 200, body = ErasurePreview), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The user's document cannot be read"), UserProblems, QueryProblems, StoreProblems))]
pub async fn preview(
    State(users): State<Users>,
    State(eraser): State<Eraser>,
    State(lines): State<Lines>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<PreviewQuery>,
) -> Result<Json<ErasurePreview>, Problem> {
    known(&users, &id)?;
    let which = query.read()?;
    let Outlook { calls, recordings, oldest, newest } = eraser.outlook(&id, &which).await?;
    let calls_up = lines.active_calls().iter().filter(|call| call.user_id == id).count();
    Ok(Json(ErasurePreview { user_id: id, calls, recordings, oldest, newest, calls_up }))
}

impl PreviewQuery {
    fn read(self) -> Result<Which, Faults> {
        match (self.party.as_deref().map(str::trim), self.everything.as_deref()) {
            (Some(party), None) if (1..=LONGEST_PARTY).contains(&party.len()) => Ok(Which::WithParty(party.to_owned())),
            (None, Some("true")) => Ok(Which::All),
            (None, Some(_)) => Err(Faults::one("everything", "must be true, or left out")),
            (Some(_), None) => Err(Faults::one("party", "must be the other side's number, or its address as a record shows it")),
            _ => Err(Faults::one("party", "give party, or everything=true")),
        }
    }
}
