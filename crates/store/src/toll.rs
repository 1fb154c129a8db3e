//! What lines have dialled and spent, and whom they are not to call.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::UserId;
use callie_domain::prices::{Modality, Unit};
use callie_domain::toll::Spent;
use jiff::Timestamp;

/// Numbers on one user's list.
pub const MOST_DO_NOT_CALL: u32 = 1_000_000;

/// Somebody who is not to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotCall {
    /// `+49…`, or as it is dialled where it is no number.
    pub number: String,
    pub note: Option<String>,
    pub added_at: Timestamp,
}

/// What calls came to, for one kind of thing.
#[derive(Debug, Clone, PartialEq)]
pub struct CostSum {
    pub currency: String,
    /// An engine, or `carrier`.
    pub engine: String,
    pub model: String,
    pub modality: Option<Modality>,
    pub unit: Unit,
    pub quantity: i64,
    pub amount_micros: i64,
    /// Of the quantity, what had a price.
    pub priced: i64,
}

/// Calls and what they cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Costs {
    pub calls: i64,
    /// Milliseconds from answer to end, inbound calls too.
    pub talk_ms: i64,
    pub sums: Vec<CostSum>,
}

#[async_trait]
pub trait TollStore: Send + Sync + 'static {
    /// What calls that began at or after `from` dialled and cost, in the order in which they began. Lines that neither dialled nor cost
    /// anything are left out.
    async fn spent_since(&self, from: Timestamp) -> Result<Vec<(UserId, Spent)>, StoreError>;

    /// Of the user's calls that began at or after `from` and before `until`.
    async fn costs(&self, user: &UserId, from: Timestamp, until: Timestamp) -> Result<Costs, StoreError>;

    /// Whether one of these numbers is on the user's list as it is now. Waits for nothing.
    fn is_listed(&self, user: &UserId, numbers: &[String]) -> bool;

    /// Adds numbers, or changes their notes. How many are new.
    async fn add_do_not_call(&self, user: &UserId, entries: &[DoNotCall]) -> Result<usize, StoreError>;

    /// How many were there.
    async fn remove_do_not_call(&self, user: &UserId, numbers: &[String]) -> Result<usize, StoreError>;

    /// By number, those behind `after`.
    async fn do_not_call(&self, user: &UserId, after: Option<&str>, limit: u32) -> Result<Vec<DoNotCall>, StoreError>;
}
