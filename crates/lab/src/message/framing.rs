//! Messages out of a byte stream, framed by Content-Length (RFC 3261 §18.3).

use super::parse::{MAX_MESSAGE_BYTES, content_length, parse_head, split_head};
use super::{Message, MessageError};

/// What a stream has just said.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    Message(Box<Message>),
    /// A double CRLF, to be answered by one CRLF (RFC 5626 §4.4.1).
    Ping,
}

/// Collects the bytes of one TCP flow.
#[derive(Debug, Default)]
pub struct Framer {
    waiting: Vec<u8>,
}

impl Framer {
    pub fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The next whole message, `None` while bytes are missing.
    ///
    /// # Errors
    /// Bytes that are not SIP: the stream has lost its frame and must be closed.
    pub fn next_framed(&mut self) -> Result<Option<Framed>, MessageError> {
        if self.waiting.starts_with(b"\r\n\r\n") {
            self.waiting.drain(..4);
            return Ok(Some(Framed::Ping));
        }
        // A lone CRLF is a pong or padding; "\r\n" may also be half a ping, so wait until more is known.
        if self.waiting.len() > 2 && self.waiting.starts_with(b"\r\n") && !b"\r\n\r".starts_with(&self.waiting) {
            self.waiting.drain(..2);
        }
        if self.waiting.is_empty() || b"\r\n\r\n".starts_with(&self.waiting) {
            return Ok(None);
        }
        let Some((head, rest)) = split_head(&self.waiting) else {
            return if self.waiting.len() > MAX_MESSAGE_BYTES { Err(MessageError::TooLong) } else { Ok(None) };
        };
        let mut message = parse_head(head)?;
        let length = content_length(&message)?.unwrap_or(0);
        let Some(body) = rest.get(..length) else { return Ok(None) };
        message.body = body.to_vec();
        let used = self.waiting.len() - rest.len() + length;
        self.waiting.drain(..used);
        Ok(Some(Framed::Message(Box::new(message))))
    }
}
