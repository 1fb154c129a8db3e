//! One address spoken to over UDP and TCP, and if wanted another over TLS: datagrams and streams in, [`Message`]s out, and back.
//!
//! Not a SIP transaction layer: it neither repeats nor answers anything, except a TCP ping.

use crate::message::{Framed, Framer, Message};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Messages read but not yet looked at; behind them the kernel's buffers wait.
const HEARD_BOUND: usize = 1024;
/// Messages written to a TCP flow but not yet sent; a flow that is further behind is closed.
const FLOW_BOUND: usize = 1024;
/// Receive buffer of the UDP socket in bytes, so that a thousand accounts may speak at once.
const UDP_BUFFER_BYTES: usize = 4 << 20;
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    /// The token of a Via header.
    pub fn token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// A way back to a peer: its datagram address, or the stream it is connected by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    Udp(SocketAddr),
    /// TCP, `secure` with TLS in it.
    Tcp {
        id: u64,
        peer: SocketAddr,
        secure: bool,
    },
}

impl Flow {
    pub fn peer(self) -> SocketAddr {
        match self {
            Self::Udp(peer) | Self::Tcp { peer, .. } => peer,
        }
    }

    pub fn transport(self) -> Transport {
        match self {
            Self::Udp(_) => Transport::Udp,
            Self::Tcp { secure: true, .. } => Transport::Tls,
            Self::Tcp { secure: false, .. } => Transport::Tcp,
        }
    }
}

/// What came in.
#[derive(Debug)]
pub enum Heard {
    Message(Flow, Box<Message>),
    /// A stream has ended.
    Closed(Flow),
}

/// The sockets of one carrier or telephone.
#[derive(Debug)]
pub struct Wire {
    local: SocketAddr,
    udp: UdpSocket,
    streams: Mutex<HashMap<u64, Stream>>,
    next_stream: AtomicU64,
    garbage: AtomicU64,
    heard: mpsc::Sender<Heard>,
    tracker: TaskTracker,
    token: CancellationToken,
}

#[derive(Debug)]
struct Stream {
    outbox: mpsc::Sender<Vec<u8>>,
    token: CancellationToken,
}

impl Wire {
    /// Binds UDP and TCP on the same port (0: any port free for both) and begins to listen.
    pub async fn open(
        listen: SocketAddr,
        tracker: &TaskTracker,
        token: &CancellationToken,
    ) -> io::Result<(Arc<Self>, mpsc::Receiver<Heard>)> {
        let (udp, tcp) = bind_both(listen).await?;
        let (heard, inbox) = mpsc::channel(HEARD_BOUND);
        let wire = Arc::new(Self {
            local: udp.local_addr()?,
            udp,
            streams: Mutex::default(),
            next_stream: AtomicU64::new(1),
            garbage: AtomicU64::new(0),
            heard,
            tracker: tracker.clone(),
            token: token.clone(),
        });
        tracker.spawn(token.clone().run_until_cancelled_owned(Arc::clone(&wire).read_datagrams()));
        tracker.spawn(token.clone().run_until_cancelled_owned(Arc::clone(&wire).accept_streams(tcp)));
        Ok((wire, inbox))
    }

