//! How requests are read: JSON whatever the content type says, ids out of the path, parameters out of the query.

use super::error::Problem;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{header, request::Parts},
};
use callie_domain::{CallId, Faults, UserId};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Bytes. The schemas of a user's tools are the longest that anybody sends, and the list of whom they know.
pub const BODY_LIMIT: usize = 512 * 1024;

/// A JSON body. `curl -d` calls JSON a form; the content type is therefore not looked at.
pub struct JsonBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > BODY_LIMIT) {
            return Err(Problem::too_large(BODY_LIMIT));
        }
        let bytes = read_body(request.into_body()).await?;
        if bytes.is_empty() {
            return Err(Problem::malformed_body("the body is empty; send a JSON object"));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|e| Problem::malformed_body(format!("the body is not valid JSON: {e}")))
    }
}

/// A JSON body that may be left out.
pub struct OptionalJsonBody(pub Option<Value>);

impl<S: Send + Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read_body(request.into_body()).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(None));
        }
        let read = serde_json::from_slice(&bytes).map(Some).map(Self);
        read.map_err(|e| Problem::malformed_body(format!("the body is not valid JSON: {e}")))
    }
}

async fn read_body(body: Body) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::malformed_body("the body broke off"))?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            return Err(Problem::too_large(BODY_LIMIT));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The client's `Idempotency-Key`, where it sent one.
pub struct IdempotencyKey(pub Option<String>);

/// Bytes.
const LONGEST_KEY: usize = 255;

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().map(str::trim).filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
        let key = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()));
        match key {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => {
                let problem = format!("must be 1 to {LONGEST_KEY} visible ASCII characters without spaces");
                Err(Problem::invalid(Faults::one("Idempotency-Key", problem)))
            }
        }
    }
}

/// The user named in the path. A text that cannot be an id names a user that does not exist.
pub struct UserPath(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_text(parts, state).await?;
        text.parse().map(Self).map_err(|e| Problem::not_found(format!("user {text:?} cannot exist: an id {e}")))
    }
}

/// The call named in the path.
pub struct CallPath(pub CallId);

impl<S: Send + Sync> FromRequestParts<S> for CallPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = path_text(parts, state).await?;
        text.parse().map(Self).map_err(|_| Problem::no_such_call(&text))
    }
}

impl Problem {
    pub fn no_such_call(id: &str) -> Self {
        Self::not_found(format!("there is no call {id}; GET /calls lists calls"))
    }
}

async fn path_text<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    let read = Path::<String>::from_request_parts(parts, state).await;
    read.map(|Path(text)| text).map_err(|_| Problem::not_found("the path holds characters that no id has"))
}

/// Query parameters. Unknown ones are faults when `T` denies them.
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(value)| Self(value)).map_err(|e| Problem::invalid(Faults::one("query", e.body_text())))
    }
}
