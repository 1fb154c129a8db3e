//! From a name to a session that is set up: addresses raced, TLS, WebSocket upgrade, setup, each with the caller's patience.
//!
//! The upgrade is our own few lines because the key travels in one of its headers, and a library that logs its requests at
//! trace level would log the key.

mod race;
mod upgrade;

use super::{
    access::Access,
    options::{GeminiOptions, Origin},
    refusal::{Ending, Phase, Refusals},
    socket::{Closed, Socket},
    wire::server,
};
use crate::{EngineCause, EngineError};
use futures::{SinkExt, StreamExt};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::WebSocketConfig},
};

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

/// Opens connections to one service.
#[derive(Debug)]
pub struct Connector {
    origin: Origin,
    access: Access,
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
    setup_timeout: Duration,
}

/// A session that is set up.
pub struct Link {
    pub socket: Socket,
    /// Knows the secret by which this session was opened.
    pub refusals: Refusals,
}

impl Connector {
    pub fn new(options: &GeminiOptions) -> Result<Self, EngineError> {
        options.access.check()?;
        let origin = Origin::parse(&options.base_url)?;
        if !origin.tls && !matches!(origin.host.as_str(), "localhost" | "127.0.0.1" | "::1") {
            tracing::warn!(host = origin.host, "Gemini is reached without TLS: key and speech go in clear");
        }
        Ok(Self {
            origin,
            access: options.access.clone(),
            tls: Arc::new(tls_config().map_err(|error| EngineError::new(EngineCause::Internal, error.to_string()))?),
            connect_timeout: options.connect_timeout,
            setup_timeout: options.setup_timeout,
        })
    }

    /// A session that has taken `setup`, a whole message.
    pub async fn open(self: Arc<Self>, setup: String) -> Result<Link, Ending> {
        let late = |what: &str, patience: Duration| format!("{what} within {patience:?}");
        let connected = timeout(self.connect_timeout, Box::pin(self.connect())).await;
        let (mut socket, refusals) =
            connected.map_err(|_| EngineError::new(EngineCause::Unreachable, late("no connection", self.connect_timeout)))??;
        let set_up = timeout(self.setup_timeout, set_up(&mut socket, setup, &refusals)).await;
        set_up.map_err(|_| EngineError::new(EngineCause::Stalled, late("no answer to the setup", self.setup_timeout)))??;
        Ok(Link { socket: Socket::new(socket), refusals })
    }

    async fn connect(&self) -> Result<(WebSocketStream<Stream>, Refusals), Ending> {
        let credential = self.access.credential().await?;
        let refusals = Refusals::new(credential.secret.clone());
        let unreachable =
            |error: io::Error| refusals.error(EngineCause::Unreachable, &format!("{}: {error}", self.origin.authority));
        let tcp = race::connect(&self.origin.host, self.origin.port).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        // An error only means that the kernel keeps its own size.
        let _ = socket2::SockRef::from(&tcp).set_send_buffer_size(SEND_BUFFER);
        let stream = if self.origin.tls { self.secure(tcp).await.map_err(unreachable)? } else { Stream::Plain(tcp) };
        let door = upgrade::Door { authority: &self.origin.authority, path: self.access.path(), credential: &credential };
        let socket = upgrade::upgrade(stream, &door, &refusals, limits()).await?;
        Ok((socket, refusals))
    }

    async fn secure(&self, tcp: TcpStream) -> io::Result<Stream> {
        let name = ServerName::try_from(self.origin.host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, tcp).await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

async fn set_up(socket: &mut WebSocketStream<Stream>, setup: String, refusals: &Refusals) -> Result<(), Ending> {
    let refused = |closed: Closed| refusals.of_closed(&closed, Phase::Setup);
    socket.send(Message::text(setup)).await.map_err(|error| refused(Closed::Broken(error)))?;
    loop {
        let frame = match socket.next().await {
            Some(Ok(Message::Text(text))) => text.into(),
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(frame))) => return Err(refused(Closed::ByService(frame))),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return Err(refused(Closed::Broken(error))),
            None => return Err(refused(Closed::ByService(None))),
        };
        if server::parse(&frame).is_ok_and(|message| message.setup_complete.is_some()) {
            return Ok(());
        }
    }
}

/// Whatever the process's default provider is, or is not.
fn tls_config() -> Result<ClientConfig, tokio_rustls::rustls::Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Secret;

    #[test]
    fn faulty_options_are_told_without_the_key() {
        let options =
            |key: &str, base_url: &str| GeminiOptions { base_url: base_url.into(), ..GeminiOptions::new(Secret::new(key)) };
        for (key, base_url, expected) in [
            ("", "wss://x.example", "missing"),
            ("a b\r\nX-Evil: 1", "wss://x.example", "characters"),
            ("k3y", "https://x.example", "wss://"),
        ] {
            let error = Connector::new(&options(key, base_url)).expect_err("refused");
            assert_eq!(error.cause, EngineCause::Config);
            assert!(error.detail.contains(expected) && !error.detail.contains("Evil"), "{error}");
        }
    }
}
