//! What was said in calls, deleted: when its time is over, or because somebody asks for it. The record of the call stays, with
//! its times, its outcome and its cost.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::{CallId, UserId};
use jiff::Timestamp;

/// Of which calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those that ended before; who talked to whom stays.
    EndedBefore(Timestamp),
    /// Those with this party, by number or name as a record shows it; the party's name goes as well.
    WithParty(String),
    /// All of them; the parties' names go as well.
    All,
}

/// A call of which nothing is left but its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    pub call: CallId,
    /// The file that is to be deleted, as the record named it.
    pub recording: Option<String>,
}

/// What there is to be erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    pub calls: u64,
    /// Of them, those whose record names a file.
    pub recordings: u64,
    /// When the first and the last of them ended.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// The next such calls of a user that have ended and of which something is left, `limit` at most, oldest first.
    async fn to_erase(&self, user: &UserId, which: &Which, limit: u32) -> Result<Vec<Erased>, StoreError>;

    /// All calls that [`Self::to_erase`] would give, counted.
    async fn outlook(&self, user: &UserId, which: &Which) -> Result<Outlook, StoreError>;

    /// Deletes transcripts, events, signalling, what was read out of them, and the keys of recordings, of which it gives the
    /// number. Files in clear must be gone before: a record that leads to one is how it is found again.
    async fn erase(&self, calls: &[CallId], with_parties: bool) -> Result<u64, StoreError>;

    /// Takes words that were deleted out of the index for searching and out of the log, where deleting alone leaves them. It
    /// takes a while on a large database, in steps between which others write.
    async fn scrub(&self) -> Result<(), StoreError>;
}

/// What stands in a record in place of a party that is to be forgotten.
pub const FORGOTTEN: &str = "erased";
