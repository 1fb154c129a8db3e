//! Who has a line now: read by the API and the call registry, written by the reconciler alone.

use callie_domain::UserId;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_sip::AccountHandle;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Cheap to clone. The lock is held for a look-up only, never across an await.
#[derive(Clone, Default)]
pub struct LineDirectory(Arc<RwLock<HashMap<UserId, AccountHandle>>>);

impl LineDirectory {
    pub fn line(&self, user: &UserId) -> Option<AccountHandle> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    /// The registration of a user's line; `None` when no line runs.
    pub fn status(&self, user: &UserId) -> Option<RegistrationStatus> {
        let handle = self.line(user)?;
        let status = handle.status();
        let current = status.borrow().clone();
        Some(current)
    }

    /// Where a user's registration stands; off when no line runs.
    pub fn state(&self, user: &UserId) -> RegistrationState {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lines.get(user).map_or(RegistrationState::Off, |line| line.status().borrow().state)
    }

    pub(super) fn insert(&self, user: UserId, handle: AccountHandle) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(user, handle);
    }

    pub(super) fn remove(&self, user: &UserId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(user);
    }
}
