//! The WebSocket of one session: frames in without back-pressure, messages out of an [`Outbox`]. It has no task: whoever polls
//! it drives it.

use super::{alarm::now, dial::Stream, outbox::Outbox};
use crate::EngineCause;
use bytes::Bytes;
use futures::{Sink, Stream as _};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, error::ProtocolError, protocol::CloseFrame},
};

/// Why no more frames come.
#[derive(Debug)]
pub enum Closed {
    /// The service said why, or at least that.
    ByService(Option<CloseFrame>),
    Broken(tungstenite::Error),
}

/// Of a WebSocket that broke.
pub fn cause_of(error: &tungstenite::Error) -> EngineCause {
    use tungstenite::Error::{AlreadyClosed, ConnectionClosed, Io, Protocol, Tls};
    match error {
        ConnectionClosed | AlreadyClosed | Io(_) | Tls(_) => EngineCause::ConnectionLost,
        Protocol(ProtocolError::ResetWithoutClosingHandshake) => EngineCause::ConnectionLost,
        // Frames out of order, text that is none, messages beyond all bounds.
        _ => EngineCause::ServiceFailed,
    }
}

pub struct Socket {
    stream: WebSocketStream<Stream>,
    /// Something was handed over that the socket has not taken yet.
    unflushed: bool,
    ping_is_due: bool,
}

impl Socket {
    pub fn new(stream: WebSocketStream<Stream>) -> Self {
        Self { stream, unflushed: false, ping_is_due: false }
    }

    /// So that whoever stands between us and the service does not take the connection for dead. Nobody waits for the pong:
    /// some services take half a minute for it while they talk on.
    pub fn ping(&mut self) {
        self.ping_is_due = true;
    }

    /// Sends as much of the outbox as the socket takes. One batch at most waits inside of the WebSocket.
    pub fn poll_send(&mut self, outbox: &mut Outbox, context: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        loop {
            if self.unflushed {
                ready!(Pin::new(&mut self.stream).poll_flush(context))?;
                self.unflushed = false;
            }
            if outbox.is_empty() && !self.ping_is_due {
                return Poll::Ready(Ok(()));
            }
            ready!(Pin::new(&mut self.stream).poll_ready(context))?;
            let ping = std::mem::take(&mut self.ping_is_due).then(|| Message::Ping(Bytes::new()));
            if let Some(message) = ping.or_else(|| outbox.pop(now())) {
                self.unflushed = true;
                Pin::new(&mut self.stream).start_send(message)?;
            }
        }
    }

    /// The next message, text or binary alike. Pings are answered on the way.
    pub fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Closed>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_next(context)) {
                Some(Ok(Message::Text(text))) => Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => Ok(bytes),
                Some(Ok(Message::Close(frame))) => Err(Closed::ByService(frame)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => Err(Closed::Broken(error)),
                None => Err(Closed::ByService(None)),
            });
        }
    }

    /// Says goodbye if the socket takes it at once; the rest is the kernel's.
    pub fn close(mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let _ = Pin::new(&mut self.stream).poll_close(&mut context);
    }
}
