//! A named thread that owns a connection and works off a queue: SQLite's calls block, the server's tasks must not.

use crate::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Pieces of work that may wait. When it is full the callers wait: a write is never dropped.
const QUEUE: usize = 1_024;

type Work<S> = Box<dyn FnOnce(&mut S) + Send>;

enum Job<S> {
    Run(Work<S>),
    Stop,
}

/// A handle to the thread; it ends after [`Worker::stop`], or by itself when the last handle is dropped.
pub(super) struct Worker<S> {
    queue: mpsc::Sender<Job<S>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl<S> Clone for Worker<S> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), thread: self.thread.clone() }
    }
}

impl<S: Send + 'static> Worker<S> {
    pub fn spawn(name: &str, state: S) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || run(state, jobs))
            .map_err(|e| StoreError::Setup(format!("no thread for the store ({e}): raise the limit of processes")))?;
        Ok(Self { queue, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Runs `work` on the thread, after all that was queued before it. It is done even when the caller stops waiting.
    pub async fn call<R: Send + 'static>(&self, work: impl FnOnce(&mut S) -> R + Send + 'static) -> Result<R, StoreError> {
        let (job, answer) = job(work);
        self.queue.send(job).await.map_err(|_| closed())?;
        answer.await.map_err(|_| failed())
    }

    /// As [`Self::call`], for plain threads.
    pub fn call_blocking<R: Send + 'static>(&self, work: impl FnOnce(&mut S) -> R + Send + 'static) -> Result<R, StoreError> {
        let (job, answer) = job(work);
        self.queue.blocking_send(job).map_err(|_| closed())?;
        answer.blocking_recv().map_err(|_| failed())
    }

    /// Works off the queue, then ends the thread and waits for it. A second call does nothing.
    pub async fn stop(&self) {
        // An error means that the thread has ended already.
        let _ = self.queue.send(Job::Stop).await;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            join(thread).await;
        }
    }
}

/// Waits for a thread without blocking a task.
pub(super) async fn join(thread: JoinHandle<()>) {
    // The outer error is a runtime that shuts down, the inner one a panic, which has been reported where it happened.
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
}

fn job<S, R: Send + 'static>(work: impl FnOnce(&mut S) -> R + Send + 'static) -> (Job<S>, oneshot::Receiver<R>) {
    let (reply, answer) = oneshot::channel();
    let work = move |state: &mut S| {
        // Nobody may wait any more; the work is done all the same.
        let _ = reply.send(work(state));
    };
    (Job::Run(Box::new(work)), answer)
}

fn run<S>(mut state: S, mut jobs: mpsc::Receiver<Job<S>>) {
    while let Some(Job::Run(work)) = jobs.blocking_recv() {
        // A transaction that was open is rolled back while the panic unwinds, so the next piece of work finds order.
        if catch_unwind(AssertUnwindSafe(|| work(&mut state))).is_err() {
            tracing::error!("a bug in the store: a piece of work panicked; the store goes on");
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it has been closed".to_owned())
}

fn failed() -> StoreError {
    StoreError::Unavailable("it failed on this request; see the log".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_in_order_and_to_the_end() {
        let worker = Worker::spawn("test", Vec::new()).expect("a thread");
        for n in 0..100 {
            let (job, _nobody_waits) = job(move |list: &mut Vec<u32>| list.push(n));
            assert!(worker.queue.send(job).await.is_ok());
        }
        let seen = worker.call(|list| list.clone()).await.expect("answered");
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        worker.stop().await;
        worker.stop().await;
        assert!(worker.call(|_| ()).await.is_err());
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_request_alone() {
        let worker = Worker::spawn("test", 7).expect("a thread");
        let answer = worker.call(|_: &mut i32| assert_eq!(1, 2, "on purpose")).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        assert_eq!(worker.call(|n| *n).await.expect("alive"), 7);
    }
}
