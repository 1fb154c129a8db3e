//! WebSockets as handlers get them: bounded messages, a problem document for who asks without an upgrade, and no waiting for a
//! client that does not read. The guard before all handlers has looked at Host and Origin; browsers send both with an upgrade.

use super::error::Problem;
use axum::{
    extract::{
        FromRequestParts,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::request::Parts,
};
use serde::Serialize;
use std::time::Duration;

/// Of one message of a client: a second of audio and some.
const MESSAGE_BYTES: usize = 64 * 1024;
/// A client that has not taken a message for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request that wants to become a WebSocket.
pub struct Upgrade(pub WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match WebSocketUpgrade::from_request_parts(parts, state).await {
            Ok(upgrade) => Ok(Self(upgrade.max_message_size(MESSAGE_BYTES).max_frame_size(MESSAGE_BYTES))),
            Err(_) => Err(Problem::no_websocket()),
        }
    }
}

/// Sends within [`PATIENCE`]; `false` when the client is gone.
pub async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// A JSON object in a text frame.
pub async fn tell(socket: &mut WebSocket, value: &impl Serialize) -> bool {
    // These types have text keys only, which cannot fail to serialise.
    let text = serde_json::to_string(value).unwrap_or_default();
    send(socket, Message::Text(text.into())).await
}

/// Samples in a binary frame, 16 bits each, the low byte first.
pub async fn play(socket: &mut WebSocket, samples: &[i16]) -> bool {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    send(socket, Message::Binary(bytes.into())).await
}

/// As [`play`] writes them; a last odd byte is no sample.
pub fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

pub async fn close(socket: &mut WebSocket, reason: &'static str) {
    close_as(socket, close_code::NORMAL, reason).await;
}

/// Closes it because the client may not go on (1008, RFC 6455 §7.4.1).
pub async fn turn_out(socket: &mut WebSocket, reason: &'static str) {
    close_as(socket, close_code::POLICY, reason).await;
}

async fn close_as(socket: &mut WebSocket, code: u16, reason: &'static str) {
    send(socket, Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}
