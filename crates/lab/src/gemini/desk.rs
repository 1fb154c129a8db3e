//! What a test can ask of this fake besides faults and records.

use super::Desk;
use super::script::Script;

impl Desk {
    /// The script of sessions that are set up from now on. A resumed session keeps the one it had.
    pub fn set_script(&self, script: Script) {
        self.office().state().memory.script = script;
    }

    /// The script of the next session that is set up; several wait in line.
    pub fn queue_script(&self, script: Script) {
        self.office().state().memory.queued.push_back(script);
    }

    /// From now on no handle given so far resumes anything: 1007.
    pub fn forget_handles(&self) {
        self.office().state().memory.handles.clear();
    }

    /// What the service has put up with and a caller would not, in all sessions.
    pub fn complaints(&self) -> Vec<String> {
        self.sessions().iter().flat_map(|session| session.look(|log| log.complaints.clone())).collect()
    }
}
