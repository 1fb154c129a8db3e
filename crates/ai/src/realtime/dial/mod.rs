//! From a name to a WebSocket: addresses raced, TLS, upgrade.
//!
//! The upgrade is our own few lines because the key travels in one of its headers, and a library that logs its requests at
//! trace level would log the key.

mod race;
mod upgrade;

pub use upgrade::Request;

use super::origin::Origin;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::WebSocketConfig};

/// Longest message taken, bytes. An answer of a minute in one message has 4 MB.
const MESSAGE_BOUND: usize = 10 << 20;
/// Of the kernel, bytes: about a second and a half of audio. More would let old audio pile up where we cannot drop it.
const SEND_BUFFER: usize = 64 << 10;
/// Of the WebSocket, bytes: its default costs 256 KB a call.
const FRAME_BUFFER: usize = 16 << 10;

/// A TCP connection, with or without TLS in it.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no WebSocket.
#[derive(Debug)]
pub enum DialError {
    /// Nobody answers, or something that is no WebSocket.
    Unreachable(String),
    /// The connection broke before the answer.
    Broken(io::Error),
    /// Answered with something else than 101.
    Refused { status: u16, body: String },
}

/// Opens connections to one service.
#[derive(Debug)]
pub struct Dialer {
    origin: Origin,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    /// `service` is its name in the log.
    pub fn new(service: &str, origin: Origin) -> Result<Self, rustls::Error> {
        if !origin.tls && !origin.is_here() {
            tracing::warn!(host = origin.host, "{service} is reached without TLS: key and speech go in clear");
        }
        Ok(Self { origin, tls: Arc::new(tls_config()?) })
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Cancel it when patience is over.
    pub async fn dial(&self, request: Request<'_>) -> Result<WebSocketStream<Stream>, DialError> {
        let unreachable = |error: io::Error| DialError::Unreachable(format!("{}: {error}", self.origin.authority));
        let tcp = race::connect(&self.origin.host, self.origin.port).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        // An error only means that the kernel keeps its own size.
        let _ = socket2::SockRef::from(&tcp).set_send_buffer_size(SEND_BUFFER);
        let stream = if self.origin.tls { self.secure(tcp).await.map_err(unreachable)? } else { Stream::Plain(tcp) };
        upgrade::upgrade(stream, &self.origin.authority, request, limits()).await
    }

    async fn secure(&self, tcp: TcpStream) -> io::Result<Stream> {
        let name = ServerName::try_from(self.origin.host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, tcp).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// Whatever the process's default provider is, or is not.
fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(FRAME_BUFFER)
        // Every message goes to the socket as soon as it is there.
        .write_buffer_size(0)
        // The setup is the largest: the user's instructions are in it.
        .max_write_buffer_size(MESSAGE_BOUND)
        .max_message_size(Some(MESSAGE_BOUND))
        .max_frame_size(Some(MESSAGE_BOUND))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
