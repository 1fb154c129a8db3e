//! `/calls/{call_id}/recording`: the stereo WAV, whole or in ranges. It lies sealed, and is opened on its way out.

mod range;

use super::error::Problem;
use super::extract::CallPath;
use super::openapi::{CallProblems, StoreProblems};
use super::state::Records;
use crate::records::recordings::{Found, Player, RecordingFault, Recordings};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use callie_domain::CallId;
use callie_store::StoreError;
use callie_store::vault::Standing;
use futures::StreamExt as _;
use range::{Wanted, wanted};
use std::path::PathBuf;
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// Says how the recording ends.
const STATE: &str = "recording-state";

/// The recording of a call: two channels, caller left, agent right. `Range` is honoured. The header `Recording-State` says `complete`,
/// `growing` while the call is up, or `cut-short` where the end is missing: the server died, or somebody took it away. A recording that
/// was changed does not open: the answer is a problem, or ends before its time where the change lies behind the beginning.
#[utoipa::path(get, path = "/calls/{call_id}/recording", operation_id = "get_recording", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M"), ("Range" = Option<String>, Header, description = "bytes=0-1023")),
    responses((status = 200, content_type = "audio/wav", description = "The whole file"),
        (status = 206, content_type = "audio/wav", description = "The range asked for"),
        (status = 416, body = Problem, content_type = "application/problem+json", description = "The range lies outside the file"),
        CallProblems, StoreProblems))]
pub async fn recording(
    State(records): State<Records>,
    State(recordings): State<Recordings>,
    CallPath(id): CallPath,
    request: Request,
) -> Result<Response, Problem> {
    let cdr = records.get(id).await?.ok_or_else(|| Problem::no_such_call(&id.to_string()))?;
    let name = cdr.recording.ok_or_else(|| no_recording(id))?;
    match recordings.open(id, &name).await.map_err(|fault| problem(id, fault))? {
        Found::Plain(path) => plain(path, id, request).await,
        Found::Sealed(player) => {
            let state = match player.standing {
                Standing::Complete => "complete",
                Standing::Open if cdr.ended_at.is_none() => "growing",
                Standing::Open | Standing::Mended => "cut-short",
            };
            sealed(player, id, state, request.headers()).await
        }
    }
}

async fn sealed(player: Player, id: CallId, state: &'static str, asked: &HeaderMap) -> Result<Response, Problem> {
    let length = player.length();
    // We give nothing to compare with, so that whoever compares has something older (RFC 9110 §13.1.5).
    let range = asked.get(header::RANGE).filter(|_| !asked.contains_key(header::IF_RANGE)).and_then(|range| range.to_str().ok());
    let (status, part) = match wanted(range, length) {
        Wanted::Whole => (StatusCode::OK, 0..length),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Outside => return Ok(outside(HeaderValue::from_str(&format!("bytes */{length}")).ok())),
    };
    let (from, to) = (part.start, part.end);
    let pieces = player.play(part).await.map_err(|error| problem(id, error.into()))?.inspect(move |piece| {
        if let Err(error) = piece {
            tracing::error!(call.id = %id, %error, "a recording does not open to its end");
        }
    });
    let body = Body::from_stream(pieces);
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "audio/wav")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_LENGTH, to - from)
        .header(STATE, state);
    if status == StatusCode::PARTIAL_CONTENT {
        response = response.header(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", to - 1));
    }
    response.body(body).map_err(|_| Problem::internal("the recording cannot be read"))
}

/// Of an earlier version.
async fn plain(path: PathBuf, id: CallId, request: Request) -> Result<Response, Problem> {
    let Ok(response) = ServeFile::new(path).oneshot(request).await;
    match response.status() {
        StatusCode::NOT_FOUND => Err(no_recording(id)),
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(outside(response.headers().get(header::CONTENT_RANGE).cloned())),
        status if status.is_server_error() => Err(Problem::internal("the recording cannot be read")),
        _ => {
            let mut response = response.map(Body::new);
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
            Ok(response)
        }
    }
}

fn outside(size: Option<HeaderValue>) -> Response {
    let mut refused = Problem::range_not_satisfiable().into_response();
    if let Some(size) = size {
        refused.headers_mut().insert(header::CONTENT_RANGE, size);
    }
    refused
}

fn problem(id: CallId, fault: RecordingFault) -> Problem {
    match fault {
        RecordingFault::Missing => no_recording(id),
        RecordingFault::NoKey => Problem::not_found(format!("the recording of call {id} cannot be heard: {fault}")),
        RecordingFault::Store(error) => error.into(),
        RecordingFault::Bucket(fault) => StoreError::Unavailable(fault.to_string()).into(),
        RecordingFault::Format(_) | RecordingFault::Io(_) => {
            tracing::error!(call.id = %id, error = %fault, "a recording does not open");
            Problem::internal(format!("the recording of call {id} is damaged or cannot be read: {fault}"))
        }
    }
}

fn no_recording(id: CallId) -> Problem {
    Problem::not_found(format!("call {id} has no recording"))
}
