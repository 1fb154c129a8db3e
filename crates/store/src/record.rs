//! What is kept of calls.

use crate::StoreError;
use crate::vault::NewRecording;
use async_trait::async_trait;
use callie_domain::record::{CallEvent, CallResult, Cdr, Direction, SipMessage, Turn};
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Which calls to list. Empty fields do not narrow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallFilter {
    pub user_id: Option<UserId>,
    pub direction: Option<Direction>,
    pub result: Option<CallResult>,
    /// Calls begun at or after.
    pub from: Option<Timestamp>,
    /// Calls begun before.
    pub until: Option<Timestamp>,
    /// From answer to end; calls that were not answered have none.
    pub min_duration_ms: Option<i64>,
    pub max_duration_ms: Option<i64>,
    /// What 95 of a hundred answers of the call did not exceed; calls without an answer have none.
    pub min_latency_ms: Option<i64>,
    pub max_latency_ms: Option<i64>,
    /// Words that must all occur in the call, in its turns or in `from` and `to`; case and diacritics do not matter. A `*` at
    /// the end of a word stands for any ending. A text without a word finds nothing.
    pub text: Option<String>,
    /// At most this many, newest first; 0 means 50.
    pub limit: usize,
    /// Only calls older than this one: the last id of the page before.
    pub before: Option<CallId>,
}

/// A page of calls, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallPage {
    pub calls: Vec<Cdr>,
    /// Pass it as `before` for the next page; `None` on the last. A page of words that recent calls do not have may be short, or empty, and
    /// have a next one: a question looks at so many calls and no more.
    pub next: Option<CallId>,
    /// Of calls found by [`CallFilter::text`]: the first turns in which a word of it occurs. None when it occurs in the
    /// parties alone.
    pub matches: BTreeMap<CallId, Vec<Turn>>,
}

/// Something to be kept of calls.
#[derive(Debug, Clone)]
pub enum RecordEntry {
    Begin(Box<Cdr>),
    Append(CallId, Vec<CallEvent>),
    Finish(Box<Cdr>, Vec<CallEvent>),
    Signalling(Vec<(CallId, Vec<SipMessage>)>),
    /// The key of a recording, before there is one.
    Recording(Box<NewRecording>),
}

fn alone(mut left: Vec<(RecordEntry, StoreError)>) -> Result<(), StoreError> {
    left.pop().map_or(Ok(()), |(_, error)| Err(error))
}

#[async_trait]
pub trait RecordStore: Send + Sync + 'static {
    /// Writes entries in their order, as one transaction as far as they can be written. Gives back those that cannot, with why.
    async fn keep(&self, entries: Vec<RecordEntry>) -> Vec<(RecordEntry, StoreError)>;

    /// Writes the record of a call that begins, before anything else happens to it.
    async fn begin(&self, cdr: &Cdr) -> Result<(), StoreError> {
        alone(self.keep(vec![RecordEntry::Begin(Box::new(cdr.clone()))]).await)
    }

    /// Appends events in order; turns among them are readable by [`Self::turns`].
    async fn append(&self, call: CallId, events: &[CallEvent]) -> Result<(), StoreError> {
        alone(self.keep(vec![RecordEntry::Append(call, events.to_vec())]).await)
    }

    /// Writes the final record and the remaining events.
    async fn finish(&self, cdr: &Cdr, events: &[CallEvent]) -> Result<(), StoreError> {
        alone(self.keep(vec![RecordEntry::Finish(Box::new(cdr.clone()), events.to_vec())]).await)
    }

    /// Appends SIP messages of any number of calls, each call's in order. Those of a call that has no record are dropped.
    async fn append_signalling(&self, messages: &[(CallId, Vec<SipMessage>)]) -> Result<(), StoreError> {
        alone(self.keep(vec![RecordEntry::Signalling(messages.to_vec())]).await)
    }

    async fn get(&self, call: CallId) -> Result<Option<Cdr>, StoreError>;

    async fn events(&self, call: CallId) -> Result<Vec<CallEvent>, StoreError>;

    /// The call's turns in order of their index.
    async fn turns(&self, call: CallId) -> Result<Vec<Turn>, StoreError>;

    /// The call's SIP messages in order of time.
    async fn signalling(&self, call: CallId) -> Result<Vec<SipMessage>, StoreError>;

    async fn list(&self, filter: &CallFilter) -> Result<CallPage, StoreError>;

    /// Closes every record without an end as lost: called once at start, when no call of this process can be running.
    /// Returns the records it closed.
    async fn close_orphans(&self, now: Timestamp) -> Result<Vec<Cdr>, StoreError>;
}
