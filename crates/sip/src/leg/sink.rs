//! Where a leg's events go.

use super::LegEvent;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// A call has a handful of events; only a peer that floods INFO fills this, and loses its keys.
const EVENTS: usize = 32;

/// Events lost because their reader was too slow, over all legs.
pub(crate) static LOST: AtomicU64 = AtomicU64::new(0);

/// Sends events without ever waiting. A place for the last event is set aside from the beginning.
pub(crate) struct EventSink {
    events: Option<mpsc::Sender<LegEvent>>,
    last: Option<mpsc::OwnedPermit<LegEvent>>,
}

impl EventSink {
    pub fn new() -> (Self, mpsc::Receiver<LegEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        let last = events.clone().try_reserve_owned().ok();
        (Self { events: Some(events), last }, receiver)
    }

    pub fn tell(&self, event: LegEvent) {
        tell(self.events.as_ref(), event);
    }

    /// The last event. Nothing follows it.
    pub fn end(&mut self, event: LegEvent) {
        self.events = None;
        if let Some(place) = self.last.take() {
            place.send(event);
        }
    }

    /// We ended the leg ourselves: the events just stop.
    pub fn close(&mut self) {
        self.events = None;
        self.last = None;
    }

    pub fn is_open(&self) -> bool {
        self.events.is_some()
    }

    /// For a task beside the leg's own.
    pub fn teller(&self) -> Teller {
        Teller(self.events.as_ref().map(mpsc::Sender::downgrade))
    }

    /// Resolves when nobody reads any more; never once closed.
    pub async fn abandoned(&self) {
        match &self.events {
            Some(events) => events.closed().await,
            None => std::future::pending().await,
        }
    }
}

/// Sends for as long as the leg's own sink is open.
#[derive(Clone)]
pub(crate) struct Teller(Option<mpsc::WeakSender<LegEvent>>);

impl Teller {
    pub fn tell(&self, event: LegEvent) {
        let events = self.0.as_ref().and_then(mpsc::WeakSender::upgrade);
        tell(events.as_ref(), event);
    }
}

/// Sends if there is a reader with room.
fn tell(events: Option<&mpsc::Sender<LegEvent>>, event: LegEvent) {
    if let Some(events) = events
        && let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event)
    {
        LOST.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(?event, "event lost: its reader is too slow");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_event_always_arrives() {
        let (mut sink, mut events) = EventSink::new();
        for _ in 0..100 {
            sink.tell(LegEvent::Dtmf('5'));
        }
        sink.end(LegEvent::Cancelled);
        sink.end(LegEvent::Cancelled);
        let mut all = Vec::new();
        while let Some(event) = events.recv().await {
            all.push(event);
        }
        assert_eq!(all.len(), EVENTS);
        assert!(matches!(all.last(), Some(LegEvent::Cancelled)));
    }

    #[tokio::test]
    async fn a_closed_sink_ends_without_an_event() {
        let (mut sink, mut events) = EventSink::new();
        sink.close();
        sink.end(LegEvent::Cancelled);
        assert!(events.recv().await.is_none());
    }
}
