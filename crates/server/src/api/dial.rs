//! `/users/{user_id}/call`: a call placed on a user's line, tried again by rules, and once only for a key.

use super::error::Problem;
use super::extract::{IdempotencyKey, JsonBody, UserPath};
use super::openapi::{BodyProblems, LimitProblems, UserProblems};
use super::state::{Clock, Lines, Orders, Users};
use super::words::{RetryOnWord, VoicemailWord};
use crate::exchange::{CallWords, DialError, DialRequest};
use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{AppendHeaders, IntoResponse, Response},
};
use callie_domain::retry::{self, RetryOn, RetryRules};
use callie_domain::user::input::read_variables;
use callie_domain::user::{VoicemailPolicy, VoicemailWish};
use callie_domain::{CallId, DialTarget, Faults, OrderId, UserId};
use callie_store::order::{Accepted, MOST_PENDING};
use callie_store::{NewOrder, UserView};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use utoipa::ToSchema;

/// The most characters that are said in one go, as a greeting.
pub(super) const MESSAGE: usize = 2_000;
/// On an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

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
    /// When an answering machine answers this call; as the user's settings have it without.
    #[schema(value_type = Option<VoicemailWord>)]
    voicemail: Option<String>,
    /// What is left where that is `drop`.
    #[schema(max_length = 2000)]
    voicemail_message: Option<String>,
    /// Try it again, by the same limits as a fresh call.
    retry: Option<Retry>,
}

/// When a call is tried again.
#[derive(ToSchema)]
#[schema(example = json!({"attempts": 3, "pause_s": 600, "on": ["busy", "no_answer"]}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Retry {
    /// Altogether, this one among them.
    #[schema(minimum = 2, maximum = 10)]
    attempts: u32,
    /// Seconds from the end of an attempt to the next.
    #[schema(default = 300, minimum = 10, maximum = 86400)]
    pause_s: Option<u32>,
    #[schema(value_type = Option<Vec<RetryOnWord>>, default = json!(["busy", "no_answer"]))]
    on: Option<Vec<String>>,
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
    /// Of a call with `retry`: its name in GET /users/{user_id}/calls/pending.
    #[schema(value_type = Option<String>, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
}

/// Calls a number on the user's line, and answers as soon as the call has begun.
///
/// With an `Idempotency-Key` the same request may be sent again within a day: it is one call, and the answer is the first one.
#[utoipa::path(post, path = "/users/{user_id}/call", operation_id = "place_call", tag = "calls",
    params(("user_id" = String, Path, example = "alice"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters of the client's choice")),
    request_body = NewCall,
    responses((status = 202, body = CallBegun),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "The user is not active, or its line is not connected"),
        (status = 503, body = Problem, content_type = "application/problem+json",
            description = "The server is stopping, or the store cannot be reached"),
        LimitProblems, UserProblems, BodyProblems))]
pub async fn dial(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(orders): State<Orders>,
    State(clock): State<Clock>,
    UserPath(user): UserPath,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let view = users.watch().borrow().clone();
    check_active(&view, &user)?;
    let (request, rules) = read(&body, &user, &view)?;
    let (now, number) = (clock.now(), request.target.to_string());
    let call = CallId::new(now, rand::random());
    let kept = key.is_some() || rules.is_some();
    let order = OrderId::new(now, rand::random());
    let shown = rules.as_ref().map(|_| order);
    if kept {
        let request = serde_json::to_string(&request).map_err(|e| Problem::internal(e.to_string()))?;
        let new =
            NewOrder { id: order, user_id: user.clone(), key, request, number: number.clone(), rules, call, created_at: now };
        match orders.accept(&new).await? {
            Accepted::New => {}
            Accepted::Known(known) => {
                let shown = known.rules.as_ref().map(|_| known.id);
                let begun = CallBegun::new(known.first_call, user, known.number.clone(), shown);
                return Ok((StatusCode::ACCEPTED, AppendHeaders([(REPLAYED, HeaderValue::from_static("true"))]), Json(begun))
                    .into_response());
            }
            Accepted::KeyTaken => return Err(Problem::key_taken()),
            Accepted::TooMany => {
                return Err(Problem::too_many_calls(format!(
                    "user {user} has {MOST_PENDING} pending calls; wait, or cancel some"
                )));
            }
        }
    }
    match lines.dial(DialRequest { id: Some(call), ..request }).await {
        Ok(call) => Ok((StatusCode::ACCEPTED, Json(CallBegun::new(call, user, number, shown))).into_response()),
        Err(refusal) => {
            if kept {
                orders.withdraw(order).await?;
            }
            Err(refusal.into())
        }
    }
}

