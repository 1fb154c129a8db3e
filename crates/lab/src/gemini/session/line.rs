//! The socket of a session: whole messages in and out, and the ways in which it behaves badly.

use crate::gemini::record::{Closed, Session, Side};
use crate::gemini::reply::Reply;
use crate::gemini::wire::Refusal;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use std::time::{Duration, Instant};
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
pub(in crate::gemini) enum End {
    /// The client has gone; the record says how.
    Left,
    /// The fake closes.
    Refused(Refusal),
    /// The fake goes without a word.
    Dropped,
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How the line behaves from now on, or a frame that no message is in.
#[derive(Debug)]
pub(in crate::gemini) enum Trick {
    /// Nothing more is sent.
    Stall,
    /// Nothing more is read.
    Deaf,
    /// Messages go out in frames of so many bytes, with a pause after each.
    Drip(usize, Duration),
    /// A text frame.
    Text(String),
    Ping,
}

pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    session: Session,
    stalled: bool,
    deaf: bool,
    drip: Option<(usize, Duration)>,
}

impl Line {
    pub fn new(socket: WebSocketStream<TcpStream>, session: Session) -> Self {
        Self { socket, session, stalled: false, deaf: false, drip: None }
    }

    pub async fn play(&mut self, trick: Trick) -> Result<(), End> {
        match trick {
            Trick::Stall => self.stalled = true,
            Trick::Deaf => self.deaf = true,
            Trick::Drip(frame_bytes, pause) => self.drip = Some((frame_bytes.max(1), pause)),
            Trick::Text(text) if !self.stalled => self.write(Message::Text(text.into())).await?,
            Trick::Text(_) => {}
            Trick::Ping => self.write(Message::Ping(Bytes::from_static(b"are you there"))).await?,
        }
        Ok(())
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
                Some(Ok(Message::Close(frame))) => {
                    self.close_noted(Side::Client, frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str())));
                    // Sends our answer to it.
                    _ = timeout(CLOSING, self.socket.flush()).await;
                    return Err(End::Left);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    self.close_noted(Side::Client, None);
                    return Err(End::Left);
                }
            }
        }
    }

    /// Sends in a binary frame, as the service does, and notes it.
    pub async fn send(&mut self, reply: &Reply) -> Result<(), End> {
        if self.stalled {
            return Ok(());
        }
        match self.drip {
            None => self.write(Message::Binary(reply.body.clone())).await?,
            Some((frame_bytes, pause)) => self.send_in_drops(&reply.body, frame_bytes, pause).await?,
        }
        self.session.note(|log| log.sent(Instant::now(), reply.sent.clone()));
        Ok(())
    }

    async fn send_in_drops(&mut self, body: &Bytes, frame_bytes: usize, pause: Duration) -> Result<(), End> {
        let mut from = 0;
        while from < body.len() {
            let to = body.len().min(from + frame_bytes);
            let data = if from == 0 { Data::Binary } else { Data::Continue };
            self.write(Message::Frame(Frame::message(body.slice(from..to), OpCode::Data(data), to == body.len()))).await?;
            tokio::time::sleep(pause).await;
            from = to;
        }
        Ok(())
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        let written = self.socket.send(message).await;
        written.map_err(|_| {
            self.close_noted(Side::Client, None);
            End::Left
        })
    }

    /// Ends the connection as it is to end.
    pub async fn end(mut self, end: End) {
        match end {
            End::Left => {}
            End::Dropped => self.close_noted(Side::Fake, None),
            End::Refused(refusal) => {
                let reason = cut(&refusal.reason);
                self.close_noted(Side::Fake, Some((refusal.code, reason)));
                let frame = CloseFrame { code: refusal.code.into(), reason: reason.into() };
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

    fn close_noted(&self, by: Side, close: Option<(u16, &str)>) {
        self.session.note(|log| {
            let (code, reason) = (close.map(|(code, _)| code), close.map_or("", |(_, reason)| reason).to_owned());
            log.closed.get_or_insert(Closed { at: Instant::now(), by, code, reason });
        });
    }
}

/// The longest beginning that fits into a close frame.
fn cut(reason: &str) -> &str {
    reason.get(..reason.floor_char_boundary(REASON_BYTES)).unwrap_or_default()
}
