//! Calls that are over become traces: the live feed says that a record is complete, what is kept of it is read from the store a
//! moment later, and [`telemetry::call`](crate::telemetry::call) makes spans of it. No call's task has a part in it.

use crate::exchange::LiveEvent;
use crate::telemetry::{Span, Tracer, call};
use callie_store::{RecordStore, StoreError};
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The last SIP messages of a call are written down within half a second.
const AFTER: Duration = Duration::from_millis(1_500);
/// Calls that wait to be read; further ones have no trace.
const MOST_WAITING: usize = 10_000;

/// See the module.
pub struct CallSpans {
    pub tracer: Tracer,
    pub store: Arc<dyn RecordStore>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<(Instant, Arc<LiveEvent>)>,
    reading: Option<BoxFuture<'static, Result<Vec<Span>, StoreError>>>,
    is_last: bool,
}

impl CallSpans {
    /// Runs until `end`, and makes the spans of all that have ended by then.
    pub async fn follow(self, mut feed: Receiver<Arc<LiveEvent>>, end: CancellationToken) {
        let mut waiting = Waiting::default();
        loop {
            self.begin(&mut waiting);
            if waiting.is_last && waiting.reading.is_none() {
                return;
            }
            let due = waiting.calls.front().map(|(due, _)| *due).filter(|_| waiting.reading.is_none());
            tokio::select! {
                () = end.cancelled(), if !waiting.is_last => {
                    self.drain(&mut waiting, &mut feed);
                }
                event = feed.recv(), if !waiting.is_last => match event {
                    Ok(event) => self.take(&mut waiting, event),
                    Err(RecvError::Lagged(missed)) => self.tracer.miss(missed),
                    Err(RecvError::Closed) => waiting.is_last = true,
                },
                read = done(&mut waiting.reading) => self.tell(read),
                () = reach(due) => {}
            }
        }
    }

    fn take(&self, waiting: &mut Waiting, event: Arc<LiveEvent>) {
        match &*event {
            LiveEvent::CallRecorded { cdr } if self.tracer.wants(cdr.id) => {
                if waiting.calls.len() < MOST_WAITING {
                    waiting.calls.push_back((Instant::now() + AFTER, event));
                } else {
                    self.tracer.miss(1);
                }
            }
            LiveEvent::CallSummarised { cdr } if self.tracer.wants(cdr.id) => self.tracer.tell(call::after_call(cdr)),
            _ => {}
        }
    }

    fn drain(&self, waiting: &mut Waiting, feed: &mut Receiver<Arc<LiveEvent>>) {
        waiting.is_last = true;
        loop {
            match feed.try_recv() {
                Ok(event) => self.take(waiting, event),
                Err(TryRecvError::Lagged(missed)) => self.tracer.miss(missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// The next that is due is read; at the end all are.
    fn begin(&self, waiting: &mut Waiting) {
        let now = Instant::now();
        let is_due = waiting.calls.front().is_some_and(|(due, _)| waiting.is_last || *due <= now);
        if waiting.reading.is_some() || !is_due {
            return;
        }
        let Some((_, event)) = waiting.calls.pop_front() else { return };
        waiting.reading = Some(Box::pin(spans(self.store.clone(), event)));
    }

    fn tell(&self, read: Result<Vec<Span>, StoreError>) {
        match read {
            Ok(spans) => self.tracer.tell(spans),
            Err(error) => {
                self.tracer.miss(1);
                tracing::warn!(%error, "a call has no trace: its record cannot be read");
            }
        }
    }
}

async fn spans(store: Arc<dyn RecordStore>, event: Arc<LiveEvent>) -> Result<Vec<Span>, StoreError> {
    let LiveEvent::CallRecorded { cdr } = &*event else { return Ok(Vec::new()) };
    let (events, messages) = (store.events(cdr.id).await?, store.signalling(cdr.id).await?);
    Ok(call::spans(call::Record { cdr, events: &events, messages: &messages }))
}

/// The end of what is under way. Cancel safe.
async fn done<T>(under_way: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(work) = under_way else { return std::future::pending().await };
    let done = work.await;
    *under_way = None;
    done
}

async fn reach(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
