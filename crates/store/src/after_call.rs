//! Calls of which a summary or fields are still to be written: a queue that outlives the process.
//!
//! A call enters it in the transaction that writes its end, and leaves it in the one that writes the outcome into its record.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::prices::Cost;
use callie_domain::record::{AfterCallReport, Cdr};
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use tokio::sync::watch;

/// A call that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritten {
    pub call: CallId,
    pub user_id: UserId,
    /// When it ended.
    pub since: Timestamp,
    /// Those that were made.
    pub attempts: u32,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// As it stands in the record from now on.
    pub report: AfterCallReport,
    /// Added to what the call cost.
    pub cost: Option<Cost>,
    /// It stays in the queue until then.
    pub again_at: Option<Timestamp>,
}

#[async_trait]
pub trait AfterCallStore: Send + Sync + 'static {
    /// Calls whose turn has come, none of those under way.
    async fn unwritten(&self, now: Timestamp, limit: u32, under_way: &[CallId]) -> Result<Vec<Unwritten>, StoreError>;

    /// When the next is due that is not under way; `None` when nothing waits.
    async fn next_unwritten(&self, under_way: &[CallId]) -> Result<Option<Timestamp>, StoreError>;

    /// Writes an attempt's outcome into the call's record, which is given back; `None` when the call is gone or does not wait.
    async fn settle_after_call(&self, call: CallId, step: &Step) -> Result<Option<Cdr>, StoreError>;

    /// How many wait.
    async fn count_unwritten(&self) -> Result<i64, StoreError>;

    /// Changes whenever a call enters the queue.
    fn unwritten_changed(&self) -> watch::Receiver<u64>;
}