impl CallBegun {
    fn new(call_id: CallId, user_id: UserId, target_number: String, order_id: Option<OrderId>) -> Self {
        Self { success: true, call_id, user_id, target_number, status: "initiated", order_id }
    }
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
fn read(body: &Value, user: &UserId, view: &UserView) -> Result<(DialRequest, Option<RetryRules>), Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    let (mut target, mut words, mut voicemail, mut rules) = (None, CallWords::default(), VoicemailWish::default(), None);
    for (key, value) in map {
        match key.as_str() {
            "number" => target = number(value, &mut faults),
            "message" => words.message = text(key, value, MESSAGE, &mut faults),
            "instructions" => words.instructions = text(key, value, 20_000, &mut faults),
            "variables" | "metadata" if value.is_null() => {}
            "variables" => words.variables = read_variables(key, value, &mut faults).unwrap_or_default(),
            "metadata" => words.metadata = read_variables(key, value, &mut faults).unwrap_or_default(),
            "voicemail" => voicemail.policy = policy(value, &mut faults),
            "voicemail_message" => voicemail.message = text(key, value, MESSAGE, &mut faults),
            "retry" => rules = retry(value, &mut faults),
            _ => faults.add(
                key,
                "is not a known field; known are number, message, instructions, variables, metadata, voicemail, \
                 voicemail_message and retry",
            ),
        }
    }
    if !map.contains_key("number") {
        faults.add("number", "is required");
    }
    let settings = view.users.get(user).and_then(|entry| entry.usable());
    let lack = settings.and_then(|stored| voicemail.over(&stored.user.calls.voicemail).lack());
    if let Some(lack) = lack.filter(|_| faults.is_empty()) {
        faults.add("voicemail_message", lack);
    }
    match target {
        Some(target) if faults.is_empty() => {
            Ok((DialRequest { words, voicemail, ..DialRequest::new(user.clone(), target) }, rules))
        }
        _ => Err(faults),
    }
}

/// Null is none.
fn retry(value: &Value, faults: &mut Faults) -> Option<RetryRules> {
    if value.is_null() {
        return None;
    }
    let Some(map) = value.as_object() else {
        faults.add("retry", "must be an object such as {\"attempts\": 3, \"pause_s\": 600, \"on\": [\"busy\", \"no_answer\"]}");
        return None;
    };
    for field in map.keys().filter(|field| !["attempts", "pause_s", "on"].contains(&field.as_str())) {
        faults.add(format!("retry.{field}"), "is not a known field; known are attempts, pause_s and on");
    }
    let attempts = whole(map, "attempts", retry::ATTEMPTS, None, faults);
    let pause_s = whole(map, "pause_s", retry::PAUSE_S, Some(retry::USUAL_PAUSE_S), faults);
    let on = outcomes(map.get("on"), faults);
    Some(RetryRules { attempts: attempts?, pause_s: pause_s?, on: on? })
}

fn whole(
    map: &Map<String, Value>,
    field: &str,
    range: RangeInclusive<u32>,
    usual: Option<u32>,
    faults: &mut Faults,
) -> Option<u32> {
    let given = map.get(field).filter(|value| !value.is_null());
    if let (None, Some(usual)) = (given, usual) {
        return Some(usual);
    }
    let value = given.and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
    if value.is_none() {
        faults.add(format!("retry.{field}"), format!("must be a whole number from {} to {}", range.start(), range.end()));
    }
    value
}

fn outcomes(value: Option<&Value>, faults: &mut Faults) -> Option<Vec<RetryOn>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Some(retry::USUAL.to_vec()) };
    let read = |item: &Value| item.as_str().and_then(|word| word.trim().parse::<RetryOn>().ok());
    let list: Option<Vec<RetryOn>> = value.as_array().and_then(|items| items.iter().map(read).collect());
    let list = list.filter(|list| !list.is_empty() && !(1..list.len()).any(|i| list[..i].contains(&list[i])));
    if list.is_none() {
        faults.add("retry.on", "must be a list of some of busy, no_answer, machine and failed, each once");
    }
    list
}

fn policy(value: &Value, faults: &mut Faults) -> Option<VoicemailPolicy> {
    let parsed = value.as_str().and_then(|text| text.trim().parse().ok());
    if parsed.is_none() && !value.is_null() {
        faults.add("voicemail", "must be talk, hang_up or drop");
    }
    parsed
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
            DialError::Limited { refusal, .. } => Self::limited(&refusal, text),
            DialError::ShuttingDown => Self::unavailable(text),
            DialError::Internal(_) => Self::internal(text),
        }
    }
}
