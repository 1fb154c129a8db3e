//! What was said in calls, deleted: files first, then what the database holds, so that a crash in between leaves records that
//! still lead to what is left.

use callie_domain::UserId;
use callie_store::retention::{Outlook, RetentionStore, Which};
use callie_store::{StoreError, UserView};
use jiff::Timestamp;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Calls in one transaction.
const AT_ONCE: u32 = 200;
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Deletes. Cheap to clone.
#[derive(Clone)]
pub struct Eraser {
    store: Arc<dyn RetentionStore>,
    recordings: PathBuf,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    pub recordings: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ErasureFault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the recording {file} cannot be deleted ({error}): see to it that the folder belongs to the server's user, and ask again"
    )]
    File { file: String, error: io::Error },
}

impl Eraser {
    pub fn new(store: Arc<dyn RetentionStore>, recordings: PathBuf) -> Self {
        Self { store, recordings }
    }

    /// What [`Self::erase`] would find now.
    pub async fn outlook(&self, user: &UserId, which: &Which) -> Result<Outlook, StoreError> {
        self.store.outlook(user, which).await
    }

    /// All such calls of a user that have ended.
    pub async fn erase(&self, user: &UserId, which: &Which) -> Result<Tally, ErasureFault> {
        let with_parties = !matches!(which, Which::EndedBefore(_));
        let mut tally = Tally::default();
        loop {
            let next = self.store.to_erase(user, which, AT_ONCE).await?;
            if next.is_empty() {
                if tally.calls > 0 {
                    self.store.scrub().await?;
                }
                return Ok(tally);
            }
            for recording in next.iter().filter_map(|erased| erased.recording.as_deref()) {
                tally.recordings += u64::from(self.delete(recording).await?);
            }
            let calls: Vec<_> = next.iter().map(|erased| erased.call).collect();
            self.store.erase(&calls, with_parties).await?;
            tally.calls += calls.len() as u64;
        }
    }

    /// `false` when there was no such file.
    async fn delete(&self, name: &str) -> Result<bool, ErasureFault> {
        let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || name.is_empty() {
            return Ok(false);
        }
        match tokio::fs::remove_file(self.recordings.join(name)).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(ErasureFault::File { file: name.to_owned(), error }),
        }
    }

    /// Deletes what has been kept for as long as its user wants, once an hour, for ever.
    pub async fn follow(self, users: watch::Receiver<Arc<UserView>>) {
        loop {
            let view = users.borrow().clone();
            self.expire(&view, Timestamp::now()).await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// One look at all users.
    pub async fn expire(&self, view: &UserView, now: Timestamp) {
        for (user, entry) in &view.users {
            let Some(retention) = entry.usable().and_then(|stored| stored.user.calls.recording.retention()) else { continue };
            match self.erase(user, &Which::EndedBefore(now - retention)).await {
                Ok(Tally { calls: 0, .. }) => {}
                Ok(Tally { calls, recordings }) => {
                    tracing::info!(user.id = %user, calls, recordings, "deleted what was said in calls whose time is over");
                }
                Err(error) => tracing::error!(user.id = %user, %error, "what is past its time could not be deleted"),
            }
        }
    }
}
