//! One SIP message as a list of headers: a tolerant reader and a plain writer.
//!
//! Not a grammar: a header is a name and a text. Compact names are spelled out, folded lines joined,
//! and the headers that are lists of hops or addresses come one per line. Nothing here panics on any bytes.

mod address;
mod framing;
mod parse;
#[cfg(test)]
mod tests;

pub use address::{NameAddr, Uri, Via};
pub use framing::{Framed, Framer};

/// Why bytes are not a SIP message.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum MessageError {
    #[error("no end of the header part")]
    NoHeaderEnd,
    #[error("start line is not sip")]
    StartLine,
    #[error("header line without a colon")]
    Header,
    #[error("body is shorter than its content-length")]
    Truncated,
    #[error("content-length is not a number")]
    ContentLength,
    #[error("message is too long")]
    TooLong,
}

/// The first line (RFC 3261 §7.1, §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Request { method: String, uri: String },
    Response { code: u16, reason: String },
}

/// A SIP request or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub start: Start,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// An empty request.
    pub fn request(method: &str, uri: &str) -> Self {
        let start = Start::Request { method: method.to_owned(), uri: uri.to_owned() };
        Self { start, headers: Vec::new(), body: Vec::new() }
    }

    /// A response to this request: Via, From, To, Call-ID and CSeq copied (RFC 3261 §8.2.6.2).
    pub fn reply(&self, code: u16) -> Self {
        let start = Start::Response { code, reason: reason_phrase(code).to_owned() };
        let mut reply = Self { start, headers: Vec::new(), body: Vec::new() };
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for value in self.all(name) {
                reply.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }

    /// The same with this header added at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.push(name, value);
        self
    }

    /// The same with this body and content type.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.set("Content-Type", content_type);
        self.body = body.into();
        self
    }

    /// Adds a tag to To unless one is there (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn with_to_tag(mut self, tag: &str) -> Self {
        if self.to_tag().is_none()
            && let Some(to) = self.header("To").map(str::to_owned)
        {
            self.set("To", format!("{to};tag={tag}"));
        }
        self
    }

    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The request's method; for a response the method it answers, from CSeq.
    pub fn method(&self) -> &str {
        match &self.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => self.cseq().map_or("", |(_, method)| method),
        }
    }

    /// Status code of a response.
    pub fn code(&self) -> Option<u16> {
        match self.start {
            Start::Response { code, .. } => Some(code),
            Start::Request { .. } => None,
        }
    }

    /// Reason phrase of a response, request URI of a request.
    pub fn subject(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => uri,
            Start::Response { reason, .. } => reason,
        }
    }

    /// Puts another request URI; nothing on a response.
    pub fn set_uri(&mut self, new: impl Into<String>) {
        if let Start::Request { uri, .. } = &mut self.start {
            *uri = new.into();
        }
    }

    /// First value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a header, top first.
    pub fn all<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Adds a header above all others of its name (Via, Record-Route).
    pub fn push_top(&mut self, name: &str, value: impl Into<String>) {
        self.headers.insert(0, (name.to_owned(), value.into()));
    }

    /// Replaces the first header of that name, or adds it.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value.into(),
            None => self.push(name, value),
        }
    }

    /// Takes away the first header of that name.
    pub fn remove_top(&mut self, name: &str) -> Option<String> {
        let at = self.headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(self.headers.remove(at).1)
    }

    pub fn remove_all(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// CSeq number and method.
    pub fn cseq(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("CSeq")?.split_once(char::is_whitespace)?;
        Some((number.parse().ok()?, method.trim()))
    }

    pub fn top_via(&self) -> Option<Via> {
        Via::parse(self.header("Via")?)
    }

    pub fn from(&self) -> Option<NameAddr> {
        NameAddr::parse(self.header("From")?)
    }

    pub fn to(&self) -> Option<NameAddr> {
        NameAddr::parse(self.header("To")?)
    }

    pub fn contact(&self) -> Option<NameAddr> {
        NameAddr::parse(self.header("Contact")?)
    }

    pub fn from_tag(&self) -> Option<String> {
        self.from()?.param("tag").map(str::to_owned)
    }

    pub fn to_tag(&self) -> Option<String> {
        self.to()?.param("tag").map(str::to_owned)
    }

    /// The request URI taken apart.
    pub fn uri(&self) -> Option<Uri> {
        match &self.start {
            Start::Request { uri, .. } => Uri::parse(uri),
            Start::Response { .. } => None,
        }
    }

    /// The bytes for the wire, with Content-Length set to the body's length.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { code, reason } => format!("SIP/2.0 {code} {reason}\r\n"),
        };
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length")) {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// One line for a trace: `INVITE sip:… (1 INVITE)` or `180 Ringing (1 INVITE)`.
    pub fn summary(&self) -> String {
        let cseq = self.header("CSeq").unwrap_or("no cseq");
        match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} ({cseq})"),
            Start::Response { code, reason } => format!("{code} {reason} ({cseq})"),
        }
    }
}

/// Usual reason phrase of a status code (RFC 3261 §21).
pub fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Answer",
    }
}
