//! Recordings at rest: each sealed with a key of its own, which its user's key wraps, which the keyring seals.
//!
//! | module | holds |
//! |---|---|
//! | [`format`] | a sealed recording: chunks that are opened one by one |
//! | [`key`] | [`DataKey`], and the user's key that wraps it |
//!
//! ```text
//! keyring (key file, key service) ─seals▶ tenant_keys ─wraps▶ recording_keys ─seals▶ the recording, wherever it lies
//! ```
//!
//! Both tables are in the record store, never beside the recordings: what is destroyed there is destroyed for every copy of
//! them, in a bucket's old versions and in backups of its folder too.

pub mod format;
pub mod key;

pub use format::{Cut, FormatFault, Opener, Sealer, Standing};
pub use key::DataKey;

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::{CallId, UserId};
use std::collections::BTreeMap;

/// The key of a recording that begins.
#[derive(Debug, Clone)]
pub struct NewRecording {
    pub call: CallId,
    pub user: UserId,
    pub key: DataKey,
}

/// A user's key that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    pub key_id: String,
    /// Recordings that nobody can open any more.
    pub recordings: u64,
}

#[async_trait]
pub trait VaultStore: Send + Sync {
    /// Wraps the key of a recording with its user's key, which is made when there is none.
    async fn put_recording_key(&self, recording: NewRecording) -> Result<(), StoreError>;

    /// `None` when there is none, or no longer.
    async fn recording_key(&self, call: CallId) -> Result<Option<DataKey>, StoreError>;

    /// The record names its recording so from now on. `false` when it has none any more; then its key is destroyed.
    async fn rename_recording(&self, call: CallId, name: &str) -> Result<bool, StoreError>;

    /// The id of a user's key.
    async fn tenant_key_id(&self, user: &UserId) -> Result<Option<String>, StoreError>;

    /// Destroys the keys of recordings; gives how many there were.
    async fn destroy_recording_keys(&self, calls: &[CallId]) -> Result<u64, StoreError>;

    /// Destroys a user's key and those that it wraps. Recordings of calls that are up get a new one.
    async fn destroy_tenant_key(&self, user: &UserId) -> Result<Option<Destroyed>, StoreError>;

    /// Notes recordings that are to be deleted where they are kept.
    async fn delete_later(&self, names: &[String]) -> Result<(), StoreError>;

    /// The first thousand of those, the oldest wish first.
    async fn deletions(&self) -> Result<Vec<String>, StoreError>;

    /// It is done.
    async fn deleted(&self, name: &str) -> Result<(), StoreError>;

    /// How many users' keys each key of the keyring seals, by its name.
    async fn tenant_keys_by_kid(&self) -> Result<BTreeMap<String, usize>, StoreError>;

    /// Seals users' keys with the primary key of the keyring. Gives those that it sealed anew, and those that do not open.
    async fn reseal_tenant_keys(&self) -> Result<(usize, Vec<(String, String)>), StoreError>;
}
