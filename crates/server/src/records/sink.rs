//! One writer for the records of all calls. Calls hand over and go on; the sink writes in order and retries while the store
//! is away.

use super::metrics::catalogue;
use super::{LiveFeed, Metrics};
use crate::exchange::LiveEvent;
use callie_domain::CallId;
use callie_domain::record::{CallEvent, Cdr, SipMessage};
use callie_store::vault::NewRecording;
use callie_store::{RecordEntry, RecordStore, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Entries waiting for the store: about 40 calls' worth of events a second for a hundred seconds.
const QUEUE: usize = 4_096;
/// Entries that are written together: under load a commit is shared by many.
const BATCH: usize = 512;
/// How long an entry is retried before it is given up, with an error in the log.
const RETRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Where calls hand their records over.
#[derive(Debug, Clone)]
pub struct SinkHandle(mpsc::Sender<RecordEntry>);

impl SinkHandle {
    /// Waits for room: a call without a record must not go on.
    pub async fn begin(&self, cdr: Cdr) {
        let _ = self.0.send(RecordEntry::Begin(Box::new(cdr))).await;
    }

    /// Waits for room. It is handed over before there is a recording, so that a crash leaves none without a key.
    pub async fn recording(&self, recording: NewRecording) {
        let _ = self.0.send(RecordEntry::Recording(Box::new(recording))).await;
    }

    /// Hands events over if there is room, and gives them back if there is none.
    pub fn append(&self, call: CallId, events: Vec<CallEvent>) -> Result<(), Vec<CallEvent>> {
        self.0.try_send(RecordEntry::Append(call, events)).map_err(|e| match e.into_inner() {
            RecordEntry::Append(_, events) => events,
            RecordEntry::Begin(_) | RecordEntry::Finish(..) | RecordEntry::Signalling(_) | RecordEntry::Recording(_) => {
                Vec::new()
            }
        })
    }

    /// Waits for room. The calls' beginnings must have been handed over before.
    pub async fn signalling(&self, messages: Vec<(CallId, Vec<SipMessage>)>) {
        let _ = self.0.send(RecordEntry::Signalling(messages)).await;
    }

    pub async fn finish(&self, cdr: Cdr, events: Vec<CallEvent>) {
        let _ = self.0.send(RecordEntry::Finish(Box::new(cdr), events)).await;
    }
}

/// The writer.
pub struct RecordSink;

impl RecordSink {
    /// Runs until the last handle is dropped and everything is written.
    /// `feed` is told of a record once it can be read.
    pub fn start(store: Arc<dyn RecordStore>, feed: LiveFeed, metrics: Metrics, tracker: &TaskTracker) -> SinkHandle {
        let (sender, mut entries) = mpsc::channel(QUEUE);
        tracker.spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while entries.recv_many(&mut batch, BATCH).await > 0 {
                let finished: Vec<_> = batch.iter().filter_map(finished).collect();
                metrics.set(&catalogue::RECORD_QUEUE, &[], (batch.len() + entries.len()) as f64);
                write(&*store, std::mem::take(&mut batch), &metrics).await;
                metrics.set(&catalogue::RECORD_QUEUE, &[], entries.len() as f64);
                for cdr in finished {
                    feed.publish(LiveEvent::CallRecorded { cdr });
                }
            }
        });
        SinkHandle(sender)
    }
}

fn finished(entry: &RecordEntry) -> Option<Box<Cdr>> {
    match entry {
        RecordEntry::Finish(cdr, _) => Some(cdr.clone()),
        RecordEntry::Begin(_) | RecordEntry::Append(..) | RecordEntry::Signalling(_) | RecordEntry::Recording(_) => None,
    }
}

async fn write(store: &dyn RecordStore, mut entries: Vec<RecordEntry>, metrics: &Metrics) {
    for _ in 0..RETRIES {
        let mut left = Vec::new();
        let begun = Instant::now();
        let kept = store.keep(entries).await;
        metrics.observe(&catalogue::RECORD_WRITES, &[], begun.elapsed().as_secs_f64());
        for (entry, error) in kept {
            match error {
                StoreError::Unavailable(_) => left.push((entry, error)),
                error => {
                    metrics.count(&catalogue::RECORD_LOST, &[], 1);
                    tracing::error!(%error, "a call's record could not be written");
                }
            }
        }
        let Some((_, error)) = left.first() else { return };
        tracing::warn!(%error, "the record store is not available; what it did not take is kept and tried again");
        metrics.count(&catalogue::RECORD_RETRIES, &[], 1);
        entries = left.into_iter().map(|(entry, _)| entry).collect();
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    metrics.count(&catalogue::RECORD_LOST, &[], u64::try_from(entries.len()).unwrap_or(u64::MAX));
    tracing::error!("records of calls were given up: the store stayed unavailable");
}
