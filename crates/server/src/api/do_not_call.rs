//! `/users/{user_id}/do-not-call`: whom a user's line is not to call, whoever asks for it.

use super::error::Problem;
use super::extract::{JsonBody, Parameters, UserPath};
use super::openapi::{BodyProblems, QueryProblems, StoreProblems, UserProblems};
use super::state::{Clock, Toll, Users};
use super::webhooks::known;
use axum::{Json, extract::State};
use callie_domain::{DialTarget, Faults, User, toll};
use callie_store::toll::DoNotCall;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Numbers in one request.
const MOST_AT_ONCE: usize = 1_000;
const LONGEST_NOTE: usize = 500;
const PAGE: u32 = 100;
const PAGE_LIMIT: u32 = 1_000;

/// Somebody who is not to be called.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoNotCallEntry {
    /// Whole, with its calling code, where it is a number and the user's country is known.
    #[schema(example = "+4930123456")]
    pub number: String,
    pub note: Option<String>,
    pub added_at: Timestamp,
}

/// A page of the list, by number.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoNotCallList {
    pub numbers: Vec<DoNotCallEntry>,
    /// Pass it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoNotCallChanged {
    /// How many were not there before, or were there.
    pub changed: usize,
    /// As they are on the list.
    pub numbers: Vec<String>,
}

/// Numbers to add or to remove.
#[derive(ToSchema)]
#[schema(example = json!({"numbers": ["+4930123456", "030 98765"], "note": "asked not to be called, 15 January"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct DoNotCallChange {
    /// As they may be dialled.
    #[schema(min_items = 1, max_items = 1000)]
    numbers: Vec<String>,
    /// Kept with those that are added.
    #[schema(max_length = 500)]
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DoNotCallQuery {
    /// 1 to 1000; 100 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Shows whom the line is not to call.
#[utoipa::path(get, path = "/users/{user_id}/do-not-call", operation_id = "list_do_not_call", tag = "calls",
    params(("user_id" = String, Path, example = "alice"), DoNotCallQuery),
    responses((status = 200, body = DoNotCallList), UserProblems, QueryProblems, StoreProblems))]
pub async fn list(
    State(toll): State<Toll>,
    State(users): State<Users>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<DoNotCallQuery>,
) -> Result<Json<DoNotCallList>, Problem> {
    known(&users, &id)?;
    let limit = match query.limit.map(|text| text.parse()) {
        None => PAGE,
        Some(Ok(limit)) if (1..=PAGE_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(Faults::one("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}")).into()),
    };
    let found = toll.do_not_call(&id, query.after.as_deref(), limit).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|length| length == limit);
    let next = found.last().filter(|_| is_full).map(|entry| entry.number.clone());
    let shown = |DoNotCall { number, note, added_at }: DoNotCall| DoNotCallEntry { number, note, added_at };
    Ok(Json(DoNotCallList { numbers: found.into_iter().map(shown).collect(), next }))
}

/// Adds numbers. From the next dialling on they are not called.
#[utoipa::path(post, path = "/users/{user_id}/do-not-call", operation_id = "add_do_not_call", tag = "calls",
    params(("user_id" = String, Path, example = "alice")), request_body = DoNotCallChange,
    responses((status = 200, body = DoNotCallChanged), UserProblems, BodyProblems, StoreProblems))]
pub async fn add(
    State(toll): State<Toll>,
    State(users): State<Users>,
    State(clock): State<Clock>,
    UserPath(id): UserPath,
    JsonBody(body): JsonBody,
) -> Result<Json<DoNotCallChanged>, Problem> {
    let user = known(&users, &id)?;
    let (numbers, note) = read(&user, &body)?;
    let entry = |number: &String| DoNotCall { number: number.clone(), note: note.clone(), added_at: clock.now() };
    let changed = toll.add_do_not_call(&id, &numbers.iter().map(entry).collect::<Vec<_>>()).await?;
    Ok(Json(DoNotCallChanged { changed, numbers }))
}

/// Removes numbers.
#[utoipa::path(delete, path = "/users/{user_id}/do-not-call", operation_id = "remove_do_not_call", tag = "calls",
    params(("user_id" = String, Path, example = "alice")), request_body = DoNotCallChange,
    responses((status = 200, body = DoNotCallChanged), UserProblems, BodyProblems, StoreProblems))]
pub async fn remove(
    State(toll): State<Toll>,
    State(users): State<Users>,
    UserPath(id): UserPath,
    JsonBody(body): JsonBody,
) -> Result<Json<DoNotCallChanged>, Problem> {
    let user = known(&users, &id)?;
    let (numbers, _) = read(&user, &body)?;
    let changed = toll.remove_do_not_call(&id, &numbers).await?;
    Ok(Json(DoNotCallChanged { changed, numbers }))
}

/// The numbers as they are kept, and the note.
fn read(user: &User, body: &Value) -> Result<(Vec<String>, Option<String>), Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    let mut numbers = Vec::new();
    match map.get("numbers").map(Value::as_array) {
        Some(Some(list)) if (1..=MOST_AT_ONCE).contains(&list.len()) => {
            for (index, item) in list.iter().enumerate() {
                match item.as_str().and_then(|text| text.parse::<DialTarget>().ok()) {
                    Some(target) => numbers.extend(toll::numbers_of(user, &target).into_iter().next()),
                    None => faults.add(format!("numbers[{index}]"), "must be a text that may be dialled, such as +4930123456"),
                }
            }
        }
        _ => faults.add("numbers", format!("must be a list of 1 to {MOST_AT_ONCE} numbers")),
    }
    let note = match map.get("note") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.chars().count() <= LONGEST_NOTE => Some(text.clone()),
        Some(_) => {
            faults.add("note", format!("must be a text of at most {LONGEST_NOTE} characters"));
            None
        }
    };
    for unknown in map.keys().filter(|key| !matches!(key.as_str(), "numbers" | "note")) {
        faults.add(unknown, "is not a known field; known are numbers and note");
    }
    faults.into_result((numbers, note))
}
