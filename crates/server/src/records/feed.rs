//! The live feed: what happens, to whoever listens now. Nothing is kept; a slow reader loses the oldest events and is told.

use crate::exchange::LiveEvent;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Events a reader may lag behind: seconds of a busy server, a few hundred KB at the most.
const BACKLOG: usize = 1_024;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct LiveFeed(broadcast::Sender<Arc<LiveEvent>>);

impl LiveFeed {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }

    /// Never waits and never fails: without a listener the event is dropped.
    pub fn publish(&self, event: LiveEvent) {
        let _ = self.0.send(Arc::new(event));
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.0.subscribe()
    }
}

impl Default for LiveFeed {
    fn default() -> Self {
        Self::new()
    }
}
