//! The side of a fake that a test stands at: faults and records. Scripts are each fake's own.

use super::{Fault, Office, Service, Session};
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk<S: Service>(Arc<Office<S>>);

impl<S: Service> Desk<S> {
    pub(crate) fn new(options: S::Options) -> Self {
        Self(Arc::new(Office::new(options)))
    }

    pub(crate) fn office(&self) -> &Arc<Office<S>> {
        &self.0
    }

    /// Makes a fault happen in every session from now on.
    pub fn fault(&self, fault: Fault<S::Moment, S::Act>) {
        self.0.state().faults.set(fault, None);
    }

    /// Makes a fault happen once, in the first session that comes to its moment.
    pub fn fault_once(&self, fault: Fault<S::Moment, S::Act>) {
        self.fault_times(fault, 1);
    }

    /// Makes a fault happen so many times, each time in the next session that comes to its moment.
    pub fn fault_times(&self, fault: Fault<S::Moment, S::Act>, times: u32) {
        self.0.state().faults.set(fault, Some(times));
    }

    pub fn clear_faults(&self) {
        self.0.state().faults.clear();
    }

    /// The sessions whose records are kept, oldest first, refused ones too.
    pub fn sessions(&self) -> Vec<Session<S>> {
        self.0.state().sessions.iter().cloned().collect()
    }

    /// The newest session.
    pub fn latest(&self) -> Option<Session<S>> {
        self.0.state().sessions.back().cloned()
    }

    /// Connections so far, refused ones too.
    pub fn connections(&self) -> u64 {
        self.0.state().connections
    }

    /// Sockets that are open.
    pub fn live_sockets(&self) -> usize {
        self.0.live()
    }
}
