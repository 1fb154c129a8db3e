//! `/calls/{call_id}/dtmf`: keys pressed in a call.

use crate::api::error::Problem;
use crate::api::extract::{CallPath, JsonBody};
use crate::api::openapi::{BodyProblems, CallProblems, StoreProblems};
use crate::api::state::{Lines, Records};
use crate::exchange::KeysError;
use axum::{Json, extract::State, http::StatusCode};
use callie_domain::{CallId, Faults};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Keys pressed at once, at most.
const MAX_KEYS: usize = 32;

/// Keys to press, one after the other.
#[derive(ToSchema)]
#[schema(example = json!({"digits": "12#"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewKeys {
    /// Of `0` to `9`, `*`, `#` and `A` to `D`.
    #[schema(min_length = 1, max_length = 32, pattern = "^[0-9*#A-Da-d]+$")]
    digits: String,
}

/// Keys that are being sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeysTaken {
    pub success: bool,
    #[schema(value_type = String)]
    pub call_id: CallId,
    #[schema(example = 3)]
    pub keys: usize,
    #[schema(example = "sending")]
    pub status: &'static str,
}

/// Presses keys in a call that is up, in the way that the user's `sip.dtmf` says.
#[utoipa::path(post, path = "/calls/{call_id}/dtmf", operation_id = "send_dtmf", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")), request_body = NewKeys,
    responses((status = 202, body = KeysTaken), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The call is not answered yet or has ended, or the other side takes no keys in the user's way"),
        CallProblems, BodyProblems, StoreProblems))]
pub async fn send(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call_id): CallPath,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<KeysTaken>), Problem> {
    let digits = read(&body)?;
    match lines.send_keys(call_id, &digits).await {
        Ok(()) => Ok((StatusCode::ACCEPTED, Json(KeysTaken { success: true, call_id, keys: digits.len(), status: "sending" }))),
        Err(KeysError::NoSuchCall) => Err(super::not_up(&records, call_id).await),
        Err(error @ KeysError::NotAKey(_)) => Err(Faults::one("digits", error.to_string()).into()),
        Err(error) => Err(Problem::conflict("keys-not-sent", error.to_string())),
    }
}

fn read(body: &Value) -> Result<String, Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    for key in map.keys().filter(|key| *key != "digits") {
        faults.add(key, "is not a known field; known is digits");
    }
    let is_key = |b: u8| b.is_ascii_digit() || matches!(b, b'*' | b'#' | b'A'..=b'D' | b'a'..=b'd');
    let digits = map.get("digits").and_then(Value::as_str).unwrap_or_default();
    if !(1..=MAX_KEYS).contains(&digits.len()) || !digits.bytes().all(is_key) {
        faults.add("digits", format!("must be a text of 1 to {MAX_KEYS} of 0 to 9, *, # and A to D"));
    }
    faults.into_result(digits.to_ascii_uppercase())
}
