//! `/sms`, `/chat`, `/ai/chat`: text messages, answered in writing in the name of user `primary`.
//!
//! The chat endpoint answers where there is one, the receptionist otherwise. The answer to a text message is kept and sent to
//! nobody, as in the first version.

use super::letters::Kind;
use super::{FirstVersionApi, refusal::Refusal};
use crate::api::error::Problem;
use crate::api::extract::{BODY_LIMIT, JsonBody};
use crate::api::openapi::{BodyProblems, UserProblems};
use crate::api::state::{Clock, Users};
use axum::{Form, Json, extract::State, extract::rejection::FormRejection, http::StatusCode};
use callie_domain::record::Speaker;
use callie_domain::{Faults, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Characters of a message.
const LONGEST_TEXT: usize = 2_000;
/// Characters of a number.
const LONGEST_NUMBER: usize = 64;
/// Of a chat that names none.
const NO_NUMBER: &str = "unknown";

/// A text message, as the provider's webhook delivers it.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Sms {
    #[schema(example = "+1234567890")]
    from: Option<String>,
    #[schema(example = "Is Alice there tomorrow?", max_length = 2000)]
    text: Option<String>,
}

/// A message to the assistant.
#[derive(ToSchema)]
#[schema(example = json!({"message": "Is Alice there tomorrow?", "phone_number": "+1234567890"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ChatMessage {
    #[schema(max_length = 2000)]
    message: String,
    /// Whose message it is; messages of one number within half an hour are one conversation.
    phone_number: Option<String>,
}

/// The assistant's answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatAnswer {
    pub success: bool,
    pub response: String,
    #[schema(example = "chat-1794315900-+1234567890")]
    pub conversation_id: String,
}

/// Takes a text message. The answer is kept in /conversations, and sent to nobody.
#[utoipa::path(post, path = "/sms", operation_id = "first_version_sms", tag = "first version",
    request_body(content = Sms, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Taken; the body is empty"), UserProblems, BodyProblems))]
pub async fn sms(
    State(users): State<Users>,
    State(clock): State<Clock>,
    State(first_version): State<FirstVersionApi>,
    form: Result<Form<Sms>, FormRejection>,
) -> Result<StatusCode, Refusal> {
    let Form(Sms { from, text }) = form.map_err(unreadable)?;
    let missing = |field: &str| Refusal::missing("From and text required", &format!("{field} is required"));
    let from = given(from).ok_or_else(|| missing("from"))?;
    let text = given(text).ok_or_else(|| missing("text"))?;
    check(&[("from", &from, LONGEST_NUMBER), ("text", &text, LONGEST_TEXT)])?;
    let user = first_version.primary(&users.watch().borrow().clone())?;
    first_version.answer(&user, Kind::Sms, &from, &text, &clock).await;
    Ok(StatusCode::OK)
}

/// Answers a message in writing.
#[utoipa::path(post, path = "/chat", operation_id = "first_version_chat", tag = "first version", request_body = ChatMessage,
    responses((status = 200, body = ChatAnswer), UserProblems, BodyProblems))]
pub async fn chat(
    State(users): State<Users>,
    State(clock): State<Clock>,
    State(first_version): State<FirstVersionApi>,
    body: Result<JsonBody, Problem>,
) -> Result<Json<ChatAnswer>, Refusal> {
    let JsonBody(body) = body?;
    let text = member(&body, "message")?;
    let text = text.ok_or_else(|| Refusal::missing("Message required", "message is required: what is to be answered"))?;
    let number = member(&body, "phone_number")?.unwrap_or_else(|| NO_NUMBER.to_owned());
    check(&[("phone_number", &number, LONGEST_NUMBER), ("message", &text, LONGEST_TEXT)])?;
    let user = first_version.primary(&users.watch().borrow().clone())?;
    let (conversation_id, response) = first_version.answer(&user, Kind::Chat, &number, &text, &clock).await;
    Ok(Json(ChatAnswer { success: true, response, conversation_id }))
}

/// The same as /chat, under its older name.
#[utoipa::path(post, path = "/ai/chat", operation_id = "first_version_ai_chat", tag = "first version", request_body = ChatMessage,
    responses((status = 200, body = ChatAnswer), UserProblems, BodyProblems))]
pub async fn ai_chat(
    users: State<Users>,
    clock: State<Clock>,
    first_version: State<FirstVersionApi>,
    body: Result<JsonBody, Problem>,
) -> Result<Json<ChatAnswer>, Refusal> {
    chat(users, clock, first_version, body).await
}

impl FirstVersionApi {
    /// The id of the correspondence, and the answer.
    async fn answer(&self, user: &User, kind: Kind, number: &str, text: &str, clock: &Clock) -> (String, String) {
        let current = self.letters.received(kind, number, text, clock.now());
        let id = current.id();
        let lines: Vec<(Speaker, String)> = current.lines.into_iter().collect();
        let reply = self.scribe.answer(user, number, &lines).await;
        self.letters.answered(&id, &reply, clock.now());
        tracing::info!(user.id = %user.id, kind = kind.name(), "answered a text message; GET /conversations shows it");
        (id, reply)
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Absent when null or blank.
fn member(body: &Value, name: &str) -> Result<Option<String>, Faults> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(given(Some(text.clone()))),
        Some(_) => Err(Faults::one(name, "must be a text")),
    }
}

fn check(texts: &[(&str, &str, usize)]) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for (name, text, longest) in texts {
        if text.chars().count() > *longest || text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            faults.add(*name, format!("must have at most {longest} characters and no control characters"));
        }
    }
    faults.into_result(())
}

fn unreadable(rejection: FormRejection) -> Refusal {
    let problem = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(BODY_LIMIT),
        _ => Problem::malformed_body(format!("the body must be a form with from and text: {}", rejection.body_text())),
    };
    problem.into()
}
