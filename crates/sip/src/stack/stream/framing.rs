//! Messages out of a byte stream, by Content-Length (RFC 3261 §18.3). Pure.
//!
//! A message whose frame can be trusted is handed out whatever is in it: who reads it may find it malformed and drop it,
//! and the stream, which may carry the registrations of many, goes on. Only a lost frame ends the stream.

use bytes::BytesMut;

/// The largest message, head and body, and the most that waits here.
pub const LARGEST: usize = 65_535;
/// Read at once.
const CHUNK: usize = 4_096;
/// A message that is larger gives back the room that it took.
const KEPT: usize = 16_384;

/// What a stream has said.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    Message {
        bytes: BytesMut,
        /// Its length was stated. Without that, what follows may be its body as well as the next message.
        measured: bool,
    },
    /// A double CRLF, to be answered by one (RFC 5626 §4.4.1).
    Ping,
}

/// Where the next message begins is not known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("a message of more than 64 KB")]
    TooLong,
    #[error("a Content-Length that is no length, or two of them")]
    Length,
    #[error("bytes that are not SIP")]
    NotSip,
    #[error("a malformed message that does not state its length")]
    Unmeasured,
}

/// The bytes of one stream that have not made a message yet.
#[derive(Debug, Default)]
pub struct Framer {
    waiting: BytesMut,
    /// So many bytes of them hold no end of a head.
    searched: usize,
}

impl Framer {
    /// Where to read into.
    pub fn space(&mut self) -> &mut BytesMut {
        self.waiting.reserve(CHUNK);
        &mut self.waiting
    }

    /// A message has begun.
    pub fn is_halfway(&self) -> bool {
        self.waiting.iter().any(|byte| !b"\r\n".contains(byte))
    }

    /// The next whole message; `None` while bytes are missing.
    pub fn next_framed(&mut self) -> Result<Option<Framed>, Lost> {
        if self.waiting.starts_with(b"\r\n\r\n") {
            self.skip(4);
            return Ok(Some(Framed::Ping));
        }
        // A lone CRLF is a pong or padding; at the end it may be half a ping.
        while self.waiting.starts_with(b"\r\n") && !b"\r\n\r\n".starts_with(&self.waiting[..]) {
            self.skip(2);
        }
        let can_begin = match self.waiting.first() {
            Some(b'\r') => b"\r\n\r\n".starts_with(&self.waiting[..]),
            Some(first) => first.is_ascii_graphic(),
            None => true,
        };
        if !can_begin {
            return Err(Lost::NotSip);
        }
        let Some(head_len) = self.head_len() else {
            return if self.waiting.len() > LARGEST { Err(Lost::TooLong) } else { Ok(None) };
        };
        let stated = content_length(self.waiting.get(..head_len).unwrap_or_default())?;
        let whole = head_len.saturating_add(stated.unwrap_or(0));
        if whole > LARGEST {
            return Err(Lost::TooLong);
        }
        if self.waiting.len() < whole {
            return Ok(None);
        }
        self.searched = 0;
        let bytes = self.waiting.split_to(whole);
        if whole > KEPT {
            self.waiting = BytesMut::from(&self.waiting[..]);
        }
        Ok(Some(Framed::Message { bytes, measured: stated.is_some() }))
    }

    /// Takes an empty line that is no ping: a pong, where one is awaited. Two pongs in a row would else make a ping.
    pub fn take_pong(&mut self) -> bool {
        let is_pong = self.waiting.starts_with(b"\r\n") && !self.waiting.starts_with(b"\r\n\r");
        if is_pong {
            self.skip(2);
        }
        is_pong
    }

    fn skip(&mut self, len: usize) {
        drop(self.waiting.split_to(len));
        self.searched = 0;
    }

    /// Up to and with the empty line.
    fn head_len(&mut self) -> Option<usize> {
        const END: &[u8] = b"\r\n\r\n";
        let from = self.searched;
        let found = self.waiting.get(from..)?.windows(END.len()).position(|window| window == END);
        // The end may be cut in two.
        self.searched = self.waiting.len().saturating_sub(END.len() - 1).max(from);
        found.map(|at| {
            self.searched = from + at;
            from + at + END.len()
        })
    }
}

