//! `/calls/{call_id}/listen`: a supervisor hears both sides of a call as it goes on.

use crate::api::authorize::Staying;
use crate::api::error::Problem;
use crate::api::extract::CallPath;
use crate::api::openapi::{CallProblems, StoreProblems, WebSocketProblems};
use crate::api::state::{Lines, Records};
use crate::api::websocket::{self, Upgrade};
use crate::exchange::{ListenError, Listening};
use crate::identity::Stay;
use axum::{
    extract::{State, ws::WebSocket},
    response::Response,
};
use callie_domain::CallId;
use futures::StreamExt;
use serde::Serialize;

/// The text frames of this WebSocket.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ListenMessage {
    /// The first one: how the binary frames are to be read.
    Listening {
        #[schema(value_type = String)]
        call_id: CallId,
        /// Hertz.
        #[schema(example = 8000)]
        sample_rate: u32,
        /// Of each pair of samples.
        #[schema(value_type = [String; 2])]
        channels: [&'static str; 2],
        #[schema(example = 20)]
        frame_ms: u32,
    },
    /// The last one: the call's audio has ended.
    Ended,
}

/// Listens to a call that is up: a WebSocket.
///
/// The first frame is a text, `listening`; then each binary frame holds 20 ms of both sides: pairs of samples of 16 bits, low byte first, the other
/// side before ours. Who is slow loses frames; the call loses nothing. The call's record tells that somebody listened
/// (`listened_in`). At most four listen to one call. What the client sends is not looked at.
/// It closes with 1008 when its key is revoked, its session ends or its token expires.
#[utoipa::path(get, path = "/calls/{call_id}/listen", operation_id = "listen_to_call", tag = "live",
    params(("call_id" = String, Path, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")),
    responses((status = 101, body = ListenMessage, description = "A WebSocket; its text frames"),
        (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The call has ended, or has no audio yet"), CallProblems, StoreProblems, WebSocketProblems))]
pub async fn listen(
    State(lines): State<Lines>,
    State(records): State<Records>,
    CallPath(call_id): CallPath,
    Staying(stay): Staying,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, Problem> {
    match lines.listen(call_id).await {
        Ok(listening) => Ok(upgrade.on_upgrade(move |socket| hear(socket, call_id, listening, stay))),
        Err(ListenError::NoSuchCall) => match records.get(call_id).await? {
            Some(_) => Err(Problem::conflict("call-ended", format!("call {call_id} has ended already"))),
            None => Err(Problem::no_such_call(&call_id.to_string())),
        },
        Err(error @ ListenError::NotTalking) => Err(Problem::conflict("not-talking", error.to_string())),
    }
}

async fn hear(mut socket: WebSocket, call_id: CallId, listening: Listening, mut stay: Stay) {
    let Listening { sample_rate_hz, mut frames } = listening;
    let channels = ["caller", "agent"];
    let first = ListenMessage::Listening { call_id, sample_rate: sample_rate_hz, channels, frame_ms: 20 };
    if !websocket::tell(&mut socket, &first).await {
        return;
    }
    loop {
        tokio::select! {
            frame = frames.next() => {
                let Some(frame) = frame else { break };
                if !websocket::play(&mut socket, &frame).await {
                    return;
                }
            }
            why = stay.over() => return websocket::turn_out(&mut socket, why).await,
            message = socket.recv() => if !matches!(message, Some(Ok(_))) {
                return;
            }
        }
    }
    if websocket::tell(&mut socket, &ListenMessage::Ended).await {
        websocket::close(&mut socket, "the call's audio has ended").await;
    }
}
