//! One call's record while the call is up: each event goes to the live feed at once and to the store in order.

use super::{LiveFeed, SinkHandle};
use crate::exchange::LiveEvent;
use callie_domain::record::{CallEvent, CallFact, Cdr, Termination};
use jiff::Timestamp;
use std::time::Instant;

/// Owned by the call's task.
#[derive(Debug)]
pub struct Journal {
    pub cdr: Cdr,
    begun: Instant,
    sink: SinkHandle,
    feed: LiveFeed,
    /// Events for which the sink had no room.
    unsent: Vec<CallEvent>,
}

impl Journal {
    /// Writes the record's beginning before anything else happens to the call.
    pub async fn begin(cdr: Cdr, begun: Instant, sink: SinkHandle, feed: LiveFeed) -> Self {
        sink.begin(cdr.clone()).await;
        Self { cdr, begun, sink, feed, unsent: Vec::new() }
    }

    pub fn note(&mut self, fact: CallFact) {
        let event = self.publish(fact);
        self.unsent.push(event);
        if let Err(events) = self.sink.append(self.cdr.id, std::mem::take(&mut self.unsent)) {
            self.unsent = events;
        }
    }

    pub fn answered(&mut self) {
        self.cdr.answered_at = Some(Timestamp::now());
        self.note(CallFact::Answered);
    }

    /// The final record, with the end as its last event.
    pub async fn finish(mut self, termination: Termination) {
        let last = self.publish(CallFact::Ended { termination: termination.clone() });
        self.unsent.push(last);
        self.cdr.ended_at = Some(Timestamp::now());
        self.cdr.termination = Some(termination);
        self.sink.finish(self.cdr, self.unsent).await;
    }

    fn publish(&self, fact: CallFact) -> CallEvent {
        let offset_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let event = CallEvent { at: Timestamp::now(), offset_ms, fact };
        self.feed.publish(LiveEvent::Call {
            call_id: self.cdr.id,
            user_id: self.cdr.user_id.clone(),
            direction: self.cdr.direction,
            event: event.clone(),
        });
        event
    }
}
