//! What all sessions share: the key, the script, the faults, the records.

use super::FakeOpenAiOptions;
use super::fault::Faults;
use super::record::{Session, SessionLog};
use super::script::Converse;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

#[derive(Debug)]
pub(super) struct Office {
    pub options: FakeOpenAiOptions,
    live: AtomicUsize,
    /// Taken shortly, never across an await.
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub script: Converse,
    pub faults: Faults,
    pub sessions: VecDeque<Session>,
    pub connections: u64,
}

impl Office {
    pub fn new(options: FakeOpenAiOptions) -> Self {
        let state =
            State { script: options.script.clone(), faults: Faults::default(), sessions: VecDeque::new(), connections: 0 };
        Self { options, live: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Begins a record, with the wishes that will be made of the session.
    pub fn open(self: &Arc<Self>) -> (Session, mpsc::Receiver<super::Act>, Seat) {
        // Wishes of a test: few, and refused visibly when there are more.
        let (acts, wishes) = mpsc::channel(16);
        let mut state = self.state();
        state.connections += 1;
        let log = SessionLog::new(state.connections, Instant::now(), self.options.keep_audio);
        let session = Session::new(log, acts);
        state.sessions.push_back(session.clone());
        while state.sessions.len() > self.options.keep_sessions.max(1) {
            state.sessions.pop_front();
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        (session, wishes, Seat(Arc::clone(self)))
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
