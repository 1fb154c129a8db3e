//! Problem documents (RFC 9457): every response that is not a success is one, and names each faulty field.

use super::words::LimitWord;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use callie_domain::toll::{Limit, Refusal};
use callie_domain::{Faults, FieldFault, UserId};
use callie_store::StoreError;
use serde::Serialize;
use std::num::NonZeroU32;
use std::time::Duration;
use utoipa::ToSchema;

/// What went wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:callie:problem:invalid-fields",
    "title": "Fields are missing or faulty",
    "status": 422,
    "detail": "sip_port: must be a whole number from 1 to 65535",
    "errors": [{"field": "sip_port", "problem": "must be a whole number from 1 to 65535"}]
}))]
pub struct Problem {
    /// A name for programs; never changes for the same kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, with the remedy where there is one.
    pub detail: String,
    /// On the first version's paths: what happened, under the name that its clients look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The limit that is in the way, by its name in the user's `limits`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<LimitWord>)]
    pub limit: Option<Limit>,
    /// One entry for each faulty field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Seconds to wait, for the header `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<NonZeroU32>,
}

/// One faulty field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// As the client wrote it, for example `sip.sip_port` or `sip_port`.
    pub field: String,
    pub problem: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        let kind = format!("urn:callie:problem:{kind}");
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            error: None,
            limit: None,
            errors: Vec::new(),
            retry_after: None,
        }
    }

    pub fn malformed_body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed-body", "The body cannot be read", detail)
    }

    pub fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "missing-field", "Something is missing", detail)
    }

    pub fn foreign_origin(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign-origin", "Requests from other web sites are refused", detail)
    }

    /// Nobody is known, or what was shown does not open.
    pub fn unauthorised(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", "Show who you are", detail)
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Your role does not allow this", detail)
    }

    /// A change in a browser's session that none of our pages asked for.
    pub fn forged(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "csrf", "This change was not asked for by a page of this server", detail)
    }

    pub fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let seconds = u32::try_from(seconds).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let detail = format!("too many requests came from you: wait {seconds} s");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "You ask too often", detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    pub fn no_such_user(id: &str) -> Self {
        Self::not_found(format!("user {id} does not exist; GET /users lists all users"))
    }

    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path does not take that method", detail)
    }

    pub fn conflict(kind: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "The present state does not allow this", detail)
    }

    /// `If-Match` names another revision than the document has.
    pub fn changed_since(id: &UserId) -> Self {
        let detail = format!("user {id} is no longer at the revision of If-Match: read it again and repeat");
        Self::new(StatusCode::PRECONDITION_FAILED, "changed-since", "It was changed in the meantime", detail)
    }

    pub fn too_large(limit: usize) -> Self {
        let detail = format!("a body may have at most {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large", detail)
    }

    pub fn range_not_satisfiable() -> Self {
        let detail = "the range lies outside the file; Content-Range names its size";
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "The range cannot be served", detail)
    }

    pub fn misdirected(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", "This server does not answer under that name", detail)
    }

    pub fn invalid(faults: Faults) -> Self {
        let detail = faults.to_string();
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-fields", "Fields are missing or faulty", detail);
        problem.errors = faults.0.into_iter().map(FieldProblem::from).collect();
        problem
    }

    pub fn too_many_calls(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-calls", "A limit of calls is reached", detail)
    }

    /// A key that made an order good for one call comes with another order.
    pub fn key_taken() -> Self {
        let detail = "this Idempotency-Key was used for another call of the user: choose a new one";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The key stands for something else", detail)
    }

    /// A limit of the user: 429 where waiting helps, 403 where it does not.
    pub fn limited(refusal: &Refusal, detail: impl Into<String>) -> Self {
        let (status, kind, title) = match refusal.limit.passes() {
            true => (StatusCode::TOO_MANY_REQUESTS, "limit-reached", "A limit of the user is reached"),
            false => (StatusCode::FORBIDDEN, "not-allowed", "The user's limits do not allow this"),
        };
        Self { limit: Some(refusal.limit), ..Self::new(status, kind, title, detail) }
    }

    pub fn no_websocket() -> Self {
        let detail = "this path is a WebSocket (RFC 6455): send Connection: Upgrade, Upgrade: websocket and their like by GET";
        Self::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", "This is a WebSocket", detail)
    }

    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "A fault of this server", detail)
    }

    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible right now", detail)
    }
}

impl From<FieldFault> for FieldProblem {
    fn from(fault: FieldFault) -> Self {
        Self { field: fault.field, problem: fault.problem }
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        Self::invalid(faults)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::AlreadyExists(id) => Self::conflict("already-exists", format!("{text}; change it with PUT /users/{id}")),
            StoreError::NotFound(id) => Self::no_such_user(id.as_str()),
            StoreError::Conflict(_) => Self::conflict("changed-meanwhile", format!("{text}: read it again and repeat")),
            StoreError::Faulty { user, .. } => Self::faulty_document(&user, &text),
            StoreError::Kept { .. } => Self::conflict("given-elsewhere", text),
            StoreError::Unavailable(_) => Self::unavailable(text),
            StoreError::Setup(_) => Self::internal(text),
        }
    }
}

impl Problem {
    fn faulty_document(user: &UserId, text: &str) -> Self {
        let remedy = format!("mend it in the store, or DELETE /users/{user} and create the user anew");
        Self::conflict("faulty-document", format!("{text}; {remedy}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"callie\""));
        }
        headers.extend(retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds.get()))));
        response
    }
}

/// The answer to a path that does not exist.
pub async fn unknown_path(uri: axum::http::Uri) -> Problem {
    Problem::not_found(format!("there is nothing at {}; GET /docs describes the API", uri.path()))
}

/// Pages of the documentation that are not there.
pub async fn page_not_found(response: Response) -> Response {
    match response.status() {
        StatusCode::NOT_FOUND => Problem::not_found("there is no such page below /docs").into_response(),
        _ => response,
    }
}

/// The answer to a method that a path does not take; `Allow` names those that it takes.
pub async fn unknown_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    Problem::method_not_allowed(format!("{} does not take {method}; GET /docs describes the API", uri.path()))
}

/// The answer after a handler panicked. The panic itself was logged by the hook.
pub fn after_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::internal("the request could not be finished; the log says why").into_response()
}
