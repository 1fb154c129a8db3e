//! The task of one connection: bytes in become messages for the stack, what the stack posts becomes bytes.

use super::framing::{Framed, Framer, Lost};
use super::keepalive::Pongs;
use super::table::{Outbox, unbounded};
use super::{Stream, Streams};
use crate::stack::flow::sip_addr;
use crate::stack::{tls, unknown_method};
use crate::trace::Seen;
use bytes::BytesMut;
use callie_domain::record::Way;
use rsipstack::sip::SipMessage;
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::connection::TransportSender;
use rsipstack::transport::{SipConnection, TransportEvent, TransportLayer};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";
/// Bytes that a peer has not taken; one that is further behind is cut off.
const MOST_UNSENT: usize = 1 << 20;
/// Malformed messages in a row that a stranger may send; on connections that we opened, which accounts share.
const MOST_MALFORMED: u32 = 8;
const MOST_MALFORMED_SHARED: u32 = 1_000;
/// A stranger says something within this, and ends a message that it has begun.
const FIRST_WORD_WITHIN: Duration = Duration::from_secs(30);
/// A connection that a peer opened is closed after so long a silence: nobody needs it who sends no keepalive.
const SILENT_FOR: Duration = Duration::from_secs(3600);
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// The way into the stack that all connections share: messages, each with the connection that it came by.
#[derive(Clone)]
pub(in crate::stack) struct Feed(TransportSender);

impl Feed {
    /// A channel that the stack serves and whose own messages name other connections than itself.
    pub async fn new(layer: &TransportLayer, name: rsipstack::transport::SipAddr) -> rsipstack::Result<Self> {
        let (feed, fed) = unbounded();
        let (unused, _) = unbounded();
        let channel = ChannelConnection::create_connection(fed, unused, name, None).await?;
        layer.inner.serve_connection(SipConnection::Channel(channel));
        Ok(Self(feed))
    }
}

/// Why a connection ended.
enum Ending {
    ByUs,
    ByPeer,
    /// With what a person can do about it.
    Failed(String),
    Lost(Lost),
    Malformed,
    NotTaken,
    Silent,
    NoPong,
}

impl Ending {
    fn is_fault_of_peer(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Malformed | Self::NotTaken | Self::NoPong)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ByUs => f.write_str("connection closed"),
            Self::ByPeer => f.write_str("connection closed by the peer"),
            Self::Failed(reason) => write!(f, "connection lost: {reason}"),
            Self::Lost(lost) => write!(f, "connection closed: the peer sent {lost}"),
            Self::Malformed => f.write_str("connection closed: the peer sent nothing but malformed messages"),
            Self::NotTaken => f.write_str("connection closed: the peer takes nothing"),
            Self::NoPong => f.write_str("connection closed: the peer answers no keepalive any more"),
            Self::Silent => f.write_str("connection closed: the peer was silent"),
        }
    }
}

