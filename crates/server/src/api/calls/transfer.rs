//! `/calls/{call_id}/transfer…`: handing a caller over to a human.

use crate::api::dial::{MESSAGE, text};
use crate::api::error::Problem;
use crate::api::extract::{CallPath, JsonBody};
use crate::api::openapi::{BodyProblems, CallProblems, LimitProblems, StoreProblems};
use crate::api::state::{Lines, Records};
use crate::api::words::TransferModeWord;
use crate::exchange::{TransferError, TransferOrder, TransferRequest};
use axum::{Json, extract::State, http::StatusCode};
use callie_domain::user::TransferMode;
use callie_domain::{CallId, Faults};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// To whom the caller is handed over, and how.
#[derive(ToSchema)]
#[schema(example = json!({"target": "sales", "mode": "warm", "message": "Maria wants to change her booking."}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewTransfer {
    /// The name of one of the user's transfer targets, or a telephone number, an extension, an address such as `sip:name@host`.
    target: String,
    /// That of the target, or blind, when null.
    #[schema(value_type = Option<TransferModeWord>)]
    mode: Option<String>,
    /// What the human is told first, where the agent speaks to them (warm, attended).
    #[schema(max_length = 2000)]
    message: Option<String>,
}

/// A transfer that goes on. Its course is told by GET /calls/{call_id} and GET /events: `transfer_started`,
/// `transfer_progress`, `transfer_fell_back`, and at last `transfer_completed` or `transfer_failed`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferAnswer {
    pub success: bool,
    #[schema(value_type = String)]
    pub call_id: CallId,
    /// `transferring`, `joining` or `returning`.
    #[schema(example = "transferring")]
    pub status: &'static str,
}

/// Hands the caller over to somebody else, and answers as soon as that has begun. When it comes to nothing the agent goes on
/// with the caller.
#[utoipa::path(post, path = "/calls/{call_id}/transfer", operation_id = "transfer_call", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")), request_body = NewTransfer,
    responses((status = 202, body = TransferAnswer), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The call has ended, is not answered yet, or is being handed over already"), LimitProblems,
        CallProblems, StoreProblems, BodyProblems))]
pub async fn begin(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call): CallPath,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<TransferAnswer>), Problem> {
    let order = TransferOrder::Begin(read(&body)?);
    give(&lines, &records, call, order, "transferring").await
}

/// Joins the caller and the human to whom the agent speaks (warm, attended). The human can do it too, by the key 1.
#[utoipa::path(post, path = "/calls/{call_id}/transfer/join", operation_id = "join_transfer", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")),
    responses((status = 202, body = TransferAnswer), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "No human is being spoken to"), CallProblems, StoreProblems))]
pub async fn join(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call): CallPath,
) -> Result<(StatusCode, Json<TransferAnswer>), Problem> {
    give(&lines, &records, call, TransferOrder::Join, "joining").await
}

/// Calls a transfer off: the agent returns to the caller. Too late once the provider has been asked, or the two are joined.
#[utoipa::path(post, path = "/calls/{call_id}/transfer/cancel", operation_id = "cancel_transfer", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")),
    responses((status = 202, body = TransferAnswer), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "Nothing can be called off"), CallProblems, StoreProblems))]
pub async fn cancel(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call): CallPath,
) -> Result<(StatusCode, Json<TransferAnswer>), Problem> {
    give(&lines, &records, call, TransferOrder::Cancel, "returning").await
}

async fn give(
    lines: &Lines,
    records: &Records,
    call_id: CallId,
    order: TransferOrder,
    status: &'static str,
) -> Result<(StatusCode, Json<TransferAnswer>), Problem> {
    match lines.transfer(call_id, order).await {
        Ok(()) => Ok((StatusCode::ACCEPTED, Json(TransferAnswer { success: true, call_id, status }))),
        Err(TransferError::NoSuchCall) => Err(super::not_up(records, call_id).await),
        Err(TransferError::Limited(refusal)) => Err(Problem::limited(&refusal, refusal.to_string())),
        Err(error @ TransferError::NoSuchTarget(_)) => Err(Faults::one("target", error.to_string()).into()),
        Err(error) => Err(Problem::conflict("transfer", error.to_string())),
    }
}

/// All faults at once, unknown fields among them.
fn read(body: &Value) -> Result<TransferRequest, Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    let (mut target, mut mode, mut message) = (None, None, None);
    for (key, value) in map {
        match key.as_str() {
            "target" => target = named(value, &mut faults),
            "mode" => mode = read_mode(value, &mut faults),
            "message" => message = text(key, value, MESSAGE, &mut faults),
            _ => faults.add(key, "is not a known field; known are target, mode and message"),
        }
    }
    if !map.contains_key("target") {
        faults.add("target", "is required");
    }
    match target {
        Some(target) if faults.is_empty() => Ok(TransferRequest { target, mode, message }),
        _ => Err(faults),
    }
}

/// Whether it can be reached is the call's to say.
fn named(value: &Value, faults: &mut Faults) -> Option<String> {
    let text = value.as_str().map(str::trim).filter(|text| (1..=256).contains(&text.len()));
    if text.is_none() {
        faults.add("target", "must be a name or a number, for example \"+1234567890\"");
    }
    text.map(str::to_owned)
}

fn read_mode(value: &Value, faults: &mut Faults) -> Option<TransferMode> {
    if value.is_null() {
        return None;
    }
    let mode = value.as_str().and_then(|text| text.parse().ok());
    if mode.is_none() {
        faults.add("mode", "must be blind, warm or attended");
    }
    mode
}
