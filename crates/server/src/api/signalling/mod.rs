//! SIP as it went over the wire: `/calls/{call_id}/sip` and `…/pcap`, `/users/{user_id}/sip/trace`.
//!
//! | module | holds |
//! |---|---|
//! | [`document`] | the messages as JSON |
//! | [`ladder`] | the messages as a drawing in text (pure) |
//! | [`pcap`] | the messages as packets (pure) |

pub mod document;
mod ladder;
mod pcap;

use super::error::Problem;
use super::extract::{CallPath, Parameters, UserPath};
use super::openapi::{CallProblems, QueryProblems, StoreProblems, UserProblems};
use super::state::{Lines, Records};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use callie_domain::Faults;
use callie_domain::record::{CallEvent, CallFact};
use document::{CallSignalling, LineTrace};
use ladder::{Ladder, Mark};
use serde::Deserialize;
use utoipa::IntoParams;

/// How the messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SignallingQuery {
    /// `json`, or `text` for a ladder to be read. Without it the `Accept` header decides.
    #[param(example = "text")]
    format: Option<String>,
}

impl SignallingQuery {
    fn wants_text(&self, headers: &HeaderMap) -> Result<bool, Problem> {
        match self.format.as_deref() {
            Some("json") => Ok(false),
            Some("text") => Ok(true),
            Some(_) => Err(Faults::one("format", "must be json or text").into()),
            None => {
                let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
                Ok(accept.trim_start().starts_with("text/plain"))
            }
        }
    }
}

/// Shows the SIP messages of a call, secrets masked: who sent what to whom, when, and what was repeated.
///
/// While the call is up it grows, half a second behind the wire.
#[utoipa::path(get, path = "/calls/{call_id}/sip", operation_id = "get_call_signalling", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M"), SignallingQuery),
    responses((status = 200, content((CallSignalling = "application/json"), (String = "text/plain"))), CallProblems, QueryProblems,
        StoreProblems))]
pub async fn call(
    State(records): State<Records>,
    CallPath(id): CallPath,
    Parameters(query): Parameters<SignallingQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let as_text = query.wants_text(&headers)?;
    let cdr = records.get(id).await?.ok_or_else(|| Problem::no_such_call(&id.to_string()))?;
    let messages = records.signalling(id).await?;
    let marks = records.events(id).await?.iter().filter_map(mark).collect();
    let ladder = Ladder::new(messages, marks, Some(cdr.started_at));
    if as_text {
        let title = format!("Call {id} of {}, {:?}, from {} to {}", cdr.user_id, cdr.direction, cdr.from, cdr.to);
        return Ok(ladder.drawn(&title).into_response());
    }
    Ok(Json(CallSignalling::of(id, &ladder)).into_response())
}

/// The SIP messages of a call as packets, for Wireshark and its kin. Made up are the headers of IP, UDP and TCP, with the real
/// addresses; what went over TLS is shown as it was inside. Secrets are masked.
#[utoipa::path(get, path = "/calls/{call_id}/pcap", operation_id = "get_call_pcap", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")),
    responses((status = 200, content_type = "application/vnd.tcpdump.pcap", description = "A capture file"), CallProblems,
        StoreProblems))]
pub async fn packets(State(records): State<Records>, CallPath(id): CallPath) -> Result<Response, Problem> {
    if records.get(id).await?.is_none() {
        return Err(Problem::no_such_call(&id.to_string()));
    }
    let capture = pcap::capture(&records.signalling(id).await?);
    let disposition = format!("attachment; filename=\"{id}.pcap\"");
    let headers = [(header::CONTENT_TYPE, "application/vnd.tcpdump.pcap".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, capture).into_response())
}

/// Shows the last SIP messages of a user's line, secrets masked: its last registration, and what went wrong before it.
#[utoipa::path(get, path = "/users/{user_id}/sip/trace", operation_id = "get_line_trace", tag = "lines",
    params(("user_id" = String, Path, example = "alice"), SignallingQuery),
    responses((status = 200, content((LineTrace = "application/json"), (String = "text/plain"))),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The line is not connected"),
        UserProblems, QueryProblems))]
pub async fn line(
    State(lines): State<Lines>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<SignallingQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let as_text = query.wants_text(&headers)?;
    if lines.line(&id).is_none() {
        return Err(Problem::no_such_user(id.as_str()));
    }
    let messages = lines.line_trace(&id).ok_or_else(|| {
        Problem::conflict("not-connected", format!("the line of {id} is not connected; POST /users/{id}/sip/connect first"))
    })?;
    let ladder = Ladder::new(messages, Vec::new(), None);
    if as_text {
        return Ok(ladder.drawn(&format!("Line of {id}")).into_response());
    }
    Ok(Json(LineTrace::of(id, &ladder)).into_response())
}

/// What happened to the audio, to be read between the messages.
fn mark(event: &CallEvent) -> Option<Mark> {
    let text = match &event.fact {
        CallFact::MediaOpened { local_port, codec } => format!("audio opened on port {local_port}, {codec}"),
        CallFact::RtpLatched { address } => format!("first audio packet, from {address}"),
        CallFact::Hold { on: true } => "on hold".to_owned(),
        CallFact::Hold { on: false } => "no longer on hold".to_owned(),
        CallFact::Ended { termination } => format!("ended: {}", termination.reason.text()),
        _ => return None,
    };
    Some(Mark { at: event.at, text })
}
