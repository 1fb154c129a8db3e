//! `/users/{user_id}/doctor`: a user's line examined, from the DNS to a call of the account to itself.

use super::dial::number;
use super::error::Problem;
use super::extract::{OptionalJsonBody, UserPath};
use super::openapi::{BodyProblems, UserProblems};
use super::state::{Lines, Users};
use super::words::{OutcomeWord, SubjectWord};
use crate::exchange::{ExaminationError, ExaminationRequest};
use axum::{Json, extract::State};
use callie_domain::examination::{Finding, Outcome, Report, Subject};
use callie_domain::{CallId, DialTarget, Faults, UserId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What to dial; without it the account's own name.
#[derive(ToSchema)]
#[schema(example = json!({"number": "+493012345678"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Examination {
    /// A number of this line, where the provider does not let it be called by its own name.
    number: Option<String>,
}

/// A dated report.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportDocument {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    pub examined_at: Timestamp,
    #[schema(example = 9_800)]
    pub took_ms: u64,
    /// The worst of the findings.
    #[schema(value_type = OutcomeWord)]
    pub outcome: Outcome,
    pub findings: Vec<FindingDocument>,
    /// Both ends of the call to itself: GET /calls/{call_id} has their records, /sip and /pcap their messages.
    #[schema(value_type = Vec<String>)]
    pub calls: Vec<CallId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FindingDocument {
    #[schema(value_type = SubjectWord)]
    pub subject: Subject,
    #[schema(example = "NAT")]
    pub title: &'static str,
    #[schema(value_type = OutcomeWord)]
    pub outcome: Outcome,
    /// What was seen, with its figures.
    pub text: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl From<&Report> for ReportDocument {
    fn from(report: &Report) -> Self {
        let finding = |Finding { subject, outcome, text, remedy }: &Finding| FindingDocument {
            subject: *subject,
            title: subject.title(),
            outcome: *outcome,
            text: text.clone(),
            remedy: remedy.clone(),
        };
        Self {
            user_id: report.user_id.clone(),
            examined_at: report.examined_at,
            took_ms: report.took_ms,
            outcome: report.outcome,
            findings: report.findings.iter().map(finding).collect(),
            calls: report.calls.clone(),
        }
    }
}

/// Proves the user's line: DNS, transport, registration, authentication, NAT, a call of the account to itself with audio both
/// ways, keys, hold and session timer. Answers when it is done, after about ten seconds.
#[utoipa::path(post, path = "/users/{user_id}/doctor", operation_id = "examine_line", tag = "lines", params(("user_id" = String, Path, example = "alice")),
    request_body = Option<Examination>,
    responses((status = 200, body = ReportDocument),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "An examination is under way"),
        UserProblems, BodyProblems))]
pub async fn examine(
    State(lines): State<Lines>,
    UserPath(user): UserPath,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<ReportDocument>, Problem> {
    let number = body.as_ref().map(read).transpose()?.flatten();
    let report = lines.examine(ExaminationRequest { user, number }).await?;
    Ok(Json((&*report).into()))
}

/// The latest report since the server started.
#[utoipa::path(get, path = "/users/{user_id}/doctor", operation_id = "last_report", tag = "lines", params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = ReportDocument), UserProblems))]
pub async fn report(
    State(users): State<Users>,
    State(lines): State<Lines>,
    UserPath(user): UserPath,
) -> Result<Json<ReportDocument>, Problem> {
    if !users.watch().borrow().users.contains_key(&user) {
        return Err(Problem::no_such_user(user.as_str()));
    }
    let report = lines.last_report(&user).ok_or_else(|| {
        Problem::not_found(format!("user {user} was not examined since the server started; POST /users/{user}/doctor does it"))
    })?;
    Ok(Json((&*report).into()))
}

fn read(body: &Value) -> Result<Option<DialTarget>, Faults> {
    let Some(map) = body.as_object() else { return Err(Faults::one("", "must be a JSON object")) };
    let mut faults = Faults::default();
    let mut target = None;
    for (key, value) in map {
        match (key.as_str(), value) {
            ("number", Value::Null) => {}
            ("number", value) => target = number(value, &mut faults),
            _ => faults.add(key, "is not a known field; known is number"),
        }
    }
    faults.into_result(target)
}

impl From<ExaminationError> for Problem {
    fn from(error: ExaminationError) -> Self {
        let text = error.to_string();
        match error {
            ExaminationError::NoSuchUser(id) => Self::no_such_user(id.as_str()),
            ExaminationError::UnderWay(_) => Self::conflict("examination-under-way", text),
        }
    }
}
