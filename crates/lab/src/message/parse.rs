//! Bytes to [`Message`], tolerant of bare line feeds, odd spaces and unknown headers.

use super::{Message, MessageError, Start};

/// Longest message taken, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 65_536;

impl Message {
    /// Reads one message that fills `bytes` (a datagram); bytes after Content-Length are ignored (RFC 3261 §18.3).
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong);
        }
        let (head, rest) = split_head(bytes).ok_or(MessageError::NoHeaderEnd)?;
        let mut message = parse_head(head)?;
        let body = match content_length(&message)? {
            Some(length) => rest.get(..length).ok_or(MessageError::Truncated)?,
            None => rest,
        };
        message.body = body.to_vec();
        Ok(message)
    }
}

/// The head without its empty line, and what follows it.
pub(super) fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut line_start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = bytes.get(line_start..at)?;
        if line.is_empty() || line == b"\r" {
            return Some((bytes.get(..line_start)?, bytes.get(at + 1..)?));
        }
        line_start = at + 1;
    }
    None
}

/// Start line and headers, with an empty body.
pub(super) fn parse_head(head: &[u8]) -> Result<Message, MessageError> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let start = parse_start(lines.next().unwrap_or_default())?;
    let mut unfolded: Vec<String> = Vec::new();
    for line in lines {
        match unfolded.last_mut() {
            // A folded line goes on with the one above it (RFC 3261 §7.3.1).
            Some(above) if line.starts_with([' ', '\t']) => {
                above.push(' ');
                above.push_str(line.trim());
            }
            _ => unfolded.push(line.to_owned()),
        }
    }
    let mut headers = Vec::with_capacity(unfolded.len());
    for line in &unfolded {
        let (name, value) = line.split_once(':').ok_or(MessageError::Header)?;
        let name = full_name(name.trim());
        if is_list(name) {
            headers.extend(split_list(value).map(|one| (name.to_owned(), one.to_owned())));
        } else {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Message { start, headers, body: Vec::new() })
}

pub(super) fn content_length(message: &Message) -> Result<Option<usize>, MessageError> {
    let Some(text) = message.header("Content-Length") else { return Ok(None) };
    let length: usize = text.parse().map_err(|_| MessageError::ContentLength)?;
    if length > MAX_MESSAGE_BYTES { Err(MessageError::TooLong) } else { Ok(Some(length)) }
}

fn parse_start(line: &str) -> Result<Start, MessageError> {
    let mut words = line.splitn(3, ' ');
    let (first, second, third) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or("").trim());
    if first.eq_ignore_ascii_case("SIP/2.0") {
        let code = second.parse().ok().filter(|code| (100..700).contains(code)).ok_or(MessageError::StartLine)?;
        return Ok(Start::Response { code, reason: third.to_owned() });
    }
    let token = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte));
    if !token || second.is_empty() || !third.eq_ignore_ascii_case("SIP/2.0") {
        return Err(MessageError::StartLine);
    }
    Ok(Start::Request { method: first.to_owned(), uri: second.to_owned() })
}

/// Compact header names spelled out (RFC 3261 §7.3.3 and the registry).
fn full_name(name: &str) -> &str {
    match name.to_ascii_lowercase().as_str() {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "l" => "Content-Length",
        "c" => "Content-Type",
        "k" => "Supported",
        "s" => "Subject",
        "e" => "Content-Encoding",
        "x" => "Session-Expires",
        "r" => "Refer-To",
        _ => name,
    }
}

fn is_list(name: &str) -> bool {
    ["Via", "Route", "Record-Route", "Contact"].iter().any(|list| list.eq_ignore_ascii_case(name))
}

/// Splits at commas that are neither quoted nor inside `<…>`.
fn split_list(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    value
        .split(move |letter: char| {
            if escaped {
                escaped = false;
                return false;
            }
            match letter {
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '<' if !quoted => angle = true,
                '>' if !quoted => angle = false,
                ',' => return !quoted && !angle,
                _ => {}
            }
            false
        })
        .map(str::trim)
        .filter(|one| !one.is_empty())
}
