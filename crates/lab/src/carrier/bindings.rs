//! The registrar's memory: who can be reached where, until when (RFC 3261 §10.3).

use crate::message::Uri;
use crate::wire::{Flow, Transport};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

/// One Contact of one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub username: String,
    /// The Contact URI as registered.
    pub contact: String,
    pub user_agent: String,
    pub expires_at: Instant,
    pub call_id: String,
    pub cseq: u32,
    /// The way the REGISTER came.
    pub flow: Flow,
}

impl Binding {
    /// Where a request for it goes: the stream it registered over if that is a secure one or its Contact says
    /// `transport=tcp`, else by datagram to the Contact's own address; by the source if that is a name.
    pub fn route(&self) -> Flow {
        let uri = Uri::parse(&self.contact);
        match (self.flow.transport(), uri) {
            (Transport::Tls, _) => self.flow,
            (Transport::Tcp, Some(uri)) if uri.is_tcp() => self.flow,
            (_, Some(uri)) => Flow::Udp(uri.socket_addr().unwrap_or(self.source())),
            (_, None) => self.flow,
        }
    }

    /// Where the REGISTER came from.
    pub fn source(&self) -> SocketAddr {
        self.flow.peer()
    }
}

#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// By username; the newest binding is last.
    by_user: HashMap<String, Vec<Binding>>,
}

impl Bindings {
    /// Adds or refreshes. `false` if an older CSeq of the same Call-ID tries to (RFC 3261 §10.3 step 7).
    pub fn put(&mut self, binding: Binding) -> bool {
        let list = self.by_user.entry(binding.username.clone()).or_default();
        if list.iter().any(|old| old.contact == binding.contact && old.call_id == binding.call_id && old.cseq >= binding.cseq) {
            return false;
        }
        list.retain(|old| old.contact != binding.contact);
        list.push(binding);
        true
    }

    /// Takes one contact away, or all with `None`. `true` if the subscriber is left without any.
    pub fn remove(&mut self, username: &str, contact: Option<&str>) -> bool {
        let Some(list) = self.by_user.get_mut(username) else { return false };
        let before = list.len();
        list.retain(|binding| contact.is_some_and(|contact| binding.contact != contact));
        before > 0 && list.is_empty()
    }

    /// The bindings of one subscriber, newest last.
    pub fn of(&self, username: &str, now: Instant) -> impl DoubleEndedIterator<Item = &Binding> {
        self.by_user.get(username).into_iter().flatten().filter(move |binding| binding.expires_at > now)
    }

    pub fn all(&self, now: Instant) -> Vec<Binding> {
        self.by_user.values().flatten().filter(|binding| binding.expires_at > now).cloned().collect()
    }

    pub fn forget(&mut self) {
        self.by_user.clear();
    }

    /// Drops what a closed stream carried.
    pub fn close(&mut self, flow: Flow) {
        for list in self.by_user.values_mut() {
            list.retain(|binding| binding.flow != flow || binding.route() != flow);
        }
    }

    /// Drops what has expired; the usernames left without a binding.
    pub fn purge(&mut self, now: Instant) -> Vec<String> {
        let mut gone = Vec::new();
        self.by_user.retain(|username, list| {
            let before = list.len();
            list.retain(|binding| binding.expires_at > now);
            if list.is_empty() && before > 0 {
                gone.push(username.clone());
            }
            !list.is_empty()
        });
        gone
    }
}
