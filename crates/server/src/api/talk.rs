//! `/users/{user_id}/talk`: somebody talks to a user's agent from a browser, in a call like any other.

use super::authorize::Staying;
use super::error::Problem;
use super::events::LiveMessage;
use super::extract::UserPath;
use super::openapi::{UserProblems, WebSocketProblems};
use super::state::Lines;
use super::websocket::{self, Upgrade};
use crate::exchange::{CallWords, LiveEvent, Spoken, TalkError, TalkLine};
use crate::identity::{Stay, stay::Why};
use axum::{
    extract::{
        State,
        ws::{Message, WebSocket},
    },
    response::Response,
};
use callie_domain::CallId;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, interval_at, timeout};
use utoipa::ToSchema;

/// So often a client is asked whether it is there …
const PING: Duration = Duration::from_secs(15);
/// … and one that has said nothing for so long is not.
const SILENCE: Duration = Duration::from_secs(40);
/// A call's record is complete so long after its end.
const RECORD: Duration = Duration::from_secs(10);

/// The text frames to the client. After the first they are those of the live feed (`GET /events`) for this call: `call` with
/// `answered`, `turn` (with the answer's latency), `tool_used`, `ended` and so on, and at last `call_recorded`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TalkMessage {
    /// The first one, with `"type": "talking"`: how the binary frames are to be read, both ways.
    Talking {
        #[serde(rename = "type")]
        kind: &'static str,
        #[schema(value_type = String)]
        call_id: CallId,
        /// Hertz.
        #[schema(example = 16000)]
        sample_rate: u32,
        #[schema(example = 20)]
        frame_ms: u32,
    },
    Live(Box<LiveMessage>),
}

/// The text frames of the client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TalkOrder {
    /// A key of a telephone.
    Key {
        key: char,
    },
    HangUp,
}

/// Talks to the user's agent: a WebSocket.
///
/// It is a call of its own, with the user's engine, tools, limits, recording and record (`from` is `browser`); the user needs no connected line.
/// Binary frames, both ways: mono samples of 16 bits, low byte first, at the rate of the first text frame; the client's may have any length, 20 ms are
/// best. Text frames are JSON: events to the client, `{"type": "key", "key": "1"}` and `{"type": "hang_up"}` from it. Closing hangs up.
/// It closes with 1008, and the call ends, when its key is revoked, its session ends or its token expires.
#[utoipa::path(get, path = "/users/{user_id}/talk", operation_id = "talk_to_agent", tag = "live",
    params(("user_id" = String, Path, example = "alice")),
    responses((status = 101, body = TalkMessage, description = "A WebSocket; its text frames to the client"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The user is not active"),
        (status = 429, body = Problem, content_type = "application/problem+json",
            description = "The user is at the limit of concurrent calls"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The server is stopping"),
        UserProblems, WebSocketProblems))]
pub async fn talk(
    State(lines): State<Lines>,
    UserPath(user): UserPath,
    Staying(stay): Staying,
    Upgrade(upgrade): Upgrade,
) -> Result<Response, Problem> {
    // Before the call begins, so that nothing of it is missed.
    let feed = lines.live();
    let line = lines.talk(&user, CallWords::default()).await.map_err(refused)?;
    Ok(upgrade.on_upgrade(move |socket| Talk { socket, line, feed, stay }.run()))
}

fn refused(error: TalkError) -> Problem {
    match error {
        TalkError::NoSuchUser(user) => Problem::no_such_user(user.as_str()),
        TalkError::NotActive(_) => Problem::conflict("not-active", error.to_string()),
        TalkError::TooManyCalls(_) => Problem::too_many_calls(error.to_string()),
        TalkError::ShuttingDown => Problem::unavailable(error.to_string()),
        TalkError::Internal(_) => Problem::internal(error.to_string()),
    }
}

