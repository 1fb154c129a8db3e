//! What was said in calls, deleted: the keys of recordings first, which makes every copy of them unreadable, then files, then
//! what the database holds, so that a crash in between leaves records that still lead to what is left.

use super::Recordings;
use callie_domain::UserId;
use callie_store::retention::{Outlook, RetentionStore, Which};
use callie_store::vault::Destroyed;
use callie_store::{StoreError, UserView, VaultStore};
use jiff::Timestamp;
use std::io;
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
    keys: Arc<dyn VaultStore>,
    recordings: Recordings,
}

/// What was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    /// Files.
    pub recordings: u64,
    /// Recordings that are deleted in the bucket in a while.
    pub pending: u64,
    /// Sealed recordings whose keys were destroyed.
    pub unreadable: u64,
    /// The user's key, where it was destroyed.
    pub key_id: Option<String>,
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
    pub fn new<S: RetentionStore + VaultStore + 'static>(store: Arc<S>, recordings: Recordings) -> Self {
        Self { store: store.clone(), keys: store, recordings }
    }

    /// Whether there is anything of a user who may be gone.
    pub async fn has_something_of(&self, user: &UserId) -> Result<bool, StoreError> {
        let has_key = self.keys.tenant_key_id(user).await?.is_some();
        Ok(has_key || !self.store.to_erase(user, &Which::All, 1).await?.is_empty())
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
                break;
            }
            let calls: Vec<_> = next.iter().map(|erased| erased.call).collect();
            tally.unreadable += self.keys.destroy_recording_keys(&calls).await?;
            let names: Vec<String> = next.iter().filter_map(|erased| erased.recording.clone()).collect();
            tally.pending += self.recordings.delete_in_bucket(&names).await?;
            for recording in &names {
                tally.recordings += u64::from(self.delete(recording).await?);
            }
            self.store.erase(&calls, with_parties).await?;
            tally.calls += calls.len() as u64;
        }
        if *which == Which::All
            && let Some(Destroyed { key_id, recordings }) = self.keys.destroy_tenant_key(user).await?
        {
            tally.unreadable += recordings;
            tally.key_id = Some(key_id);
        }
        if tally.calls > 0 || tally.key_id.is_some() {
            self.store.scrub().await?;
        }
        Ok(tally)
    }

    /// `false` when there was no such file.
    async fn delete(&self, name: &str) -> Result<bool, ErasureFault> {
        self.recordings.delete(name).await.map_err(|error| ErasureFault::File { file: name.to_owned(), error })
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
                Ok(Tally { calls, recordings, .. }) => {
                    tracing::info!(user.id = %user, calls, recordings, "deleted what was said in calls whose time is over");
                }
                Err(error) => tracing::error!(user.id = %user, %error, "what is past its time could not be deleted"),
            }
        }
    }
}
