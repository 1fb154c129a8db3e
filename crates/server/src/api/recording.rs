//! `/calls/{call_id}/recording`: the stereo WAV, whole or in ranges.

use super::error::Problem;
use super::extract::CallPath;
use super::openapi::{CallProblems, StoreProblems};
use super::state::{RecordingsDir, Records};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use callie_domain::CallId;
use std::path::{Component, Path, PathBuf};
use tower::ServiceExt;
use tower_http::services::ServeFile;

/// The recording of a call: two channels, caller left, agent right. `Range` is honoured.
#[utoipa::path(get, path = "/calls/{call_id}/recording", operation_id = "get_recording", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M"), ("Range" = Option<String>, Header, description = "bytes=0-1023")),
    responses((status = 200, content_type = "audio/wav", description = "The whole file"),
        (status = 206, content_type = "audio/wav", description = "The range asked for"),
        (status = 416, body = Problem, content_type = "application/problem+json", description = "The range lies outside the file"),
        CallProblems, StoreProblems))]
pub async fn recording(
    State(records): State<Records>,
    State(RecordingsDir(dir)): State<RecordingsDir>,
    CallPath(id): CallPath,
    request: Request,
) -> Result<Response, Problem> {
    let cdr = records.get(id).await?.ok_or_else(|| Problem::no_such_call(&id.to_string()))?;
    let name = cdr.recording.ok_or_else(|| no_recording(id))?;
    let path = below(&dir, &name).ok_or_else(|| no_recording(id))?;
    serve(path, id, request).await
}

async fn serve(path: PathBuf, id: CallId, request: Request) -> Result<Response, Problem> {
    let Ok(response) = ServeFile::new(path).oneshot(request).await;
    match response.status() {
        StatusCode::NOT_FOUND => Err(no_recording(id)),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let mut refused = Problem::range_not_satisfiable().into_response();
            if let Some(size) = response.headers().get(header::CONTENT_RANGE) {
                refused.headers_mut().insert(header::CONTENT_RANGE, size.clone());
            }
            Ok(refused)
        }
        status if status.is_server_error() => Err(Problem::internal("the recording cannot be read")),
        _ => {
            let mut response = response.map(Body::new);
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
            Ok(response)
        }
    }
}

/// The file's path, if its name stays below the folder.
fn below(dir: &Path, name: &str) -> Option<PathBuf> {
    let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    (is_plain && !name.is_empty()).then(|| dir.join(name))
}

fn no_recording(id: CallId) -> Problem {
    Problem::not_found(format!("call {id} has no recording"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_folder() {
        let dir = Path::new("/rec");
        for (name, want) in [
            ("a.wav", Some("/rec/a.wav")),
            ("2026/a.wav", Some("/rec/2026/a.wav")),
            ("../a.wav", None),
            ("/etc/passwd", None),
            ("x/../../a", None),
            ("", None),
        ] {
            assert_eq!(below(dir, name).as_deref(), want.map(Path::new), "{name}");
        }
    }
}
