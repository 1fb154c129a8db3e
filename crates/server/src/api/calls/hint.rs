//! `/calls/{call_id}/hint`: a supervisor's word to the agent, of which the caller hears nothing.

use crate::api::dial::{MESSAGE, text};
use crate::api::error::Problem;
use crate::api::extract::{CallPath, JsonBody};
use crate::api::openapi::{BodyProblems, CallProblems, StoreProblems};
use crate::api::state::{Lines, Records};
use crate::exchange::HintError;
use axum::{Json, extract::State, http::StatusCode};
use callie_domain::{CallId, Faults};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What the agent is to know.
#[derive(ToSchema)]
#[schema(example = json!({"text": "She is a customer of ten years: offer her the discount."}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewHint {
    #[schema(min_length = 1, max_length = 2000)]
    text: String,
}

/// The agent has been told.
#[derive(Debug, Serialize, ToSchema)]
pub struct HintTaken {
    pub success: bool,
    #[schema(value_type = String)]
    pub call_id: CallId,
    #[schema(example = "told")]
    pub status: &'static str,
}

/// Tells the agent of a call that is up something of which the caller hears nothing. It heeds it from its next words on, also in
/// another session of its service; the call's record has it (`hint_given`).
#[utoipa::path(post, path = "/calls/{call_id}/hint", operation_id = "hint_to_agent", tag = "live",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")), request_body = NewHint,
    responses((status = 202, body = HintTaken), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The call has ended, the agent is not with the caller, or its engine takes no hints (the offline one)"),
        CallProblems, BodyProblems, StoreProblems))]
pub async fn hint(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call_id): CallPath,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<HintTaken>), Problem> {
    let words = read(&body)?;
    match lines.hint(call_id, &words).await {
        Ok(()) => Ok((StatusCode::ACCEPTED, Json(HintTaken { success: true, call_id, status: "told" }))),
        Err(HintError::NoSuchCall) => Err(super::not_up(&records, call_id).await),
        Err(error) => Err(Problem::conflict("hint-not-taken", error.to_string())),
    }
}

fn read(body: &Value) -> Result<String, Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    for key in map.keys().filter(|key| *key != "text") {
        faults.add(key, "is not a known field; known is text");
    }
    let words = map.get("text").and_then(|value| text("text", value, MESSAGE, &mut faults));
    let words = words.map(|words| words.trim().to_owned()).filter(|words| !words.is_empty());
    if words.is_none() && faults.is_empty() {
        faults.add("text", "is required: what the agent is to know");
    }
    faults.into_result(words.unwrap_or_default())
}
