//! What the embedded database keeps for a user goes with the user, wherever it was deleted: through the API, in Firebase's console, by
//! another server on the same Firestore, or while this one was down.

use callie_domain::UserId;
use callie_store::{ConfigStore, ContactStore, StoreError};
use std::sync::Arc;

/// Follows the store for ever.
pub(super) async fn follow(users: Arc<dyn ConfigStore>, contacts: Arc<dyn ContactStore>) {
    let mut view = users.watch();
    // At first whoever has something, then whoever was there a moment ago.
    let mut known = match contacts.owners().await {
        Ok(owners) => owners,
        Err(error) => return tracing::warn!(%error, "it is not known who has contacts"),
    };
    loop {
        let now = view.borrow_and_update().clone();
        for user in known.iter().filter(|user| !now.users.contains_key(*user)) {
            match forget(&*users, &*contacts, user).await {
                Ok(true) => tracing::info!(user.id = %user, "the user is gone, and so are its contacts"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(user.id = %user, %error, "the contacts of a user who is gone stay until the next start")
                }
            }
        }
        known = now.users.keys().cloned().collect();
        if view.changed().await.is_err() {
            return;
        }
    }
}

/// `false` when there is nothing to forget. The document itself is asked for: the view may be behind.
async fn forget(users: &dyn ConfigStore, contacts: &dyn ContactStore, user: &UserId) -> Result<bool, StoreError> {
    if contacts.contacts(user).await?.is_empty() || users.get(user).await?.is_some() {
        return Ok(false);
    }
    contacts.put_contacts(user, Vec::new()).await?;
    Ok(true)
}