fn content_length(head: &[u8]) -> Result<Option<usize>, Lost> {
    let mut stated = None;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let digits = value.get(1..).unwrap_or_default().trim_ascii();
        let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(digits).ok().filter(|_| all_digits).and_then(|digits| digits.parse().ok());
        let length: usize = length.ok_or(Lost::Length)?;
        if stated.is_some_and(|other| other != length) {
            return Err(Lost::Length);
        }
        stated = Some(length);
    }
    Ok(stated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(body: &str) -> String {
        format!("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn all(framer: &mut Framer) -> Vec<Result<String, Lost>> {
        let mut found = Vec::new();
        loop {
            match framer.next_framed() {
                Ok(None) => return found,
                Ok(Some(Framed::Ping)) => found.push(Ok("ping".into())),
                Ok(Some(Framed::Message { bytes, .. })) => found.push(Ok(String::from_utf8_lossy(&bytes).into_owned())),
                Err(lost) => {
                    found.push(Err(lost));
                    return found;
                }
            }
        }
    }

    fn check(bytes: &str, want: &[Result<&str, Lost>]) {
        let want: Vec<_> = want.iter().map(|found| found.map(str::to_owned)).collect();
        for step in [1, 7, bytes.len().max(1)] {
            let (mut framer, mut found) = (Framer::default(), Vec::new());
            for chunk in bytes.as_bytes().chunks(step) {
                framer.space().extend_from_slice(chunk);
                found.extend(all(&mut framer));
                if found.last().is_some_and(Result::is_err) {
                    break;
                }
            }
            assert_eq!(found, want, "{bytes:?} in steps of {step}");
        }
    }

    #[test]
    fn messages_are_found_however_they_arrive() {
        let (short, long) = (message(""), message("v=0\r\n\r\nx"));
        check(&short, &[Ok(&short)]);
        check(&format!("{short}{long}"), &[Ok(&short), Ok(&long)]);
        check(&format!("\r\n{long}\r\n\r\n{short}"), &[Ok(&long), Ok("ping"), Ok(&short)]);
        check("\r\n", &[]);
        check("\r\n\r\n\r\n\r\n", &[Ok("ping"), Ok("ping")]);
        check(short.trim_end(), &[]);
        check("BYE sip:a@b SIP/2.0\r\nl : 3\r\n\r\nabcd", &[Ok("BYE sip:a@b SIP/2.0\r\nl : 3\r\n\r\nabc")]);
    }

    #[test]
    fn a_malformed_message_is_no_reason_to_lose_the_frame() {
        let odd = "OPTIONS sip:a@b SIP/2.0\r\nno colon here\r\nContent-Length: 2\r\n\r\nhi";
        let good = message("");
        check(&format!("{odd}{good}"), &[Ok(odd), Ok(&good)]);
    }

    #[test]
    fn a_frame_that_cannot_be_trusted_is_lost() {
        let with = |field: &str| format!("OPTIONS sip:a@b SIP/2.0\r\n{field}\r\n\r\n");
        for length in ["x", "-1", "+1", "", "1 2", "18446744073709551616"] {
            check(&with(&format!("Content-Length: {length}")), &[Err(Lost::Length)]);
        }
        check(&with("Content-Length: 1\r\nl: 2"), &[Err(Lost::Length)]);
        check(&with("Content-Length: 18446744073709551615"), &[Err(Lost::TooLong)]);
        check(&with("Content-Length: 65535"), &[Err(Lost::TooLong)]);
        check(&"x".repeat(LARGEST + 1), &[Err(Lost::TooLong)]);
        for junk in ["\u{1}\u{2}\u{3}", "\n", "\rx", " OPTIONS"] {
            check(junk, &[Err(Lost::NotSip)]);
        }
    }

    #[test]
    fn the_same_length_twice_is_one_length() {
        let text = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\nl: 0\r\n\r\n";
        check(text, &[Ok(text)]);
    }

    #[test]
    fn a_large_message_leaves_no_room_taken() {
        let mut framer = Framer::default();
        framer.space().extend_from_slice(message(&"x".repeat(60_000)).as_bytes());
        assert!(matches!(framer.next_framed(), Ok(Some(Framed::Message { .. }))));
        assert!(framer.space().capacity() <= KEPT);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut framer = Framer::default();
            for chunk in chunks {
                framer.space().extend_from_slice(&chunk);
                let found = all(&mut framer);
                prop_assert!(framer.waiting.len() <= LARGEST + 200 || found.last().is_some_and(Result::is_err));
            }
        }
    }
}
