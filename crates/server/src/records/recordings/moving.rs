//! Recordings on their way into the bucket, and deletions there. What is to be done is read off the folder and the database, so that a
//! restart forgets nothing: a file of a call that has ended is to be uploaded, and is heard from the folder until it is.

use super::{RecordingFault, Recordings};
use crate::exchange::LiveEvent;
use callie_domain::CallId;
use callie_store::RecordStore;
use serde::Serialize;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::ToSchema;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Without a word from anybody.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// After so many failures in a row the bucket is given a rest.
const FAILURES: u32 = 3;

/// How it goes.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub bell: Notify,
    uploads: AtomicU64,
    deletions: AtomicU64,
    uploaded: AtomicU64,
    failed: AtomicU64,
    problem: Mutex<Option<String>>,
}

/// Where recordings are kept, and what is still on its way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecordingsState {
    /// `disk`, or the bucket.
    #[schema(example = "s3://calls/prod")]
    pub place: String,
    /// Recordings of ended calls that are not in the bucket yet; they are heard from the disk.
    pub pending_uploads: u64,
    /// Erased recordings that are still in the bucket, unreadable.
    pub pending_deletions: u64,
    /// Since the start.
    pub uploaded: u64,
    /// Attempts since the start that failed and are repeated.
    pub failed_attempts: u64,
    /// Why the last attempt failed; null after a success.
    pub problem: Option<String>,
}

impl Recordings {
    pub fn state(&self) -> RecordingsState {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let progress = &self.progress;
        RecordingsState {
            place: self.bucket.as_ref().map_or("disk", |bucket| bucket.shown()).to_owned(),
            pending_uploads: read(&progress.uploads),
            pending_deletions: read(&progress.deletions),
            uploaded: read(&progress.uploaded),
            failed_attempts: read(&progress.failed),
            problem: progress.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Moves what there is whenever a call has ended or something is erased, for ever; after a failure again and again, each time later.
    pub async fn keep_moving(self, records: Arc<dyn RecordStore>, mut ended: Receiver<Arc<LiveEvent>>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.move_all(&*records).await {
                Ok(()) if self.bucket.is_none() => return,
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.await_work(&mut ended).await;
                }
                Err(fault) => {
                    self.tell(&fault.to_string());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn await_work(&self, ended: &mut Receiver<Arc<LiveEvent>>) {
        let call = async {
            loop {
                match ended.recv().await {
                    Ok(event) if matches!(*event, LiveEvent::CallRecorded { .. }) => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending::<()>().await,
                }
            }
        };
        tokio::select! {
            () = call => {}
            () = self.progress.bell.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }

    /// Deletes and uploads what is to be; the last fault when not everything could be done.
    pub async fn move_all(&self, records: &dyn RecordStore) -> Result<(), RecordingFault> {
        let deletions = self.keys.deletions().await?;
        self.progress.deletions.store(deletions.len() as u64, Ordering::Relaxed);
        let Some(bucket) = &self.bucket else {
            if !deletions.is_empty() {
                self.tell("erased recordings are to be deleted in a bucket, and CALLIE_RECORDINGS names none");
            }
            return Ok(());
        };
        let mut tries = Tries::default();
        for name in deletions {
            match bucket.delete(&name).await {
                Ok(()) => {
                    self.keys.deleted(&name).await?;
                    self.progress.deletions.fetch_sub(1, Ordering::Relaxed);
                    tries.succeeded();
                }
                Err(fault) => tries.failed(self, fault.into())?,
            }
        }
        let waiting = self.waiting(records).await?;
        self.progress.uploads.store(waiting.len() as u64, Ordering::Relaxed);
        for (call, name) in waiting {
            match self.upload(records, call, &name).await {
                Ok(()) => {
                    self.progress.uploads.fetch_sub(1, Ordering::Relaxed);
                    self.progress.uploaded.fetch_add(1, Ordering::Relaxed);
                    tries.succeeded();
                }
                Err(fault) => tries.failed(self, fault)?,
            }
        }
        match tries.last {
            Some(fault) => Err(fault),
            None => {
                *self.progress.problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(())
            }
        }
    }

    /// Sealed files of calls that have ended.
    async fn waiting(&self, records: &dyn RecordStore) -> Result<Vec<(CallId, String)>, RecordingFault> {
        let folder = self.folder.clone();
        let names = tokio::task::spawn_blocking(move || super::aftermath::files(&folder, ".sealed"))
            .await
            .map_err(io::Error::other)??;
        let mut waiting = Vec::new();
        for name in names {
            let Some(call) = Path::new(&name).file_stem().and_then(|stem| stem.to_str()?.parse::<CallId>().ok()) else {
                continue;
            };
            let cdr = records.get(call).await?;
            if cdr.is_some_and(|cdr| cdr.ended_at.is_some() && cdr.recording.as_ref() == Some(&name)) {
                waiting.push((call, name));
            }
        }
        Ok(waiting)
    }

    /// Into the bucket, then off the disk.
    async fn upload(&self, records: &dyn RecordStore, call: CallId, name: &str) -> Result<(), RecordingFault> {
        let (Some(bucket), Some(path)) = (&self.bucket, self.path(name)) else { return Ok(()) };
        match bucket.upload(&path, name).await {
            Err(RecordingFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        let is_erased = records.get(call).await?.is_none_or(|cdr| cdr.recording.as_deref() != Some(name));
        if is_erased {
            self.keys.delete_later(&[name.to_owned()]).await?;
            self.progress.bell.notify_one();
        }
        self.delete(name).await?;
        Ok(())
    }

    fn tell(&self, problem: &str) {
        let mut told = self.progress.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_deref() != Some(problem) {
            tracing::error!(problem, "recordings wait for their bucket: {problem}");
            *told = Some(problem.to_owned());
        }
    }
}

/// What came of the attempts of one round.
#[derive(Default)]
struct Tries {
    in_a_row: u32,
    last: Option<RecordingFault>,
}

impl Tries {
    fn succeeded(&mut self) {
        self.in_a_row = 0;
    }

    fn failed(&mut self, recordings: &Recordings, fault: RecordingFault) -> Result<(), RecordingFault> {
        recordings.progress.failed.fetch_add(1, Ordering::Relaxed);
        recordings.tell(&fault.to_string());
        self.in_a_row += 1;
        if self.in_a_row >= FAILURES {
            return Err(fault);
        }
        self.last = Some(fault);
        Ok(())
    }
}
