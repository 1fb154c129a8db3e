//! A session as a test sees it: its record, and the acts that can be asked of it.

use super::Service;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// A session, running or over. Cheap to clone.
#[derive(Debug)]
pub struct Session<S: Service> {
    log: Arc<Mutex<S::Log>>,
    acts: mpsc::Sender<S::Act>,
}

// A derived one would want the record to be cloned, too.
impl<S: Service> Clone for Session<S> {
    fn clone(&self) -> Self {
        Self { log: Arc::clone(&self.log), acts: self.acts.clone() }
    }
}

impl<S: Service> Session<S> {
    pub(super) fn new(log: S::Log, acts: mpsc::Sender<S::Act>) -> Self {
        Self { log: Arc::new(Mutex::new(log)), acts }
    }

    /// Looks at the record as it is now. Keep it short: the session waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&S::Log) -> T) -> T {
        look(&self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut S::Log) -> T) -> T {
        note(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does this now. False if the session is over, or 16 such wishes are waiting.
    pub fn act(&self, act: S::Act) -> bool {
        self.acts.try_send(act).is_ok()
    }
}

/// What the socket writes into a record.
pub trait Log: Debug + Send {
    /// The first time it is called counts.
    fn close(&mut self, closed: Closed);

    /// The client has sent a ping.
    fn ping(&mut self) {}
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub at: Instant,
    pub by: Side,
    /// `None`: without a close frame.
    pub code: Option<u16>,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Fake,
}
