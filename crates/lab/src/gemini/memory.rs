//! What the sessions share: the scripts, and the handles by which a session is resumed.

use super::Session;
use super::script::Script;
use std::collections::{HashMap, VecDeque};

/// Handles that are remembered; the real service forgets by time.
const HANDLES: usize = 4096;

#[derive(Debug)]
pub struct Memory {
    pub(super) script: Script,
    pub(super) queued: VecDeque<Script>,
    /// With the session that gave it.
    pub(super) handles: HashMap<String, (Resume, Session)>,
    handles_given: u64,
}

/// Where a resumed session goes on.
#[derive(Clone, Debug)]
pub(super) struct Resume {
    pub model: String,
    pub script: Script,
    pub greeted: bool,
    /// Exchanges that are over.
    pub exchanges: usize,
}

impl Memory {
    pub(super) fn new(script: Script) -> Self {
        Self { script, queued: VecDeque::new(), handles: HashMap::new(), handles_given: 0 }
    }

    /// The script of a session that takes up no other.
    pub(super) fn next_script(&mut self) -> Script {
        self.queued.pop_front().unwrap_or_else(|| self.script.clone())
    }

    /// A new handle for a session that has come so far.
    pub(super) fn handle(&mut self, resume: Resume, giver: &Session) -> String {
        self.handles_given += 1;
        let handle = format!("handle-{}", self.handles_given);
        if self.handles.len() >= HANDLES {
            self.handles.clear();
        }
        self.handles.insert(handle.clone(), (resume, giver.clone()));
        handle
    }
}
