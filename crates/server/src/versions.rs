//! Keeps every version of the users' documents that the live view shows, as the API shows them. A call's record names the version that it ran
//! with; versions that follow one another within an instant may be seen as one.

use callie_domain::UserId;
use callie_store::version::Version;
use callie_store::{Revision, StoreError, StoredUser, UserView, VersionStore};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// A user as the API shows it, without what changes by itself.
pub type Show = fn(&StoredUser) -> Value;

/// See the module.
pub struct VersionKeeper {
    pub view: watch::Receiver<Arc<UserView>>,
    pub store: Arc<dyn VersionStore>,
    pub show: Show,
}

impl VersionKeeper {
    /// Runs until `end`, or until the view ends.
    pub async fn run(mut self, end: CancellationToken) {
        let mut kept: HashMap<UserId, Revision> = HashMap::new();
        // Users may have gone while the server was down.
        let mut has_gone = true;
        loop {
            let view = self.view.borrow_and_update().clone();
            has_gone |= kept.keys().any(|user| !view.users.contains_key(user));
            match self.keep(&view, &mut kept, has_gone).await {
                Ok(()) => has_gone = false,
                Err(error) => {
                    tracing::warn!(%error, "versions of users' documents could not be kept; it is tried again");
                    if end.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                        return;
                    }
                    continue;
                }
            }
            tokio::select! {
                () = end.cancelled() => return,
                changed = self.view.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn keep(&self, view: &UserView, kept: &mut HashMap<UserId, Revision>, has_gone: bool) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let usable = view.users.iter().filter_map(|(id, entry)| Some((id, entry.usable()?)));
        let fresh = usable.filter(|(id, stored)| kept.get(*id) != Some(&stored.revision));
        let fresh: Vec<(UserId, Version)> = fresh
            .map(|(id, stored)| (id.clone(), Version { version: stored.revision, seen_at: now, document: (self.show)(stored) }))
            .collect();
        if has_gone {
            let users: Vec<UserId> = view.users.keys().cloned().collect();
            self.store.forget_versions_except(&users).await?;
            kept.retain(|user, _| view.users.contains_key(user));
        }
        if !fresh.is_empty() {
            let revisions: Vec<_> = fresh.iter().map(|(id, version)| (id.clone(), version.version)).collect();
            self.store.keep_versions(fresh).await?;
            kept.extend(revisions);
        }
        Ok(())
    }
}
