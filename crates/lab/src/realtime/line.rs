//! The socket of a session: whole messages in and out, and the ways in which it behaves badly.

use super::{Closed, Log, Service, Session, Side, now};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

/// How long a client may take to answer a close.
const CLOSING: Duration = Duration::from_secs(1);
/// A close frame holds 125 bytes, two of them for the code.
const REASON_BYTES: usize = 123;

/// Why a session ends.
#[derive(Debug)]
pub enum End {
    /// The client has gone; the record says how.
    Left,
    /// The fake closes; the reason is cut to 123 bytes.
    Closes { code: u16, reason: String },
    /// The fake goes without a word.
    Dropped,
}

pub struct Line<S: Service> {
    socket: WebSocketStream<TcpStream>,
    session: Session<S>,
    /// Nothing more is sent.
    pub stalled: bool,
    /// Nothing more is read.
    pub deaf: bool,
    /// Messages go out in frames of so many bytes, with a pause after each.
    pub drip: Option<(usize, Duration)>,
}

impl<S: Service> Line<S> {
    pub(super) fn new(socket: WebSocketStream<TcpStream>, session: Session<S>) -> Self {
        Self { socket, session, stalled: false, deaf: false, drip: None }
    }

    /// The next message, text or binary. Cancel-safe.
    pub async fn receive(&mut self) -> Result<Bytes, End> {
        if self.deaf {
            std::future::pending::<()>().await;
        }
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Ping(_))) => self.session.note(Log::ping),
                Some(Ok(Message::Close(frame))) => {
                    self.close_noted(Side::Client, frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str())));
                    // Sends our answer to it.
                    _ = timeout(CLOSING, self.socket.flush()).await;
                    return Err(End::Left);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(self.broken()),
            }
        }
    }

    /// Sends a text or bytes, and notes it.
    pub async fn send(&mut self, message: Message, note: impl FnOnce(&mut S::Log) + Send) -> Result<(), End> {
        if self.stalled {
            return Ok(());
        }
        match self.drip {
            None => self.write(message).await?,
            Some((frame_bytes, pause)) => self.send_in_drops(message, frame_bytes.max(1), pause).await?,
        }
        self.session.note(note);
        Ok(())
    }

    /// Sends a ping, also when stalled.
    pub async fn ping(&mut self) -> Result<(), End> {
        self.write(Message::Ping(Bytes::from_static(b"are you there"))).await
    }

    async fn send_in_drops(&mut self, message: Message, frame_bytes: usize, pause: Duration) -> Result<(), End> {
        let first = if message.is_text() { Data::Text } else { Data::Binary };
        let body = message.into_data();
        let mut from = 0;
        while from < body.len() {
            let to = body.len().min(from + frame_bytes);
            let data = if from == 0 { first } else { Data::Continue };
            self.write(Message::Frame(Frame::message(body.slice(from..to), OpCode::Data(data), to == body.len()))).await?;
            tokio::time::sleep(pause).await;
            from = to;
        }
        Ok(())
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        let written = self.socket.send(message).await;
        written.map_err(|_| self.broken())
    }

    /// Ends the connection as it is to end.
    pub(super) async fn end(mut self, end: End) {
        match end {
            End::Left => {}
            End::Dropped => self.close_noted(Side::Fake, None),
            End::Closes { code, reason } => {
                let reason = cut(&reason);
                self.close_noted(Side::Fake, Some((code, reason)));
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

    fn broken(&self) -> End {
        self.close_noted(Side::Client, None);
        End::Left
    }

    fn close_noted(&self, by: Side, close: Option<(u16, &str)>) {
        let (code, reason) = (close.map(|(code, _)| code), close.map_or("", |(_, reason)| reason).to_owned());
        self.session.note(|log| log.close(Closed { at: now(), by, code, reason }));
    }
}

/// The longest beginning that fits into a close frame.
fn cut(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default()
}
