//! `/calls…`: records of calls and what was said in them, calls that are up now, and what is done to them.

pub mod document;
pub mod export;
pub mod hint;
pub mod keys;
pub mod listen;
pub mod query;
pub mod summary;
pub mod transcript;
pub mod transfer;

use super::authorize::Viewer;
use super::csv::Format;
use super::error::Problem;
use super::extract::{CallPath, Parameters};
use super::openapi::{CallProblems, QueryProblems, StoreProblems};
use super::state::{Clock, Lines, Records};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use callie_domain::CallId;
use callie_domain::record::Cdr;
use document::{ActiveCallDocument, CallDetail, ListedCall};
use jiff::Timestamp;
use query::CallQuery;
use serde::Serialize;
use std::time::Duration;
use summary::{EngineFailure, LatencySummary};
use tokio::time::Instant;
use utoipa::ToSchema;

/// A record that is not there after so long was lost with its store.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A page of calls, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallList {
    pub calls: Vec<ListedCall>,
    /// Pass it as `before` for the next page; null on the last. A search for what recent calls do not have may end a page early, even an
    /// empty one: it goes on from there.
    #[schema(value_type = Option<String>)]
    pub next: Option<CallId>,
}

/// The calls that are up now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveCalls {
    pub calls: Vec<ActiveCallDocument>,
    pub total: usize,
}

/// A call that is being ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct HangingUp {
    pub success: bool,
    #[schema(value_type = String)]
    pub call_id: CallId,
    #[schema(example = "hanging_up")]
    pub status: &'static str,
}

/// Lists calls, newest first; with `q`, those in which all its words occur.
#[utoipa::path(get, path = "/calls", operation_id = "list_calls", tag = "calls", params(CallQuery),
    responses((status = 200, content((CallList = "application/json"), (String = "text/csv"))), QueryProblems, StoreProblems))]
pub async fn list(
    State(records): State<Records>,
    viewer: Viewer,
    headers: HeaderMap,
    Parameters(query): Parameters<CallQuery>,
) -> Result<Response, Problem> {
    let (mut filter, format) = query.parse(&headers)?;
    filter.user_id = viewer.narrow(filter.user_id)?;
    if format == Format::Csv {
        return Ok(export::answer(records, filter));
    }
    let mut page = records.list(&filter).await?;
    let listed = page.calls.into_iter().map(|cdr| {
        let matches = page.matches.remove(&cdr.id).unwrap_or_default();
        ListedCall { matches: matches.into_iter().map(Into::into).collect(), call: cdr.into() }
    });
    Ok(Json(CallList { calls: listed.collect(), next: page.next }).into_response())
}

/// Lists the calls that are up now, oldest first.
#[utoipa::path(get, path = "/calls/active", operation_id = "list_active_calls", tag = "calls", responses((status = 200, body = ActiveCalls)))]
pub async fn active(State(lines): State<Lines>, viewer: Viewer) -> Json<ActiveCalls> {
    let seen = lines.active_calls().into_iter().filter(|call| viewer.only().is_none_or(|only| *only == call.user_id));
    let mut calls: Vec<ActiveCallDocument> = seen.map(Into::into).collect();
    calls.sort_unstable_by_key(|call| call.id);
    Json(ActiveCalls { total: calls.len(), calls })
}

/// Shows a call with its events and how it ended.
#[utoipa::path(get, path = "/calls/{call_id}", operation_id = "get_call", tag = "calls", params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")),
    responses((status = 200, body = CallDetail), CallProblems, StoreProblems))]
pub async fn show(
    State(records): State<Records>,
    State(lines): State<Lines>,
    State(clock): State<Clock>,
    CallPath(id): CallPath,
) -> Result<Json<CallDetail>, Problem> {
    let cdr = record(&records, &lines, &clock, id).await?;
    let events = records.events(id).await?;
    let turns = records.turns(id).await?;
    Ok(Json(CallDetail {
        call: cdr.into(),
        latency: LatencySummary::of(&turns),
        engine_failures: EngineFailure::all(&events),
        events: events.into_iter().map(Into::into).collect(),
    }))
}

/// A call that has just begun is written down a moment later, and may be over by then: that is waited for.
async fn record(records: &Records, lines: &Lines, clock: &Clock, id: CallId) -> Result<Cdr, Problem> {
    let patience = Instant::now() + WRITTEN_WITHIN;
    loop {
        let began = |at: Timestamp| clock.now().duration_since(at).unsigned_abs();
        let is_new =
            id.began_at().is_some_and(|at| began(at) < WRITTEN_WITHIN) || lines.active_calls().iter().any(|call| call.id == id);
        match records.get(id).await? {
            Some(cdr) => return Ok(cdr),
            None if is_new && Instant::now() < patience => tokio::time::sleep(LOOK_EVERY).await,
            None => return Err(Problem::no_such_call(&id.to_string())),
        }
    }
}

/// Ends a call that is up.
#[utoipa::path(post, path = "/calls/{call_id}/hangup", operation_id = "hang_up_call", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")),
    responses((status = 202, body = HangingUp), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The call has ended already"), CallProblems, StoreProblems))]
pub async fn hang_up(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call_id): CallPath,
) -> Result<(StatusCode, Json<HangingUp>), Problem> {
    if lines.hang_up(call_id).await {
        return Ok((StatusCode::ACCEPTED, Json(HangingUp { success: true, call_id, status: "hanging_up" })));
    }
    Err(not_up(&records, call_id).await)
}

/// Why an order to a call that is not up is not carried out.
async fn not_up(records: &Records, id: CallId) -> Problem {
    match records.get(id).await {
        Ok(Some(_)) => Problem::conflict("call-ended", format!("call {id} has ended already")),
        Ok(None) => Problem::no_such_call(&id.to_string()),
        Err(error) => error.into(),
    }
}
