//! One call's record while the call is up: each event goes to the live feed at once and to the store in order.

use super::{LiveFeed, SinkHandle};
use crate::exchange::LiveEvent;
use callie_domain::claims::Claims;
use callie_domain::prices::bill::Placed;
use callie_domain::prices::{Cost, Ledger, PriceTable};
use callie_domain::record::{AfterCallReport, AfterCallState, CallEvent, CallFact, Cdr, ClaimStanding, TalkTally, Termination};
use callie_domain::{DialTarget, User, toll};
use callie_store::vault::{DataKey, NewRecording};
use jiff::Timestamp;
use std::time::Instant;

/// Owned by the call's task.
#[derive(Debug)]
pub struct Journal {
    pub cdr: Cdr,
    /// Of the recording that the record names.
    pub recording_key: Option<DataKey>,
    begun: Instant,
    sink: SinkHandle,
    feed: LiveFeed,
    /// What was used.
    ledger: Ledger,
    /// What the agent said it did, beside what was done.
    claims: Claims,
    talk: TalkTally,
    /// Events for which the sink had no room.
    unsent: Vec<CallEvent>,
}

impl Journal {
    /// Writes the record's beginning before anything else happens to the call.
    pub async fn begin(cdr: Cdr, recording_key: Option<DataKey>, begun: Instant, sink: SinkHandle, feed: LiveFeed) -> Self {
        sink.begin(cdr.clone()).await;
        if let Some(key) = recording_key.clone() {
            sink.recording(NewRecording { call: cdr.id, user: cdr.user_id.clone(), key }).await;
        }
        Self {
            cdr,
            recording_key,
            begun,
            sink,
            feed,
            ledger: Ledger::default(),
            claims: Claims::default(),
            talk: TalkTally::default(),
            unsent: Vec::new(),
        }
    }

    pub fn note(&mut self, fact: CallFact) {
        self.ledger.take(&fact);
        self.claims.take(&fact);
        self.talk.take(&fact);
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

    /// The final record, with what it cost, which is given back, and the end as its last event.
    pub async fn finish(mut self, termination: Termination, user: &User, prices: &PriceTable) -> Option<Cost> {
        self.settle_claims();
        self.cdr.talk = std::mem::take(&mut self.talk).close();
        if let Some(report) = self.cdr.after_call.as_mut().filter(|_| self.cdr.answered_at.is_none()) {
            let note = Some("the call was not answered".to_owned());
            *report = AfterCallReport { state: AfterCallState::Skipped, note, ..AfterCallReport::waiting() };
        }
        let last = self.publish(CallFact::Ended { termination: termination.clone() });
        self.unsent.push(last);
        self.cdr.ended_at = Some(Timestamp::now());
        self.cdr.termination = Some(termination);
        self.cdr.cost = Cost::of(&self.ledger.close(), &placed(&self.cdr, user), prices);
        let cost = self.cdr.cost.clone();
        self.sink.finish(self.cdr, self.unsent).await;
        cost
    }

    fn settle_claims(&mut self) {
        self.cdr.claims = std::mem::take(&mut self.claims).close();
        for claim in self.cdr.claims.clone() {
            if claim.standing != ClaimStanding::Supported {
                self.note(CallFact::ClaimUnsupported { claim });
            }
        }
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

/// The legs that we dialled and that were answered.
fn placed(cdr: &Cdr, user: &User) -> Vec<Placed> {
    let number = |to: &str| {
        let target: DialTarget = to.parse().ok()?;
        let numbers = toll::numbers_of(user, &target);
        numbers.iter().find_map(|number| number.strip_prefix('+')).map(str::to_owned)
    };
    let legs = cdr.dialled_talk().into_iter().map(|(to, talk_ms)| Placed {
        to: to.to_owned(),
        number: number(to),
        // Begun seconds count, as carriers do.
        seconds: u64::try_from(talk_ms).unwrap_or(0).div_ceil(1_000),
    });
    legs.collect()
}
