//! The hooks the stack offers: who we say we are in messages that it writes itself, which responses are made up, and
//! how many messages came in.

use super::message::{LOCAL_MARK, verbatim};
use crate::trace::{Recorder, Seen};
use async_trait::async_trait;
use callie_domain::Transport;
use callie_domain::record::Way;
use rsipstack::sip::headers::Header;
use rsipstack::sip::{HasHeaders, Method as StackMethod, SipMessage};
use rsipstack::transaction::endpoint::{MessageInspector, TransportEventInspector};
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// The User-Agent the stack puts into what it writes itself (ACK, CANCEL's 200…): replaced or removed before it leaves.
pub(super) const PLACEHOLDER: &str = "callie";

/// The User-Agent of each call, by Call-ID, and how many name it: the branches of a forked call share one. A leg's guard takes
/// its own name back.
#[derive(Default)]
pub(super) struct UserAgents(RwLock<HashMap<String, (Arc<str>, usize)>>);

impl UserAgents {
    pub fn insert(&self, call_id: &str, user_agent: Arc<str>) {
        let mut names = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        names.entry(call_id.to_owned()).or_insert((user_agent, 0)).1 += 1;
    }

    pub fn remove(&self, call_id: &str) {
        let mut names = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some((_, named)) = names.get_mut(call_id) else { return };
        *named -= 1;
        if *named == 0 {
            names.remove(call_id);
        }
    }

    fn get(&self, call_id: &str) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(call_id).map(|(agent, _)| agent.clone())
    }
}

pub(super) struct Inspector {
    pub user_agents: Arc<UserAgents>,
    pub recorder: Arc<Recorder>,
    /// Where we listen: our end of a stream that is not known yet.
    pub local: SocketAddr,
}

impl MessageInspector for Inspector {
    fn before_send(&self, mut message: SipMessage, to: Option<&SipAddr>) -> SipMessage {
        let headers = message.headers_mut();
        let is_placeholder = |h: &Header| matches!(h, Header::UserAgent(agent) if agent.value() == PLACEHOLDER);
        if headers.0.iter().any(is_placeholder) {
            headers.0.retain(|h| !is_placeholder(h));
            let has_own = headers.0.iter().any(|h| matches!(h, Header::UserAgent(_)));
            let call_id = super::message::first(headers, "Call-ID").unwrap_or_default();
            if let Some(agent) = self.user_agents.get(call_id).filter(|_| !has_own) {
                headers.push(Header::UserAgent(agent.to_string().into()));
            }
        }
        unescape_ack(&mut message);
        self.hear_sent(&message, to);
        message
    }

    fn after_received(&self, mut message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        if from.is_none() {
            message.headers_mut().push(Header::Other(LOCAL_MARK.into(), "1".into()));
        }
        message
    }
}

/// The transport in a Via value, when it is a stream.
fn stream_of(via: &str) -> Option<Transport> {
    let transport = via.split_whitespace().next()?.rsplit('/').next()?.parse().ok()?;
    Some(transport).filter(|transport: &Transport| transport.is_stream())
}

impl Inspector {
    /// What goes out by UDP is heard at the socket, repetitions too; streams have no such place, and repeat nothing.
    fn hear_sent(&self, message: &SipMessage, to: Option<&SipAddr>) {
        let headers = message.headers();
        let Some(via) = super::message::first(headers, "Via") else { return };
        let Some(transport) = stream_of(via) else { return };
        let Some(remote) = to.and_then(|to| to.get_socketaddr().ok()).or_else(|| seen_in(via)) else { return };
        let local = self.recorder.stream_end(remote).unwrap_or(self.local);
        self.recorder.hear(&message.to_bytes(), Seen { way: Way::Sent, transport, local, remote });
    }
}

/// Where the stack saw the request come from whose Via this is: `received` and `rport` (RFC 3581 §4).
fn seen_in(via: &str) -> Option<SocketAddr> {
    let first = via.split(',').next()?;
    let param = |wanted: &str| {
        first.split(';').skip(1).find_map(|p| {
            let (name, value) = p.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches(['[', ']']))
        })
    };
    let sent_by = first.split(';').next()?.split_whitespace().nth(1)?;
    let here: Option<SocketAddr> = sent_by.parse().ok();
    let ip = param("received").and_then(|ip| ip.parse().ok()).or(here.map(|here| here.ip()))?;
    let port = param("rport").and_then(|port| port.parse().ok()).or(here.map(|here| here.port()))?;
    Some(SocketAddr::new(ip, port))
}

/// Counts the messages that could be parsed; what came in beyond them was garbage. Hears what comes by streams.
pub(super) struct Gate {
    pub parsed: Arc<AtomicU64>,
    pub recorder: Arc<Recorder>,
}

impl Gate {
    fn hear(&self, message: &SipMessage, connection: &SipConnection) {
        let Some(flow) = super::Flow::of_connection(connection) else { return };
        let Ok(local) = connection.get_addr().get_socketaddr() else { return };
        let seen = Seen { way: Way::Received, transport: flow.transport, local, remote: flow.remote };
        self.recorder.hear(&message.to_bytes(), seen);
    }
}

#[async_trait]
impl TransportEventInspector for Gate {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        match &event {
            TransportEvent::Incoming(message, connection, _) if connection.is_reliable() => self.hear(message, connection),
            TransportEvent::Incoming(..) => {
                self.parsed.fetch_add(1, Ordering::Relaxed);
            }
            TransportEvent::New(connection) => {
                if let Some((local, remote)) = ends(connection) {
                    self.recorder.stream_opened(local, remote);
                }
            }
            TransportEvent::Closed(connection) => {
                if let Some((_, remote)) = ends(connection) {
                    self.recorder.stream_closed(remote);
                }
            }
        }
        Some(event)
    }
}

/// Our end and the other of a stream.
pub(super) fn ends(connection: &SipConnection) -> Option<(SocketAddr, SocketAddr)> {
    let flow = super::Flow::of_connection(connection).filter(|flow| flow.transport.is_stream())?;
    Some((connection.get_addr().get_socketaddr().ok()?, flow.remote))
}

/// The stack writes the ACK of a 2xx to the peer's Contact and escapes what is escaped there already.
fn unescape_ack(message: &mut SipMessage) {
    let SipMessage::Request(request) = message else { return };
    let Some(auth) = request.uri.auth.as_ref().filter(|auth| request.method == StackMethod::Ack && auth.user.contains('%'))
    else {
        return;
    };
    let (user, mut bare) = (auth.user.clone(), request.uri.clone());
    bare.auth = None;
    bare.scheme = None;
    let scheme = request.uri.scheme.as_ref().map_or("sip".to_owned(), ToString::to_string);
    if let Some(uri) = verbatim(&format!("{scheme}:{user}@{bare}")) {
        request.uri = uri;
    }
}
