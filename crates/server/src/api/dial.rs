//! `/users/{user_id}/call`: a call placed on a user's line.

use super::error::Problem;
use super::extract::{JsonBody, UserPath};
use super::openapi::{BodyProblems, UserProblems};
use super::state::{Lines, Users};
use crate::exchange::{CallWords, DialError, DialRequest};
use axum::{Json, extract::State, http::StatusCode};
use callie_domain::user::input::read_variables;
use callie_domain::{CallId, DialTarget, Faults, UserId};
use callie_store::UserView;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Whom to call, and what to say.
#[derive(ToSchema)]
#[schema(example = json!({"number": "+1234567890", "message": "Hello from Alice's AI assistant!"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewCall {
    /// A telephone number, an extension, or an address such as `sip:name@host`.
    number: String,
    /// Spoken instead of the greeting.
    #[schema(max_length = 2000)]
    message: Option<String>,
    /// In place of the user's, for this call.
    #[schema(max_length = 20000)]
    instructions: Option<String>,
    /// Over those of the user's `ai.variables`, for `{name}` in the message, the greeting and the instructions.
    variables: Option<BTreeMap<String, String>>,
    /// Kept with the call's record, and variables by the name `metadata.…`.
    metadata: Option<BTreeMap<String, String>>,
}

/// A call that was begun. Its course is told by GET /calls/{call_id} and GET /events.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallBegun {
    pub success: bool,
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub call_id: CallId,
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    /// As it is dialled: without visual separators.
    #[schema(example = "+1234567890")]
    pub target_number: String,
    #[schema(example = "initiated")]
    pub status: &'static str,
}

/// Calls a number on the user's line, and answers as soon as the call has begun.
#[utoipa::path(post, path = "/users/{user_id}/call", operation_id = "place_call", tag = "calls", params(("user_id" = String, Path, example = "alice")),
    request_body = NewCall,
    responses((status = 202, body = CallBegun),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The user is not active, or its line is not connected"),
        (status = 429, body = Problem, content_type = "application/problem+json",
            description = "The user is at its limit of concurrent calls"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The server is stopping"),
        UserProblems, BodyProblems))]
pub async fn dial(
    State(users): State<Users>,
    State(lines): State<Lines>,
    UserPath(user): UserPath,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<CallBegun>), Problem> {
    let view = users.watch().borrow().clone();
    check_active(&view, &user)?;
    let (target, words) = read(&body)?;
    let target_number = target.to_string();
    let call_id = lines.dial(DialRequest { user: user.clone(), target, words }).await?;
    Ok((StatusCode::ACCEPTED, Json(CallBegun { success: true, call_id, user_id: user, target_number, status: "initiated" })))
}

pub(super) fn check_active(view: &UserView, id: &UserId) -> Result<(), Problem> {
    let entry = view.users.get(id).ok_or_else(|| Problem::no_such_user(id.as_str()))?;
    if entry.usable().is_some_and(|stored| !stored.user.sip.is_active) {
        let detail =
            format!("user {id} is not active; PUT /users/{id} {{\"is_active\": true}} and POST /users/{id}/sip/connect first");
        return Err(Problem::conflict("not-active", detail));
    }
    Ok(())
}

/// All faults at once, unknown fields among them.
fn read(body: &Value) -> Result<(DialTarget, CallWords), Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    let (mut target, mut words) = (None, CallWords::default());
    for (key, value) in map {
        match key.as_str() {
            "number" => target = number(value, &mut faults),
            "message" => words.message = text(key, value, 2_000, &mut faults),
            "instructions" => words.instructions = text(key, value, 20_000, &mut faults),
            "variables" | "metadata" if value.is_null() => {}
            "variables" => words.variables = read_variables(key, value, &mut faults).unwrap_or_default(),
            "metadata" => words.metadata = read_variables(key, value, &mut faults).unwrap_or_default(),
            _ => faults.add(key, "is not a known field; known are number, message, instructions, variables and metadata"),
        }
    }
    if !map.contains_key("number") {
        faults.add("number", "is required");
    }
    match target {
        Some(target) if faults.is_empty() => Ok((target, words)),
        _ => Err(faults),
    }
}

pub(super) fn number(value: &Value, faults: &mut Faults) -> Option<DialTarget> {
    let Some(text) = value.as_str() else {
        faults.add("number", "must be a text, for example \"+1234567890\"");
        return None;
    };
    text.parse().map_err(|e: callie_domain::dial::BadDialTarget| faults.add("number", e.to_string())).ok()
}

/// Text of several lines; absent when null or blank.
pub(super) fn text(field: &str, value: &Value, most: usize, faults: &mut Faults) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let Some(text) = value.as_str().map(str::trim) else {
        faults.add(field, "must be a text");
        return None;
    };
    if text.chars().count() > most || text.chars().any(|c| c.is_control() && c != '\n') {
        faults.add(field, format!("must have at most {most} characters and no control characters"));
        return None;
    }
    (!text.is_empty()).then(|| text.to_owned())
}

impl From<DialError> for Problem {
    fn from(error: DialError) -> Self {
        let text = error.to_string();
        match error {
            DialError::NoSuchUser(id) => Self::no_such_user(id.as_str()),
            DialError::NotConnected(_) => Self::conflict("not-connected", text),
            DialError::TooManyCalls(_) => Self::too_many_calls(format!("{text}; wait for a call to end")),
            DialError::ShuttingDown => Self::unavailable(text),
            DialError::Internal(_) => Self::internal(text),
        }
    }
}