    /// The address of both sockets.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Datagrams and streams that were not SIP.
    pub fn garbage_count(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed)
    }

    /// Opens a stream to `peer`.
    pub async fn connect(self: &Arc<Self>, peer: SocketAddr) -> io::Result<Flow> {
        let stream = TcpStream::connect(peer).await?;
        Ok(self.add_stream(stream, peer, false))
    }

    /// Sends at once or not at all: a full socket buffer or a closed stream loses the message, as a network would.
    pub fn send(&self, flow: Flow, bytes: Vec<u8>) {
        match flow {
            Flow::Udp(peer) => {
                if let Err(error) = self.udp.try_send_to(&bytes, peer) {
                    tracing::debug!(%peer, %error, "datagram not sent");
                }
            }
            Flow::Tcp { id, .. } => {
                let mut streams = self.streams();
                if streams.get(&id).is_some_and(|stream| stream.outbox.try_send(bytes).is_err())
                    && let Some(stream) = streams.remove(&id)
                {
                    stream.token.cancel();
                }
            }
        }
    }

    /// Sends later, unless the wire has ended by then.
    pub fn send_after(self: &Arc<Self>, flow: Flow, bytes: Vec<u8>, after: Duration) {
        if after.is_zero() {
            return self.send(flow, bytes);
        }
        let wire = Arc::clone(self);
        self.tracker.spawn(self.token.clone().run_until_cancelled_owned(async move {
            tokio::time::sleep(after).await;
            wire.send(flow, bytes);
        }));
    }

    pub fn is_open(&self, flow: Flow) -> bool {
        match flow {
            Flow::Udp(_) => true,
            Flow::Tcp { id, .. } => self.streams().contains_key(&id),
        }
    }

    /// Ends every stream.
    pub fn close_streams(&self) {
        for (_, stream) in self.streams().drain() {
            stream.token.cancel();
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<u64, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_datagrams(self: Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        loop {
            // An error here is an ICMP answer to something sent before: the socket lives on.
            let Ok((length, source)) = self.udp.recv_from(&mut buffer).await else { continue };
            let bytes = buffer.get(..length).unwrap_or_default();
            match Message::parse(bytes) {
                Ok(message) => self.hear(Heard::Message(Flow::Udp(source), Box::new(message))).await,
                Err(_) if bytes.iter().all(|byte| b"\r\n\0".contains(byte)) => {}
                Err(error) => {
                    self.garbage.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%source, %error, "datagram is not sip");
                }
            }
        }
    }

    async fn accept_streams(self: Arc<Self>, listener: TcpListener) {
        loop {
            if let Ok((stream, peer)) = listener.accept().await {
                self.add_stream(stream, peer, false);
            }
        }
    }

    /// Takes TLS on another address, too.
    pub fn listen_tls(self: &Arc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        let wire = Arc::clone(self);
        self.tracker.spawn(self.token.clone().run_until_cancelled_owned(async move {
            loop {
                let Ok((stream, peer)) = listener.accept().await else { continue };
                let (wire, acceptor) = (Arc::clone(&wire), acceptor.clone());
                let token = wire.token.clone();
                wire.tracker.clone().spawn(token.run_until_cancelled_owned(async move {
                    match tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => drop(wire.add_stream(stream, peer, true)),
                        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
                        Err(_) => tracing::debug!(%peer, "no TLS handshake in time"),
                    }
                }));
            }
        }));
    }

    fn add_stream<S>(self: &Arc<Self>, stream: S, peer: SocketAddr, secure: bool) -> Flow
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let id = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let (outbox, posted) = mpsc::channel(FLOW_BOUND);
        let token = self.token.child_token();
        self.streams().insert(id, Stream { outbox, token: token.clone() });
        let flow = Flow::Tcp { id, peer, secure };
        let wire = Arc::clone(self);
        self.tracker.spawn(async move {
            let (mut reader, writer) = tokio::io::split(stream);
            tokio::select! {
                () = token.cancelled() => {}
                () = wire.read_stream(&mut reader, flow) => {}
                () = write_stream(writer, posted) => {}
            }
            wire.streams().remove(&id);
            // At the end of the whole wire nobody reads any more.
            let _ = wire.token.run_until_cancelled(wire.hear(Heard::Closed(flow))).await;
        });
        flow
    }

    async fn read_stream(&self, reader: &mut (impl AsyncRead + Unpin), flow: Flow) {
        let mut framer = Framer::default();
        let mut buffer = vec![0; 4096];
        loop {
            match reader.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => framer.push(buffer.get(..length).unwrap_or_default()),
            }
            loop {
                match framer.next_framed() {
                    Ok(Some(Framed::Message(message))) => self.hear(Heard::Message(flow, message)).await,
                    Ok(Some(Framed::Ping)) => self.send(flow, b"\r\n".to_vec()),
                    Ok(None) => break,
                    Err(error) => {
                        self.garbage.fetch_add(1, Ordering::Relaxed);
                        tracing::debug!(peer = %flow.peer(), %error, "stream is not sip, closing it");
                        return;
                    }
                }
            }
        }
    }

    async fn hear(&self, heard: Heard) {
        // The reader of the inbox is gone only when all is being stopped.
        let _ = self.heard.send(heard).await;
    }
}

async fn write_stream(mut writer: impl AsyncWrite + Unpin, mut posted: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = posted.recv().await {
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

/// UDP and TCP on one port; with port 0 the kernel's choice for UDP may be taken for TCP, so try a few.
async fn bind_both(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts_left = if listen.port() == 0 { 20 } else { 1 };
    loop {
        attempts_left -= 1;
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(listen), socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // The kernel gives less where its limit is lower; that is no reason to stop.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER_BYTES);
        socket.bind(&listen.into())?;
        let udp = UdpSocket::from_std(socket.into())?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if attempts_left == 0 => return Err(error),
            Err(_) => {}
        }
    }
}
