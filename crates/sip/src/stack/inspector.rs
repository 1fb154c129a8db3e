//! The hooks the stack offers: who we say we are in messages that it writes itself, which responses are made up, and
//! how many messages came in.

use super::message::{LOCAL_MARK, verbatim};
use crate::door::{Door, Reason};
use crate::trace::Recorder;
use async_trait::async_trait;
use rsipstack::sip::headers::Header;
use rsipstack::sip::{HasHeaders, Method as StackMethod, SipMessage};
use rsipstack::transaction::endpoint::{MessageInspector, TransportEventInspector};
use rsipstack::transport::{SipAddr, TransportEvent};
use std::collections::HashMap;
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
}

impl MessageInspector for Inspector {
    fn before_send(&self, mut message: SipMessage, _to: Option<&SipAddr>) -> SipMessage {
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
        message
    }

    fn after_received(&self, mut message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        if from.is_none() {
            message.headers_mut().push(Header::Other(LOCAL_MARK.into(), "1".into()));
        }
        message
    }
}

/// Counts the datagrams that could be parsed; what came in beyond them was garbage. Keeps from the stack what it would answer
/// to strangers.
pub(super) struct Gate {
    pub parsed: Arc<AtomicU64>,
    pub recorder: Arc<Recorder>,
    pub door: Arc<Door>,
}

impl Gate {
    /// The stack itself answers a CANCEL of nothing: strangers are not to hear that.
    fn is_probe(&self, message: &SipMessage, from: &SipAddr) -> bool {
        let SipMessage::Request(request) = message else { return false };
        let Ok(from) = from.get_socketaddr() else { return false };
        let call_id = || super::message::first(&request.headers, "Call-ID").unwrap_or_default();
        request.method == StackMethod::Cancel && !self.door.answers(from.ip()) && !self.recorder.follows(call_id())
    }
}

#[async_trait]
impl TransportEventInspector for Gate {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        if let TransportEvent::Incoming(_, connection, _) = &event
            && !connection.is_reliable()
        {
            self.parsed.fetch_add(1, Ordering::Relaxed);
        }
        match &event {
            TransportEvent::Incoming(message, _, from) if self.is_probe(message, from) => {
                self.door.counts.count(Reason::Stranger);
                None
            }
            _ => Some(event),
        }
    }
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
