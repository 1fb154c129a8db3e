//! The HTTP/1.1 upgrade to a WebSocket (RFC 6455 §4.1), with the key in a header and nowhere else.

use super::{DialError, Stream};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use zeroize::Zeroizing;

/// Longest head or refusal read, bytes.
const ANSWER_BOUND: usize = 16 << 10;
/// How long the text of a refusal is waited for.
const REFUSAL_TEXT: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// Path and query; never the key.
    pub target: &'a str,
    /// Names and values, with the key among them. Values hold printable ASCII only.
    pub headers: &'a [(&'a str, &'a str)],
}

pub async fn upgrade(
    mut stream: Stream,
    authority: &str,
    request: Request<'_>,
    config: WebSocketConfig,
) -> Result<WebSocketStream<Stream>, DialError> {
    let unreachable = |why: &str| DialError::Unreachable(why.to_owned());
    let nonce = generate_key();
    stream.write_all(written(authority, &request, &nonce).as_bytes()).await.map_err(DialError::Broken)?;
    stream.flush().await.map_err(DialError::Broken)?;
    let mut received = Vec::new();
    let head = loop {
        if let Some(head) = Head::parse(&received).map_err(unreachable)? {
            break head;
        }
        if received.len() > ANSWER_BOUND || stream.read_buf(&mut received).await.map_err(DialError::Broken)? == 0 {
            return Err(unreachable("no answer to the upgrade"));
        }
    };
    let mut rest = received.split_off(head.length);
    if head.status != 101 {
        // Whether it is cut off by time, size or error: what is there is evidence enough.
        let _ = timeout(REFUSAL_TEXT, read_refusal(&mut stream, &mut rest, head.body_length)).await;
        return Err(DialError::Refused { status: head.status, body: String::from_utf8_lossy(&rest).into_owned() });
    }
    if head.accept.as_deref() != Some(derive_accept_key(nonce.as_bytes()).as_str()) {
        return Err(unreachable("the upgrade was answered by something that is no WebSocket"));
    }
    Ok(WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config)).await)
}

fn written(authority: &str, request: &Request<'_>, nonce: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(1_024));
    text.push_str(&format!(
        "GET {} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n",
        request.target
    ));
    for (name, value) in request.headers {
        for part in [name, ": ", value, "\r\n"] {
            text.push_str(part);
        }
    }
    text.push_str("\r\n");
    text
}

async fn read_refusal(stream: &mut Stream, text: &mut Vec<u8>, length: Option<usize>) -> std::io::Result<()> {
    while text.len() < length.unwrap_or(ANSWER_BOUND).min(ANSWER_BOUND) && stream.read_buf(text).await? > 0 {}
    Ok(())
}

/// What matters of an answer's head.
#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    /// Bytes, with the empty line.
    length: usize,
    accept: Option<String>,
    body_length: Option<usize>,
}

impl Head {
    /// `None` while it is not whole.
    fn parse(received: &[u8]) -> Result<Option<Self>, &'static str> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(received).map_err(|_| "the answer is no HTTP")? else {
            return Ok(None);
        };
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok().map(str::trim)
        };
        Ok(Some(Self {
            status: response.code.unwrap_or(0),
            length,
            accept: value("sec-websocket-accept").map(str::to_owned),
            body_length: value("content-length").and_then(|length| length.parse().ok()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSEC-WebSocket-Accept: abc \r\n\r\n";
        let whole = Head { status: 101, length: head.len(), accept: Some("abc".into()), body_length: None };
        assert_eq!(Head::parse(format!("{head}\x02rest").as_bytes()), Ok(Some(whole)));
        assert_eq!(Head::parse(&head.as_bytes()[..30]), Ok(None));
        assert_eq!(Head::parse(b""), Ok(None));
        assert!(Head::parse(b"SSH-2.0-OpenSSH\r\n").is_err());
        let refusal = Head::parse(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").expect("HTTP").expect("whole");
        assert_eq!((refusal.status, refusal.body_length), (403, Some(2)));
    }

    #[test]
    fn the_key_is_in_a_header_only() {
        let request = Request { target: "/v1?model=m", headers: &[("x-goog-api-key", "k3y"), ("x-other", "y")] };
        let text = written("x.example", &request, "nonce");
        assert_eq!(text.matches("k3y").count(), 1);
        assert!(text.starts_with("GET /v1?model=m HTTP/1.1\r\nHost: x.example\r\n"));
        assert!(text.ends_with("\r\nx-goog-api-key: k3y\r\nx-other: y\r\n\r\n"));
    }
}
