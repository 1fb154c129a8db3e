//! What all sessions of a fake share: its options, the faults, the records.

use super::fault::Faults;
use super::{Service, Session};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

#[derive(Debug)]
pub struct Office<S: Service> {
    pub options: S::Options,
    live: AtomicUsize,
    /// Taken shortly, never across an await.
    state: Mutex<State<S>>,
}

#[derive(Debug)]
pub(crate) struct State<S: Service> {
    pub faults: Faults<S::Moment, S::Act>,
    pub sessions: VecDeque<Session<S>>,
    pub connections: u64,
    pub memory: S::Memory,
}

impl<S: Service> Office<S> {
    pub(super) fn new(options: S::Options) -> Self {
        let memory = S::memory(&options);
        let state = State { faults: Faults::default(), sessions: VecDeque::new(), connections: 0, memory };
        Self { options, live: AtomicUsize::new(0), state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Begins a record, with the wishes that will be made of the session.
    pub(crate) fn open(self: &Arc<Self>, now: Instant) -> (Session<S>, mpsc::Receiver<S::Act>, Seat<S>) {
        // Wishes of a test: few, and refused visibly when there are more.
        let (acts, wishes) = mpsc::channel(16);
        let mut state = self.state();
        state.connections += 1;
        let session = Session::new(S::log(&self.options, state.connections, now), acts);
        state.sessions.push_back(session.clone());
        while state.sessions.len() > S::keep_sessions(&self.options).max(1) {
            state.sessions.pop_front();
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        (session, wishes, Seat(Arc::clone(self)))
    }
}

/// Counts one open socket.
#[derive(Debug)]
pub struct Seat<S: Service>(Arc<Office<S>>);

impl<S: Service> Drop for Seat<S> {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}