/// One step on: writes what it can, or, when nothing is unsent, flushes; `true` then. May be dropped at any point.
async fn push<W: AsyncWrite + Unpin>(writer: &mut W, unsent: &mut BytesMut) -> std::io::Result<bool> {
    if unsent.is_empty() {
        return writer.flush().await.map(|()| true);
    }
    match writer.write_buf(unsent).await? {
        0 => Err(std::io::ErrorKind::WriteZero.into()),
        _ => Ok(false),
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

struct Carrier {
    stream: Arc<Stream>,
    streams: Arc<Streams>,
    feed: Feed,
    framer: Framer,
    unsent: BytesMut,
    /// Malformed messages since the last good one.
    malformed: u32,
    /// When what is expected of a stranger must have come.
    due: Instant,
    pongs: Pongs,
}

impl Streams {
    /// Carries messages both ways until the connection ends; spawn it.
    pub async fn carry<S>(self: Arc<Self>, stream: Arc<Stream>, outbox: Outbox, feed: Feed, socket: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let due = Instant::now() + FIRST_WORD_WITHIN;
        let mut carrier = Carrier {
            stream: stream.clone(),
            streams: self.clone(),
            feed,
            framer: Framer::default(),
            unsent: BytesMut::new(),
            malformed: 0,
            due,
            pongs: Pongs::new(self.pong_within),
        };
        let (reader, mut writer) = tokio::io::split(socket);
        let ending = carrier.run(reader, &mut writer, outbox).await;
        if ending.is_fault_of_peer() {
            self.counts.broken.fetch_add(1, Ordering::Relaxed);
        }
        tracing::debug!(remote = %stream.remote, transport = stream.transport.as_str(), "{ending}");
        self.forget(&stream);
        stream.close(&ending.to_string());
        tokio::time::timeout(GOODBYE_WITHIN, writer.shutdown()).await.ok();
    }
}

impl Carrier {
    async fn run<R, W>(&mut self, mut reader: R, writer: &mut W, mut outbox: Outbox) -> Ending
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let stream = self.stream.clone();
        let mut unflushed = false;
        loop {
            if self.unsent.len() > MOST_UNSENT {
                return Ending::NotTaken;
            }
            tokio::select! {
                () = stream.closed.cancelled() => return Ending::ByUs,
                posted = outbox.recv() => match posted {
                    Some(TransportEvent::Incoming(message, ..)) => self.post(&message.to_bytes()),
                    Some(_) => {}
                    None => return Ending::ByUs,
                },
                () = stream.pinged.notified() => {
                    self.pongs.pinged(Instant::now());
                    self.unsent.extend_from_slice(PING);
                }
                pushed = push(writer, &mut self.unsent), if unflushed || !self.unsent.is_empty() => match pushed {
                    Ok(flushed) => unflushed = !flushed,
                    Err(error) => return self.failed(&error),
                },
                read = reader.read_buf(self.framer.space()) => match read {
                    Ok(0) => return Ending::ByPeer,
                    Ok(_) => {
                        self.pongs.heard();
                        if let Err(ending) = self.take() {
                            return ending;
                        }
                    }
                    Err(error) => return self.failed(&error),
                },
                () = tokio::time::sleep_until(self.due), if self.stream.key.is_none() => return Ending::Silent,
                () = at(self.pongs.dead_at()) => return Ending::NoPong,
            }
        }
    }

    fn failed(&self, error: &std::io::Error) -> Ending {
        let identity = self.stream.key.as_ref().and_then(|key| key.identity.as_deref());
        Ending::Failed(identity.map_or_else(|| error.to_string(), |identity| tls::explain(error, identity)))
    }

    /// What comes by a connection that we opened is what we wanted.
    fn is_let_in(&self) -> bool {
        self.stream.key.is_some() || self.streams.door.lets_in(self.stream.remote.ip())
    }

    fn hear(&self, way: Way, message: &[u8]) {
        let Stream { transport, local, remote, .. } = *self.stream;
        self.streams.recorder.hear(message, Seen { way, transport, local, remote });
    }

    fn post(&mut self, message: &[u8]) {
        self.hear(Way::Sent, message);
        self.unsent.extend_from_slice(message);
    }

    /// Hands on what has come.
    fn take(&mut self) -> Result<(), Ending> {
        if self.pongs.is_awaited() && self.framer.take_pong() {
            self.pongs.ponged();
        }
        while let Some(framed) = self.framer.next_framed().map_err(Ending::Lost)? {
            match framed {
                Framed::Ping => self.unsent.extend_from_slice(PONG),
                Framed::Message { .. } if !self.is_let_in() => {}
                Framed::Message { bytes, measured } => self.read(&bytes, measured)?,
            }
        }
        let patience = if self.framer.is_halfway() { FIRST_WORD_WITHIN } else { SILENT_FOR };
        let due = Instant::now() + patience;
        // A message that trickles in does not earn more time with each byte.
        self.due = if self.framer.is_halfway() { self.due.min(due) } else { due };
        Ok(())
    }

    fn read(&mut self, bytes: &[u8], measured: bool) -> Result<(), Ending> {
        self.hear(Way::Received, bytes);
        let from = sip_addr(self.stream.transport, self.stream.remote);
        let kind = from.r#type.unwrap_or_default();
        let message = SipMessage::try_from(bytes).map_err(|error| error.to_string()).and_then(|message| {
            let received = SipConnection::update_msg_received(message, self.stream.remote, kind);
            received.map_err(|error| error.to_string())
        });
        match message {
            Ok(message) => {
                self.malformed = 0;
                // Nobody listens only while all is being stopped.
                self.feed.0.send(TransportEvent::Incoming(message, self.stream.connection.clone(), from)).ok();
                Ok(())
            }
            Err(error) => self.drop_malformed(bytes, measured, &error),
        }
    }

    fn drop_malformed(&mut self, bytes: &[u8], measured: bool, error: &str) -> Result<(), Ending> {
        self.malformed += 1;
        self.streams.counts.malformed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(remote = %self.stream.remote, %error, "malformed message dropped");
        if let Some(refusal) = unknown_method::refusal(bytes, self.stream.remote)
            && self.streams.door.answers(self.stream.remote.ip())
        {
            self.post(&refusal);
        }
        let most = if self.stream.key.is_some() { MOST_MALFORMED_SHARED } else { MOST_MALFORMED };
        match measured {
            false => Err(Ending::Lost(Lost::Unmeasured)),
            true if self.malformed > most => Err(Ending::Malformed),
            true => Ok(()),
        }
    }
}
