//! One end of a connection that carries SIP, whatever is below it.

use crate::peer::{Message, soon};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// TCP or TLS.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

/// A connection that speaks SIP by script.
pub struct Connection {
    stream: Box<dyn Socket>,
    /// The other end's address.
    pub source: SocketAddr,
    read: String,
}

impl Connection {
    pub fn over(stream: impl Socket + 'static, source: SocketAddr) -> Self {
        Self { stream: Box::new(stream), source, read: String::new() }
    }

    pub async fn accept(listener: &TcpListener) -> Self {
        let (stream, source) = soon("a connection", listener.accept()).await.expect("accept");
        Self::over(stream, source)
    }

    /// The next message.
    pub async fn next(&mut self) -> Message {
        let source = self.source;
        soon("a message", async {
            loop {
                self.read = self.read.trim_start().to_owned();
                if let Some(end) = self.read.find("\r\n\r\n") {
                    let head = Message { text: self.read[..end].to_owned(), source };
                    let body: usize = head.must("Content-Length").parse().expect("a length");
                    if self.read.len() >= end + 4 + body {
                        let rest = self.read.split_off(end + 4 + body);
                        return Message { text: std::mem::replace(&mut self.read, rest), source };
                    }
                }
                let mut chunk = [0; 4096];
                let len = self.stream.read(&mut chunk).await.expect("read");
                assert_ne!(len, 0, "closed");
                self.read.push_str(&String::from_utf8_lossy(&chunk[..len]));
            }
        })
        .await
    }

    pub async fn expect(&mut self, start: &str) -> Message {
        loop {
            let message = self.next().await;
            if message.start().starts_with(start) {
                return message;
            }
        }
    }

    pub async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.expect("write");
    }

    /// The next ping; it is not answered.
    pub async fn pinged(&mut self) {
        let mut line = [0; 4];
        self.stream.read_exact(&mut line).await.expect("read");
        assert_eq!(&line, b"\r\n\r\n");
    }

    /// Nothing more comes: it was closed.
    pub async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        soon("the end of the connection", self.stream.read_to_end(&mut rest)).await.ok();
    }

    pub async fn grant(&mut self, register: &Message) {
        let contact = format!("Contact: <{}>;expires=600", register.contact());
        self.send(register.response("200 OK", &[&contact], "")).await;
    }
}
