//! The WebSocket of one session: frames in without back-pressure, messages out through a bounded outbox. It has no task:
//! whoever polls it drives it.

use super::connect::Stream;
use bytes::Bytes;
use futures::{Sink, Stream as _};
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, Message, Utf8Bytes, protocol::CloseFrame},
};

/// Messages that are no audio and may wait for the socket: texts and tool results, a handful in a call. A service that
/// asks for more while it takes none is not waited for.
const TEXT_BOUND: usize = 256;

/// What is waiting for the socket. Audio is bounded by age (see [`Outbox::new`]): what is older would make the model answer
/// the past, so the oldest goes first.
#[derive(Debug)]
pub struct Outbox {
    queue: VecDeque<Item>,
    audio: usize,
    audio_bound: usize,
    texts: usize,
}

#[derive(Debug)]
enum Item {
    Audio(Bytes),
    Text(String),
}

impl Outbox {
    /// `audio_bound`: messages of audio that may wait; as many as two seconds hold.
    pub fn new(audio_bound: usize) -> Self {
        Self { queue: VecDeque::new(), audio: 0, audio_bound: audio_bound.max(1), texts: 0 }
    }

    /// False when the oldest audio had to go for it.
    pub fn push_audio(&mut self, message: Bytes) -> bool {
        let fits = self.audio < self.audio_bound;
        if !fits && let Some(oldest) = self.queue.iter().position(|item| matches!(item, Item::Audio(_))) {
            self.queue.remove(oldest);
            self.audio -= 1;
        }
        self.audio += 1;
        self.queue.push_back(Item::Audio(message));
        fits
    }

    /// False when there are too many already.
    pub fn push_text(&mut self, message: String) -> bool {
        if self.texts == TEXT_BOUND {
            return false;
        }
        self.texts += 1;
        self.queue.push_back(Item::Text(message));
        true
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn pop(&mut self) -> Option<Message> {
        Some(Message::Text(match self.queue.pop_front()? {
            Item::Audio(message) => {
                self.audio -= 1;
                Utf8Bytes::try_from(message).unwrap_or_default()
            }
            Item::Text(message) => {
                self.texts -= 1;
                message.into()
            }
        }))
    }
}

/// Why no more frames come.
#[derive(Debug)]
pub enum Closed {
    /// The service said why, or at least that.
    ByService(Option<CloseFrame>),
    Broken(tungstenite::Error),
}

pub struct Socket {
    stream: WebSocketStream<Stream>,
    pub outbox: Outbox,
    /// Something was handed over that the socket has not taken yet.
    unflushed: bool,
}

impl Socket {
    pub fn new(stream: WebSocketStream<Stream>, outbox: Outbox) -> Self {
        Self { stream, outbox, unflushed: false }
    }

    /// Sends as much of the outbox as the socket takes. One batch at most waits inside of the WebSocket.
    pub fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        loop {
            if self.unflushed {
                ready!(Pin::new(&mut self.stream).poll_flush(context))?;
                self.unflushed = false;
            }
            if self.outbox.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(Pin::new(&mut self.stream).poll_ready(context))?;
            if let Some(message) = self.outbox.pop() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_audio_goes_and_texts_stay() {
        let mut outbox = Outbox::new(2);
        assert!(outbox.push_text("hello".into()));
        assert!(outbox.push_audio("1".into()));
        assert!(outbox.push_audio("2".into()));
        assert!(outbox.push_text("tool".into()));
        assert!(!outbox.push_audio("3".into()));
        let sent: Vec<_> = std::iter::from_fn(|| outbox.pop()).map(|message| message.to_string()).collect();
        assert_eq!(sent, ["hello", "2", "tool", "3"]);
        assert!(outbox.push_audio("4".into()), "room again");
    }

    #[test]
    fn texts_are_bounded() {
        let mut outbox = Outbox::new(2);
        assert!((0..TEXT_BOUND).all(|_| outbox.push_text(String::new())));
        assert!(!outbox.push_text(String::new()));
    }
}
