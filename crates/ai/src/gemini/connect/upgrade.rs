//! The HTTP/1.1 upgrade to a WebSocket (RFC 6455 §4.1), with the key or token in a header and nowhere else.

use super::Stream;
use crate::{
    EngineCause,
    gemini::{
        access::Credential,
        refusal::{Ending, Phase, Refusals},
    },
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as SocketError,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};
use zeroize::Zeroizing;

/// Whom to ask, and as whom.
pub struct Door<'a> {
    pub authority: &'a str,
    pub path: &'a str,
    pub credential: &'a Credential,
}

/// Longest head or refusal read, bytes.
const ANSWER_BOUND: usize = 16 << 10;
/// How long the text of a refusal is waited for.
const REFUSAL_TEXT: Duration = Duration::from_secs(1);

pub async fn upgrade(
    mut stream: Stream,
    door: &Door<'_>,
    refusals: &Refusals,
    config: WebSocketConfig,
) -> Result<WebSocketStream<Stream>, Ending> {
    let nonce = generate_key();
    let broken = |error: std::io::Error| refusals.of_socket(&SocketError::Io(error), Phase::Setup);
    let request = request(door, &nonce);
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut received = Vec::new();
    let head = loop {
        if let Some(head) = Head::parse(&received).map_err(|why| refusals.error(EngineCause::Unreachable, why))? {
            break head;
        }
        if received.len() > ANSWER_BOUND || stream.read_buf(&mut received).await.map_err(broken)? == 0 {
            return Err(refusals.error(EngineCause::Unreachable, "no answer to the upgrade").into());
        }
    };
    let mut rest = received.split_off(head.length);
    if head.status != 101 {
        // Whether it is cut off by time, size or error: what is there is evidence enough.
        let _ = timeout(REFUSAL_TEXT, read_refusal(&mut stream, &mut rest, head.body_length)).await;
        return Err(refusals.of_status(head.status, &String::from_utf8_lossy(&rest)));
    }
    if head.accept.as_deref() != Some(derive_accept_key(nonce.as_bytes()).as_str()) {
        return Err(refusals
            .error(EngineCause::Unreachable, "the upgrade was answered by something that is no WebSocket")
            .into());
    }
    Ok(WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config)).await)
}

fn request(Door { authority, path, credential }: &Door<'_>, nonce: &str) -> Zeroizing<String> {
    let Credential { header, scheme, secret } = credential;
    Zeroizing::new(format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce}\r\n{header}: {scheme}{}\r\n\r\n",
        secret.expose()
    ))
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
    use callie_domain::Secret;

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
    fn the_secret_is_in_a_header_only() {
        for (header, scheme) in [("x-goog-api-key", ""), ("authorization", "Bearer ")] {
            let credential = Credential { header, scheme, secret: Secret::new("k3y") };
            let request = request(&Door { authority: "x.example", path: "/ws/x", credential: &credential }, "nonce");
            assert_eq!(request.matches("k3y").count(), 1);
            assert!(request.contains(&format!("\r\n{header}: {scheme}k3y\r\n")), "{header}");
            assert_eq!(request.lines().next(), Some("GET /ws/x HTTP/1.1"));
        }
    }
}
