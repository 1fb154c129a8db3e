//! A store with one more user, the one of the environment. As soon as the store has a document of that name, the document
//! counts and the environment does not.

use async_trait::async_trait;
use callie_domain::{User, UserId};
use callie_store::{ConfigStore, Entry, Revision, StoreError, StoredUser, UserView};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The revision of a document that is not in the store; stores count from 1.
const NOT_STORED: Revision = 0;

/// The store as the rest of the server sees it.
pub struct FirstVersionUser {
    inner: Arc<dyn ConfigStore>,
    laid: Laid,
}

/// The view with the user in it.
#[derive(Clone)]
struct Laid {
    user: StoredUser,
    below: watch::Receiver<Arc<UserView>>,
    above: watch::Sender<Arc<UserView>>,
}

/// Lays `user` over the store, if there is one: its times are those of now. The view follows the store until `cancel`.
pub fn lay_over(
    inner: Arc<dyn ConfigStore>,
    user: Option<&User>,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) -> Arc<dyn ConfigStore> {
    let Some(user) = user else { return inner };
    let now = Timestamp::now();
    let user = User { created_at: now, updated_at: now, ..user.clone() };
    Arc::new(FirstVersionUser::over(inner, user, tasks, cancel))
}

impl FirstVersionUser {
    pub fn over(inner: Arc<dyn ConfigStore>, user: User, tasks: &TaskTracker, cancel: CancellationToken) -> Self {
        let below = inner.watch();
        let user = StoredUser { user: Arc::new(user), revision: NOT_STORED };
        let above = watch::Sender::new(Arc::default());
        let laid = Laid { user, below, above };
        laid.refresh();
        laid.tell();
        tasks.spawn(laid.clone().follow(cancel));
        Self { inner, laid }
    }

    fn is_ours(&self, id: &UserId) -> bool {
        *id == self.laid.user.user.id
    }

    /// The environment's user would be back at once, so it stays, in the store as well.
    fn may_go(&self, id: &UserId) -> Result<(), StoreError> {
        if !self.is_ours(id) {
            return Ok(());
        }
        let reason = "the environment describes it; remove ZOHO_SIP_SERVER, ZOHO_SIP_USERNAME and ZOHO_SIP_PASSWORD from the \
                      environment and from .env, and start anew";
        Err(StoreError::Kept { user: id.clone(), reason: reason.to_owned() })
    }

    /// After a write of this process: its view must show it when the write returns.
    fn written<T>(&self, outcome: T) -> T {
        self.laid.refresh();
        outcome
    }
}

impl Laid {
    fn is_stored(&self) -> bool {
        self.below.borrow().users.contains_key(&self.user.user.id)
    }

    fn tell(&self) {
        let id = &self.user.user.id;
        if self.is_stored() {
            tracing::warn!(user.id = %id, "user {id} is in the store: what the environment says of the line (ZOHO_SIP_…) is ignored; it may leave the environment");
        } else {
            tracing::info!(user.id = %id, "user {id} is the line of the environment (ZOHO_SIP_…); `callie migrate env` puts it into the store");
        }
    }

    /// Within the sender's lock, so that the newest view of the store is laid over last.
    fn refresh(&self) {
        self.above.send_modify(|above| *above = self.over(&self.below.borrow()));
    }

    fn over(&self, below: &Arc<UserView>) -> Arc<UserView> {
        let id = &self.user.user.id;
        if below.users.contains_key(id) {
            return below.clone();
        }
        let mut view = UserView::clone(below);
        view.users.insert(id.clone(), Entry::Good(self.user.clone()));
        Arc::new(view)
    }

    async fn follow(mut self, cancel: CancellationToken) {
        let mut was_stored = self.is_stored();
        while let Some(Ok(())) = cancel.run_until_cancelled(self.below.changed()).await {
            self.below.mark_unchanged();
            self.refresh();
            let is_stored = self.is_stored();
            if was_stored != is_stored {
                self.tell();
            }
            was_stored = is_stored;
        }
    }
}

#[async_trait]
impl ConfigStore for FirstVersionUser {
    async fn create(&self, user: &User) -> Result<StoredUser, StoreError> {
        if self.is_ours(&user.id) {
            return Err(StoreError::AlreadyExists(user.id.clone()));
        }
        Ok(self.written(self.inner.create(user).await?))
    }

    async fn get(&self, id: &UserId) -> Result<Option<StoredUser>, StoreError> {
        let stored = self.inner.get(id).await?;
        Ok(stored.or_else(|| self.is_ours(id).then(|| self.laid.user.clone())))
    }

    /// The first one puts the user into the store; from then on the store counts.
    async fn put(&self, user: &User, expected: Revision) -> Result<StoredUser, StoreError> {
        if self.is_ours(&user.id) && expected == NOT_STORED {
            let created = self.inner.create(user).await.map_err(|error| match error {
                StoreError::AlreadyExists(id) => StoreError::Conflict(id),
                error => error,
            })?;
            return Ok(self.written(created));
        }
        Ok(self.written(self.inner.put(user, expected).await?))
    }

    async fn delete(&self, id: &UserId) -> Result<bool, StoreError> {
        self.may_go(id)?;
        Ok(self.written(self.inner.delete(id).await?))
    }

    async fn delete_at(&self, id: &UserId, expected: Revision) -> Result<(), StoreError> {
        self.may_go(id)?;
        self.inner.delete_at(id, expected).await?;
        self.laid.refresh();
        Ok(())
    }

    fn watch(&self) -> watch::Receiver<Arc<UserView>> {
        self.laid.above.subscribe()
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.inner.health().await
    }
}
