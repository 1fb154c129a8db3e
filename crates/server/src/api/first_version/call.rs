//! `/call`: a call placed on the line of user `primary`.

use super::{FirstVersionApi, refusal::Refusal};
use crate::api::dial;
use crate::api::error::Problem;
use crate::api::extract::JsonBody;
use crate::api::openapi::{BodyProblems, LimitProblems, UserProblems};
use crate::api::state::{Lines, Users};
use crate::exchange::{CallWords, DialRequest};
use axum::{Json, extract::State};
use callie_domain::{CallId, Faults};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Whom to call, and what to say.
#[derive(ToSchema)]
#[schema(as = FirstVersionCall, example = json!({"number": "+1234567890"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewCall {
    /// A telephone number, an extension, or an address such as `sip:name@host`.
    number: String,
    /// Spoken instead of the greeting.
    #[schema(max_length = 2000)]
    message: Option<String>,
}

/// A call that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallInitiated {
    pub success: bool,
    #[schema(example = "Call initiated to +1234567890")]
    pub message: String,
    /// As it is dialled.
    #[schema(example = "+1234567890")]
    pub target: String,
    /// Always `completed`: the request is. GET /calls/{call_id} tells of the call.
    #[schema(example = "completed")]
    pub status: &'static str,
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub call_id: CallId,
}

/// Calls a number on the line of user `primary`, and answers as soon as the call has begun.
#[utoipa::path(post, path = "/call", operation_id = "first_version_call", tag = "first version", request_body = NewCall,
    responses((status = 200, body = CallInitiated),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The user is not active, or its line is not connected"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The server is stopping"),
        LimitProblems, UserProblems, BodyProblems))]
pub async fn call(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(first_version): State<FirstVersionApi>,
    body: Result<JsonBody, Problem>,
) -> Result<Json<CallInitiated>, Refusal> {
    let view = users.watch().borrow().clone();
    let user = first_version.user().clone();
    first_version.primary(&view)?;
    dial::check_active(&view, &user)?;
    let JsonBody(body) = body?;
    // Other members were passed over by the first version, and still are.
    let mut faults = Faults::default();
    let number = body.get("number").filter(|number| number.as_str() != Some("")).filter(|number| !number.is_null());
    let number = number.ok_or_else(|| Refusal::missing("Phone number required", "number is required: whom to call"))?;
    let target = dial::number(number, &mut faults);
    let message = dial::text("message", body.get("message").unwrap_or(&Value::Null), dial::MESSAGE, &mut faults);
    let (Some(target), true) = (target, faults.is_empty()) else { return Err(faults.into()) };
    let shown = target.to_string();
    let request = DialRequest { words: CallWords::saying(message), ..DialRequest::new(user, target) };
    let call_id = lines.dial(request).await?;
    let message = format!("Call initiated to {shown}");
    Ok(Json(CallInitiated { success: true, message, target: shown, status: "completed", call_id }))
}
