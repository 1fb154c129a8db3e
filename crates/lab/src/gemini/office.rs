//! What all sessions share: the key, the scripts, the faults, the records, the handles by which a session is resumed.

use super::FakeGeminiOptions;
use super::fault::Faults;
use super::record::{Session, SessionLog};
use super::script::Script;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// Handles that are remembered; the real service forgets by time.
const HANDLES: usize = 4096;

#[derive(Debug)]
pub(super) struct Office {
    pub options: FakeGeminiOptions,
    live: AtomicUsize,
    /// Taken shortly, never across an await.
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub script: Script,
    pub queued: VecDeque<Script>,
    pub faults: Faults,
    pub sessions: VecDeque<Session>,
    pub connections: u64,
    /// With the session that gave it.
    pub handles: HashMap<String, (Resume, Session)>,
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

impl Office {
    pub fn new(options: FakeGeminiOptions) -> Self {
        let state = State {
            script: options.script.clone(),
            queued: VecDeque::new(),
            faults: Faults::default(),
            sessions: VecDeque::new(),
            connections: 0,
            handles: HashMap::new(),
            handles_given: 0,
        };
        Self { options, live: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Begins a record, with the wishes that will be made of the session.
    pub fn open(self: &Arc<Self>, now: Instant) -> (Session, mpsc::Receiver<super::Act>, Seat) {
        // Wishes of a test: few, and refused visibly when there are more.
        let (acts, wishes) = mpsc::channel(16);
        let mut state = self.state();
        state.connections += 1;
        let log = SessionLog::new(state.connections, now, self.options.keep_audio);
        let session = Session::new(log, acts);
        state.sessions.push_back(session.clone());
        while state.sessions.len() > self.options.keep_sessions.max(1) {
            state.sessions.pop_front();
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        (session, wishes, Seat(Arc::clone(self)))
    }

    /// A new handle for a session that has come so far.
    pub fn handle(&self, resume: Resume, giver: &Session) -> String {
        let mut state = self.state();
        state.handles_given += 1;
        let handle = format!("handle-{}", state.handles_given);
        if state.handles.len() >= HANDLES {
            state.handles.clear();
        }
        state.handles.insert(handle.clone(), (resume, giver.clone()));
        handle
    }
}

/// Counts one open socket.
#[derive(Debug)]
pub(super) struct Seat(Arc<Office>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}
