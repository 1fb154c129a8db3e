//! Figures of many calls, from sums that are kept as calls end.

use crate::StoreError;
use async_trait::async_trait;
use callie_domain::UserId;
use callie_domain::analytics::{LineSpan, Span};
use callie_domain::record::{CallResult, Direction, Histogram};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Calls of one direction and result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSum {
    pub direction: Direction,
    pub result: CallResult,
    pub calls: i64,
    pub answered: i64,
    /// From answer to end.
    pub duration_ms: i64,
    /// Speech.
    pub caller_ms: i64,
    pub agent_ms: i64,
}

/// In one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spending {
    pub amount_micros: i64,
    /// Calls of which not everything had a price.
    pub incomplete: i64,
}

/// One group of calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sums {
    pub calls: Vec<CallSum>,
    /// By engine.
    pub answers: BTreeMap<String, Histogram>,
    /// By currency.
    pub costs: BTreeMap<String, Spending>,
}

/// A line was watched from one time until another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub user_id: UserId,
    pub from: Timestamp,
    pub until: Timestamp,
    pub is_registered: bool,
}

#[async_trait]
pub trait AnalyticsStore: Send + Sync + 'static {
    /// Of the user's calls, or of all users', in these groups of whole quarters of an hour. As many as there are groups.
    async fn sums(&self, user: Option<&UserId>, groups: &[Span]) -> Result<Vec<Sums>, StoreError>;

    /// Times in which the user's line, or all of them, was watched, as far as they touch the span.
    async fn line_spans(&self, user: Option<&UserId>, span: Span) -> Result<Vec<LineSpan>, StoreError>;

    /// Keeps times in which lines were watched; one that began when another did takes its place.
    async fn keep_line_spans(&self, spans: Vec<Watched>) -> Result<(), StoreError>;

    /// Forgets times that ended before.
    async fn prune_line_spans(&self, before: Timestamp) -> Result<usize, StoreError>;
}
