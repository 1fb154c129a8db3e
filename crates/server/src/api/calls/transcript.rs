//! `/calls/{call_id}/transcript`: who said what, and how long the caller waited for each answer.

use crate::api::error::Problem;
use crate::api::extract::{CallPath, Parameters};
use crate::api::openapi::{CallProblems, QueryProblems, StoreProblems};
use crate::api::state::Records;
use crate::api::words::SpeakerWord;
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use callie_domain::record::{Speaker, Turn, TurnLatency};
use callie_domain::{CallId, Faults};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use utoipa::{IntoParams, ToSchema};

/// What was said in a call, in the order in which the turns began. While the call is up it grows.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transcript {
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub call_id: CallId,
    pub turns: Vec<TurnDocument>,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TurnDocument {
    /// Counts from 0.
    pub index: u32,
    #[schema(value_type = SpeakerWord)]
    pub speaker: Speaker,
    /// Milliseconds since the call began, as is `ended_ms`.
    #[schema(example = 4210)]
    pub started_ms: u64,
    #[schema(example = 6380)]
    pub ended_ms: u64,
    /// Empty when the engine gave no words.
    #[schema(example = "My boiler is leaking.")]
    pub text: String,
    /// The other side spoke over it, and it was cut short.
    pub interrupted: bool,
    /// Of an answer to the caller.
    pub latency: Option<LatencyDocument>,
}

/// From the end of the caller's speech to the first audible packet of the answer, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct LatencyDocument {
    /// The sum of the parts.
    #[schema(example = 720)]
    pub total_ms: u32,
    /// Until the speech had been handed to the engine: jitter buffer and chunking.
    #[schema(example = 40)]
    pub ear_ms: u32,
    /// Until it had left for the engine's service: waiting for a message to be full, and for the socket to take it. In records of
    /// before it is in the engine's part.
    #[schema(example = 20)]
    pub uplink_ms: u32,
    /// Until the engine gave the first audio: network, end of turn, model.
    #[schema(example = 640)]
    pub engine_ms: u32,
    /// Until it was audible on the wire.
    #[schema(example = 20)]
    pub playout_ms: u32,
}

/// How the transcript is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TranscriptQuery {
    /// `json`, or `text` for one line a turn: `00:04 caller: My boiler is leaking.`
    #[param(example = "json")]
    format: Option<String>,
}

/// Tells who said what in a call.
#[utoipa::path(get, path = "/calls/{call_id}/transcript", operation_id = "get_transcript", tag = "calls",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M"), TranscriptQuery),
    responses((status = 200, content((Transcript = "application/json"), (String = "text/plain"))), CallProblems, QueryProblems,
        StoreProblems))]
pub async fn transcript(
    State(records): State<Records>,
    CallPath(call_id): CallPath,
    Parameters(query): Parameters<TranscriptQuery>,
) -> Result<Response, Problem> {
    let as_text = match query.format.as_deref() {
        None | Some("json") => false,
        Some("text") => true,
        Some(_) => return Err(Faults::one("format", "must be json or text").into()),
    };
    if records.get(call_id).await?.is_none() {
        return Err(Problem::no_such_call(&call_id.to_string()));
    }
    let turns = records.turns(call_id).await?;
    if as_text {
        return Ok(lines(&turns).into_response());
    }
    let turns = turns.into_iter().map(Into::into).collect();
    Ok(Json(Transcript { call_id, turns }).into_response())
}

/// One line a turn, whatever line breaks and control characters there are in it.
fn lines(turns: &[Turn]) -> String {
    let mut text = String::new();
    for turn in turns {
        let (minutes, seconds) = (turn.started_ms / 60_000, turn.started_ms / 1_000 % 60);
        let speaker = match turn.speaker {
            Speaker::Caller => "caller",
            Speaker::Agent => "agent",
        };
        let mark = if turn.interrupted { " [interrupted]" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{minutes:02}:{seconds:02} {speaker}: {}{mark}", in_one_line(&turn.text));
    }
    text
}

fn in_one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    if line.is_empty() { "(no words)".to_owned() } else { line }
}

impl From<Turn> for TurnDocument {
    fn from(turn: Turn) -> Self {
        let Turn { index, speaker, started_ms, ended_ms, text, interrupted, latency } = turn;
        Self { index, speaker, started_ms, ended_ms, text, interrupted, latency: latency.map(Into::into) }
    }
}

impl From<TurnLatency> for LatencyDocument {
    fn from(TurnLatency { total_ms, ear_ms, uplink_ms, engine_ms, playout_ms }: TurnLatency) -> Self {
        Self { total_ms, ear_ms, uplink_ms, engine_ms, playout_ms }
    }
}
