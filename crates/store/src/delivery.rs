//! What is told to the receivers of users, and what became of it: a queue that outlives the process.
//!
//! ```text
//!  record written ─ Announcer ─▶ waiting ─ due() ─▶ tried ─ settle() ─▶ delivered | failed | dropped
//!  (one transaction)               ▲  └───────── Retry ◀────┘               │
//!                                  └────────────── resend() ◀──────────────┘
//! ```
//!
//! Within a lane (a call, for one receiver) one thing is told after the other; lanes do not wait for one another.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::record::{CallEvent, Cdr};
use callie_domain::user::HookEvent;
use callie_domain::{DeliveryId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Waiting deliveries of one user; what would be more is not taken.
pub const MOST_WAITING: u32 = 10_000;
/// Settled deliveries of one user that are kept.
pub const MOST_SETTLED: u32 = 5_000;

/// One thing to be told to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    pub id: DeliveryId,
    pub user_id: UserId,
    pub url: String,
    pub event: HookEvent,
    /// Things of one lane are told in order.
    pub lane: String,
    pub body: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    Waiting,
    Delivered,
    /// Given up after many attempts.
    Failed,
    /// The receiver is gone from the user's document, is not active, or wants no more.
    Dropped,
}

impl DeliveryState {
    pub const ALL: &[Self] = &[Self::Waiting, Self::Delivered, Self::Failed, Self::Dropped];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// A delivery as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Grows; orders the lane.
    pub seq: i64,
    pub id: DeliveryId,
    pub user_id: UserId,
    pub url: String,
    /// Its word; one that this program does not know among them.
    pub event: String,
    pub lane: String,
    pub body: String,
    pub created_at: Timestamp,
    pub state: DeliveryState,
    /// Since when it has been tried.
    pub since: Timestamp,
    /// `None` while another of its lane is before it.
    pub next_attempt_at: Option<Timestamp>,
    pub attempts: u32,
    pub tried_at: Option<Timestamp>,
    /// Of the receiver's last answer.
    pub status: Option<u16>,
    pub error: Option<String>,
}

/// An attempt, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: Timestamp,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Settled; the next of its lane is due.
    Settle(DeliveryState),
    /// `pause`: nothing else goes to this receiver before that time either.
    Retry { at: Timestamp, pause: Option<Timestamp> },
}

/// Which deliveries to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub user_id: UserId,
    pub state: Option<DeliveryState>,
    pub event: Option<HookEvent>,
    /// Only older ones than this: the last `seq` of the page before.
    pub before: Option<i64>,
    pub limit: u32,
}

/// Waiting and settled deliveries in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    pub waiting: i64,
    pub delivered: i64,
    pub failed: i64,
    pub dropped: i64,
    /// Not taken since the start, because too many were waiting.
    pub refused: u64,
}

/// What has just been written of a call.
#[derive(Debug, Clone, Copy)]
pub enum Written<'a> {
    Begun(&'a Cdr),
    /// The record as it was when it was begun.
    Happened(&'a Cdr, &'a [CallEvent]),
    Ended(&'a Cdr, &'a [CallEvent]),
    /// A text model has written about it.
    Summarised(&'a Cdr),
}

/// Says who is to be told of a record. Runs on the store's thread within the record's transaction: it waits for nothing.
pub trait Announcer: Send + Sync + 'static {
    /// Whether anybody is told anything of this user.
    fn is_wanted(&self, user: &UserId) -> bool;

    fn announce(&self, written: Written<'_>) -> Vec<NewDelivery>;
}

#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// What cannot be taken, because too many wait, is counted and left out. The number taken.
    async fn enqueue(&self, deliveries: &[NewDelivery]) -> Result<usize, StoreError>;

    /// Deliveries that may be tried now: the first of each lane, at most `per_receiver` of a receiver and `limit` altogether,
    /// none of `under_way` (by `seq`).
    async fn due(&self, now: Timestamp, per_receiver: u32, limit: u32, under_way: &[i64]) -> Result<Vec<Delivery>, StoreError>;

    /// When the next one is due that is not under way; `None` when nothing waits.
    async fn next_due(&self, under_way: &[i64]) -> Result<Option<Timestamp>, StoreError>;

    /// `false` when it was settled or deleted meanwhile.
    async fn settle(&self, id: DeliveryId, attempt: &Attempt) -> Result<bool, StoreError>;

    /// Drops all that waits for a receiver. How many they were.
    async fn drop_waiting(&self, user: &UserId, url: &str, why: &str, now: Timestamp) -> Result<usize, StoreError>;

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;

    async fn delivery(&self, user: &UserId, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Lets a delivery be tried anew from now on, in a lane of its own; one that waits is due at once. `None` when there is none.
    async fn resend(&self, user: &UserId, id: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, StoreError>;

    async fn delivery_counts(&self) -> Result<DeliveryCounts, StoreError>;

    /// Deletes what was settled before that time, and what is too much of one user.
    async fn prune_deliveries(&self, before: Timestamp) -> Result<usize, StoreError>;

    /// Changes whenever something becomes due or is settled.
    fn deliveries_changed(&self) -> watch::Receiver<u64>;
}
