//! The socket of a session: whole messages in and out, and the ways in which it behaves badly.

use super::event::Reply;
use super::record::{Closed, Session};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

/// How long a client may take to answer a close.
const CLOSING: Duration = Duration::from_secs(1);

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client has gone; the record says how.
    Left,
    /// The fake closes.
    Closes(u16, String),
    /// The fake goes without a word.
    Dropped,
}

pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    session: Session,
    pub stalled: bool,
    pub deaf: bool,
}

impl Line {
    pub fn new(socket: WebSocketStream<TcpStream>, session: Session) -> Self {
        Self { socket, session, stalled: false, deaf: false }
    }

    /// The next message. Cancel-safe.
    pub async fn receive(&mut self) -> Result<Bytes, End> {
        if self.deaf {
            std::future::pending::<()>().await;
        }
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Ping(_))) => self.session.note(|log| log.pings += 1),
                Some(Ok(Message::Close(frame))) => {
                    self.close_noted(false, frame.as_ref().map(|frame| frame.code.into()));
                    // Sends our answer to it.
                    _ = timeout(CLOSING, self.socket.flush()).await;
                    return Err(End::Left);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    self.close_noted(false, None);
                    return Err(End::Left);
                }
            }
        }
    }

    pub async fn send(&mut self, reply: Reply) -> Result<(), End> {
        if self.stalled {
            return Ok(());
        }
        self.write(Message::Text(reply.body.into())).await?;
        self.session.note(|log| log.send(reply.sent, Instant::now()));
        Ok(())
    }

    pub async fn send_bytes(&mut self, bytes: Vec<u8>) -> Result<(), End> {
        if self.stalled { Ok(()) } else { self.write(Message::Binary(bytes.into())).await }
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        let written = self.socket.send(message).await;
        written.map_err(|_| {
            self.close_noted(false, None);
            End::Left
        })
    }

    /// Ends the connection as it is to end.
    pub async fn end(mut self, end: End) {
        match end {
            End::Left => {}
            End::Dropped => self.close_noted(true, None),
            End::Closes(code, reason) => {
                self.close_noted(true, Some(code));
                let frame = CloseFrame { code: code.into(), reason: reason.into() };
                _ = timeout(CLOSING, self.closing(frame)).await;
            }
        }
    }

    /// Closes and waits for the client to do the same.
    async fn closing(&mut self, frame: CloseFrame) {
        if self.socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }

    fn close_noted(&self, by_fake: bool, code: Option<u16>) {
        self.session.note(|log| {
            log.closed.get_or_insert(Closed { at: Instant::now(), by_fake, code });
        });
    }
}
