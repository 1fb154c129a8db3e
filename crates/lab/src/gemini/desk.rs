//! The side of the fake that a test stands at: scripts, faults, records.

use super::FakeGeminiOptions;
use super::fault::Fault;
use super::office::Office;
use super::record::Session;
use super::script::Script;
use std::sync::Arc;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Office>);

impl Desk {
    pub(super) fn new(options: FakeGeminiOptions) -> Self {
        Self(Arc::new(Office::new(options)))
    }

    pub(super) fn office(&self) -> &Arc<Office> {
        &self.0
    }

    /// The script of sessions that are set up from now on. A resumed session keeps the one it had.
    pub fn set_script(&self, script: Script) {
        self.0.state().script = script;
    }

    /// The script of the next session that is set up; several wait in line.
    pub fn queue_script(&self, script: Script) {
        self.0.state().queued.push_back(script);
    }

    /// Makes a fault happen in every session from now on.
    pub fn fault(&self, fault: Fault) {
        self.0.state().faults.set(fault, None);
    }

    /// Makes a fault happen once, in the first session that comes to its moment.
    pub fn fault_once(&self, fault: Fault) {
        self.fault_times(fault, 1);
    }

    /// Makes a fault happen so many times, each time in the next session that comes to its moment.
    pub fn fault_times(&self, fault: Fault, times: u32) {
        self.0.state().faults.set(fault, Some(times));
    }

    pub fn clear_faults(&self) {
        self.0.state().faults.clear();
    }

    /// From now on no handle given so far resumes anything: 1007.
    pub fn forget_handles(&self) {
        self.0.state().handles.clear();
    }

    /// The sessions whose records are kept, oldest first, refused ones too.
    pub fn sessions(&self) -> Vec<Session> {
        self.0.state().sessions.iter().cloned().collect()
    }

    /// The newest session.
    pub fn latest(&self) -> Option<Session> {
        self.0.state().sessions.back().cloned()
    }

    /// What the service has put up with and a caller would not, in all sessions.
    pub fn complaints(&self) -> Vec<String> {
        self.sessions().iter().flat_map(|session| session.look(|log| log.complaints.clone())).collect()
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
