//! Which leg a request inside a dialog belongs to: by Call-ID and our tag.

use super::{DialogId, Facts};
use crate::stack::Incoming;
use callie_domain::UserId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Requests waiting for one leg. More at once is an attack or a fault; they get 503.
const REQUESTS: usize = 16;

type Key = (String, String);

/// All legs that are up.
#[derive(Default)]
pub(crate) struct Legs(Mutex<HashMap<Key, Entry>>);

struct Entry {
    requests: mpsc::Sender<Incoming>,
    facts: Arc<Facts>,
    user: UserId,
}

/// What an INVITE with `Replaces` finds (RFC 3891 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaceable {
    Yes,
    /// No such dialog, or not of this user's, or one that rings here and was not dialled by us.
    No,
    /// It is up, and only an early one was to be replaced.
    NotEarly,
}

impl Legs {
    /// Opens the mailbox of a new leg; it closes when dropped.
    pub fn admit(self: &Arc<Self>, facts: &Arc<Facts>, local_tag: &str, user: &UserId) -> Mailbox {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let key = (facts.call_id().to_owned(), local_tag.to_owned());
        self.map().insert(key.clone(), Entry { requests: sender, facts: facts.clone(), user: user.clone() });
        Mailbox { legs: self.clone(), key, requests }
    }

    /// Hands over a request with a To tag; gives it back with the status code to refuse it with.
    pub fn deliver(&self, request: Incoming) -> Result<(), (Box<Incoming>, u16)> {
        let key = (request.call_id().to_owned(), request.to_tag().unwrap_or_default().to_owned());
        let leg = self.map().get(&key).map(|entry| entry.requests.clone());
        match leg {
            None => Err((Box::new(request), 481)),
            Some(leg) => leg.try_send(request).map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(request) => (Box::new(request), 503),
                mpsc::error::TrySendError::Closed(request) => (Box::new(request), 481),
            }),
        }
    }

    /// Whether a call for `user` may take the place of the dialog `id`.
    pub fn replaceable(&self, id: &DialogId, early_only: bool, user: &UserId) -> Replaceable {
        let map = self.map();
        let found = map.get(&(id.call_id.clone(), id.local_tag.clone()));
        let found = found.filter(|leg| leg.user == *user && leg.facts.dialog_id().as_ref() == Some(id));
        match found.map(|leg| leg.facts.is_confirmed()) {
            Some(true) if early_only => Replaceable::NotEarly,
            Some(true) => Replaceable::Yes,
            _ => Replaceable::No,
        }
    }

    pub fn count(&self) -> usize {
        self.map().len()
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The requests of one leg.
pub(crate) struct Mailbox {
    legs: Arc<Legs>,
    key: Key,
    requests: mpsc::Receiver<Incoming>,
}

impl Mailbox {
    pub async fn next(&mut self) -> Incoming {
        match self.requests.recv().await {
            Some(request) => request,
            // The registry holds the other end for as long as we live.
            None => std::future::pending().await,
        }
    }

    /// Takes nothing more, and hands out what came before that: it wants an answer too.
    pub fn close(&mut self) -> Vec<Incoming> {
        self.legs.map().remove(&self.key);
        self.requests.close();
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.legs.map().remove(&self.key);
    }
}
