//! The users' lists of contacts. They live in the embedded database with either store of users, as the calls do.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::{Contact, UserId};

#[async_trait]
pub trait ContactStore: Send + Sync {
    /// In the order in which they were given; of a user who has none, none.
    async fn contacts(&self, user: &UserId) -> Result<Vec<Contact>, StoreError>;

    /// Whoever has some.
    async fn owners(&self) -> Result<Vec<UserId>, StoreError>;

    /// In the place of those that there were.
    async fn put_contacts(&self, user: &UserId, contacts: Vec<Contact>) -> Result<(), StoreError>;
}
