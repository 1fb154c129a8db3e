//! One writer for the records of all calls. Calls hand over and go on; the sink writes in order and retries while the store
//! is away.

use super::LiveFeed;
use crate::exchange::LiveEvent;
use callie_domain::CallId;
use callie_domain::record::{CallEvent, Cdr, SipMessage};
use callie_store::{RecordStore, StoreError};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Entries waiting for the store: about 40 calls' worth of events a second for a hundred seconds.
const QUEUE: usize = 4_096;
/// How long an entry is retried before it is given up, with an error in the log.
const RETRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug)]
enum Entry {
    Begin(Box<Cdr>),
    Append(CallId, Vec<CallEvent>),
    Finish(Box<Cdr>, Vec<CallEvent>),
    Signalling(Vec<(CallId, Vec<SipMessage>)>),
}

/// Where calls hand their records over.
#[derive(Debug, Clone)]
pub struct SinkHandle(mpsc::Sender<Entry>);

impl SinkHandle {
    /// Waits for room: a call without a record must not go on.
    pub async fn begin(&self, cdr: Cdr) {
        let _ = self.0.send(Entry::Begin(Box::new(cdr))).await;
    }

    /// Hands events over if there is room, and gives them back if there is none.
    pub fn append(&self, call: CallId, events: Vec<CallEvent>) -> Result<(), Vec<CallEvent>> {
        self.0.try_send(Entry::Append(call, events)).map_err(|e| match e.into_inner() {
            Entry::Append(_, events) => events,
            Entry::Begin(_) | Entry::Finish(..) | Entry::Signalling(_) => Vec::new(),
        })
    }

    /// Waits for room. The calls' beginnings must have been handed over before.
    pub async fn signalling(&self, messages: Vec<(CallId, Vec<SipMessage>)>) {
        let _ = self.0.send(Entry::Signalling(messages)).await;
    }

    pub async fn finish(&self, cdr: Cdr, events: Vec<CallEvent>) {
        let _ = self.0.send(Entry::Finish(Box::new(cdr), events)).await;
    }
}

/// The writer.
pub struct RecordSink;

impl RecordSink {
    /// Runs until the last handle is dropped and everything is written.
    /// `feed` is told of a record once it can be read.
    pub fn start(store: Arc<dyn RecordStore>, feed: LiveFeed, tracker: &TaskTracker) -> SinkHandle {
        let (sender, mut entries) = mpsc::channel(QUEUE);
        tracker.spawn(async move {
            while let Some(entry) = entries.recv().await {
                write(&*store, &entry).await;
                if let Entry::Finish(cdr, _) = entry {
                    feed.publish(LiveEvent::CallRecorded { cdr });
                }
            }
        });
        SinkHandle(sender)
    }
}

async fn write(store: &dyn RecordStore, entry: &Entry) {
    for _ in 0..RETRIES {
        let written = match entry {
            Entry::Begin(cdr) => store.begin(cdr).await,
            Entry::Append(call, events) => store.append(*call, events).await,
            Entry::Finish(cdr, events) => store.finish(cdr, events).await,
            Entry::Signalling(messages) => store.append_signalling(messages).await,
        };
        match written {
            Ok(()) => return,
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(%error, "the record store is not available; the entry is kept and tried again");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Err(error) => return tracing::error!(%error, "a call's record could not be written"),
        }
    }
    tracing::error!("a call's record was given up: the store stayed unavailable");
}