struct Talk {
    socket: WebSocket,
    line: TalkLine,
    feed: broadcast::Receiver<Arc<LiveEvent>>,
    stay: Stay,
}

/// Why a conversation does not go on.
enum Left {
    /// The call is over.
    Call,
    /// The client is gone, or hangs up.
    Client,
    /// Who talks may not any more.
    Right(Why),
}

impl Talk {
    /// Until either side hangs up; dropping the line does.
    async fn run(mut self) {
        let (call_id, sample_rate) = (self.line.call, self.line.sample_rate_hz);
        let first = TalkMessage::Talking { kind: "talking", call_id, sample_rate, frame_ms: 20 };
        if !websocket::tell(&mut self.socket, &first).await {
            return;
        }
        let left = self.goes_on().await;
        let call = self.line.call;
        let Self { mut socket, line, mut feed, mut stay } = self;
        drop(line);
        match left {
            Left::Client => return,
            Left::Right(why) => return websocket::turn_out(&mut socket, why).await,
            // Its last events and its record are still to come.
            Left::Call => {}
        }
        let rest = async {
            while let Ok(event) = feed.recv().await {
                if is_of(call, &event) && (!tell(&mut socket, &event).await || is_record(&event)) {
                    return;
                }
            }
        };
        let why = tokio::select! {
            why = stay.over() => Some(why),
            _ = timeout(RECORD, rest) => None,
        };
        match why {
            Some(why) => websocket::turn_out(&mut socket, why).await,
            None => websocket::close(&mut socket, "the call has ended").await,
        }
    }

    async fn goes_on(&mut self) -> Left {
        let mut pings = interval_at(Instant::now() + PING, PING);
        let mut last = Instant::now();
        loop {
            let there = tokio::select! {
                samples = self.line.heard.recv() => match samples {
                    Some(samples) => websocket::play(&mut self.socket, &samples).await,
                    None => return Left::Call,
                },
                message = self.socket.recv() => {
                    last = Instant::now();
                    self.take(message).await
                }
                event = self.feed.recv() => match event {
                    Ok(event) if is_of(self.line.call, &event) => tell(&mut self.socket, &event).await,
                    Ok(_) => true,
                    Err(RecvError::Lagged(missed)) => websocket::tell(&mut self.socket, &LiveMessage::Lagged { missed }).await,
                    Err(RecvError::Closed) => false,
                },
                why = self.stay.over() => return Left::Right(why),
                _ = pings.tick() => last.elapsed() < SILENCE && websocket::send(&mut self.socket, Message::Ping("".into())).await,
            };
            if !there {
                return Left::Client;
            }
        }
    }

    /// `false` when the client is gone, or hangs up.
    async fn take(&mut self, message: Option<Result<Message, axum::Error>>) -> bool {
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                // What does not fit is older than what a telephone would still play.
                let _ = self.line.spoken.try_send(Spoken::Sound(websocket::samples(&bytes)));
                true
            }
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(TalkOrder::Key { key }) => {
                    if matches!(key, '0'..='9' | '*' | '#' | 'A'..='D') {
                        let _ = self.line.spoken.try_send(Spoken::Key(key));
                    }
                    true
                }
                Ok(TalkOrder::HangUp) => false,
                // Of a client that knows more than we do.
                Err(_) => true,
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => true,
            Some(Ok(Message::Close(_)) | Err(_)) | None => false,
        }
    }
}

async fn tell(socket: &mut WebSocket, event: &LiveEvent) -> bool {
    websocket::tell(socket, &TalkMessage::Live(Box::new(LiveMessage::from(event)))).await
}

fn is_of(call: CallId, event: &LiveEvent) -> bool {
    match event {
        LiveEvent::Call { call_id, .. } => *call_id == call,
        LiveEvent::CallRecorded { cdr } => cdr.id == call,
        _ => false,
    }
}

fn is_record(event: &LiveEvent) -> bool {
    matches!(event, LiveEvent::CallRecorded { .. })
}
