//! Who has a number here: subscribers, and numbers that stand for something else.

use crate::digest::Algorithm;
use crate::message::Uri;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Which digest algorithms a subscriber is challenged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithms {
    Md5,
    Sha256,
    /// SHA-256 first, as RFC 8760 §2.4 asks.
    Both,
}

impl Algorithms {
    pub(super) fn list(self) -> &'static [Algorithm] {
        match self {
            Self::Md5 => &[Algorithm::Md5],
            Self::Sha256 => &[Algorithm::Sha256],
            Self::Both => &[Algorithm::Sha256, Algorithm::Md5],
        }
    }
}

/// A customer of the carrier.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// `alice`, or `alice@domain` when several domains share the carrier.
    pub username: String,
    pub password: String,
    pub algorithms: Algorithms,
}

impl Subscriber {
    pub fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.to_owned(), algorithms: Algorithms::Md5 }
    }

    #[must_use]
    pub fn with_algorithms(mut self, algorithms: Algorithms) -> Self {
        self.algorithms = algorithms;
        self
    }
}

/// What a number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The bindings of a subscriber.
    Subscriber(String),
    /// A telephone at a fixed UDP address.
    Line(SocketAddr),
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    subscribers: HashMap<String, Subscriber>,
    numbers: HashMap<String, Destination>,
}

impl Directory {
    pub fn add(&mut self, subscriber: Subscriber) {
        self.subscribers.insert(subscriber.username.clone(), subscriber);
    }

    pub fn add_number(&mut self, number: &str, destination: Destination) {
        self.numbers.insert(number.to_owned(), destination);
    }

    /// The subscriber of an address of record: by `user@host` if that is a subscriber, else by `user`.
    pub fn by_uri(&self, uri: &str) -> Option<&Subscriber> {
        let uri = Uri::parse(uri)?;
        let user = uri.user?.replace("%40", "@");
        self.subscribers.get(&format!("{user}@{}", uri.host)).or_else(|| self.by_digest_name(&user))
    }

    /// The subscriber a digest username means: the whole name, or its part before `@`.
    pub fn by_digest_name(&self, name: &str) -> Option<&Subscriber> {
        self.subscribers.get(name).or_else(|| self.subscribers.get(name.split_once('@')?.0))
    }

    /// Where a called URI leads.
    pub fn find(&self, uri: &str) -> Option<Destination> {
        let user = Uri::parse(uri)?.user?.replace("%2B", "+").replace("%2b", "+");
        match self.numbers.get(&user) {
            Some(destination) => Some(destination.clone()),
            None => self.by_uri(uri).map(|subscriber| Destination::Subscriber(subscriber.username.clone())),
        }
    }
}
