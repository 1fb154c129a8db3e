//! Calls that were ordered with rules for trying them again, or under a key that makes the order good for one call. They outlive the
//! process.
//!
//! ```text
//!  accept ─▶ calling ─ settle_attempt ─▶ waiting ─ due_orders, begin_attempt ─▶ calling …
//!    │          └───────────────────────────┴──▶ done │ given_up │ cancelled
//!    └─ the same key again: the order it was
//! ```
//!
//! An attempt is put down before it is dialled, so that a process that dies in between calls nobody twice.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::retry::RetryRules;
use callie_domain::{CallId, OrderId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Orders of one user that may be pending.
pub const MOST_PENDING: u32 = 1_000;

/// An order as it comes in; its first attempt is about to be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    pub id: OrderId,
    pub user_id: UserId,
    /// The client's, unique for the user as long as the order is kept.
    pub key: Option<String>,
    /// What to dial and how, as the server reads it: JSON.
    pub request: String,
    /// As it is dialled.
    pub number: String,
    pub rules: Option<RetryRules>,
    /// Of the first attempt.
    pub call: CallId,
    pub created_at: Timestamp,
}

/// What became of an order that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    New,
    /// Its key was used before, for the same.
    Known(Box<Order>),
    /// Its key was used before, for something else.
    KeyTaken,
    /// The user has [`MOST_PENDING`] orders.
    TooMany,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// An attempt is under way.
    Calling,
    /// The next attempt has a time.
    Waiting,
    Done,
    /// It was tried often enough, or cannot be tried any more.
    GivenUp,
    Cancelled,
}

impl OrderState {
    pub const ALL: &[Self] = &[Self::Calling, Self::Waiting, Self::Done, Self::GivenUp, Self::Cancelled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::GivenUp => "given_up",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An order as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub user_id: UserId,
    pub request: String,
    pub number: String,
    pub rules: Option<RetryRules>,
    pub state: OrderState,
    /// Begun so far.
    pub attempts: u32,
    pub first_call: CallId,
    pub last_call: CallId,
    /// How the last attempt ended: a word of the records.
    pub last_reason: Option<String>,
    /// Why an attempt that was due could not be made, or never will be.
    pub note: Option<String>,
    /// While it waits.
    pub next_attempt_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// What follows from an attempt, or from one that could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub reason: Option<String>,
    pub note: Option<String>,
    pub then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// `made`: the attempt was dialled and counts.
    Wait {
        at: Timestamp,
        made: bool,
    },
    Settle {
        state: OrderState,
        made: bool,
    },
}

#[async_trait]
pub trait OrderStore: Send + Sync + 'static {
    /// Puts an order down with its first attempt, or says what its key stands for. One without rules is good for the key alone
    /// and done at once.
    async fn accept(&self, order: &NewOrder) -> Result<Accepted, StoreError>;

    /// Forgets an order whose first attempt was refused: nobody was called.
    async fn withdraw(&self, id: OrderId) -> Result<(), StoreError>;

    /// Those that wait and are due.
    async fn due_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<Order>, StoreError>;

    async fn next_order_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Those of which an attempt is under way, as far as is known.
    async fn calling_orders(&self) -> Result<Vec<Order>, StoreError>;

    /// The next attempt is about to be dialled; `false` when the order does not wait any more.
    async fn begin_attempt(&self, id: OrderId, call: CallId) -> Result<bool, StoreError>;

    /// What follows from the attempt `call`; `false` when the order is not at it any more.
    async fn settle_attempt(&self, id: OrderId, call: CallId, step: &Step) -> Result<bool, StoreError>;

    /// A user's orders that wait or call, the oldest first.
    async fn pending_orders(&self, user: &UserId) -> Result<Vec<Order>, StoreError>;

    /// No further attempts; a call that is up goes on. `false` when there is nothing to cancel.
    async fn cancel_order(&self, user: &UserId, id: OrderId) -> Result<bool, StoreError>;

    /// Deletes what was settled and came in before that time. How many they were.
    async fn prune_orders(&self, before: Timestamp) -> Result<usize, StoreError>;

    /// Changes whenever something becomes due.
    fn orders_changed(&self) -> watch::Receiver<u64>;
}
