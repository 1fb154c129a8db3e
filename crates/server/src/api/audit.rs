//! `/audit`: who changed what, and who listened to what.

use super::error::Problem;
use super::extract::Parameters;
use super::openapi::{QueryProblems, StoreProblems};
use super::state::Audit;
use axum::{Json, extract::State};
use callie_domain::Faults;
use callie_store::audit::{AuditEntry, AuditFilter, hex};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

const PAGE: u32 = 50;
const PAGE_LIMIT: u32 = 500;

/// Which entries to list. All parameters are optional and narrow together.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// What was done to this path, or to what lies below it.
    #[param(example = "/users/alice")]
    target: Option<String>,
    /// By the name of a key or a person.
    actor: Option<String>,
    /// 1 to 500; 50 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<i64>)]
    before: Option<String>,
}

/// A page of the audit, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    pub entries: Vec<AuditDocument>,
    /// Pass it as `before` for the next page; null on the last.
    pub next: Option<i64>,
}

/// One thing that somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditDocument {
    /// From 1, without a gap.
    pub seq: i64,
    pub at: Timestamp,
    /// The name of a key or of a person, `this machine` or `command line`.
    #[schema(example = "front desk")]
    pub actor: String,
    #[schema(example = "operator")]
    pub role: String,
    /// How it was proven: `loopback`, `session`, `token`, or `key` with its id.
    #[schema(example = "key k3x7m2pa")]
    pub via: String,
    pub address: String,
    #[schema(example = "PUT /users/{user_id}")]
    pub action: String,
    #[schema(example = "/users/alice")]
    pub target: String,
    /// Of the answer; 0 on the command line.
    pub status: u16,
    /// Which fields were named, and the like.
    pub detail: Option<Value>,
    /// SHA-256 of this entry and, through it, of all before; `callie audit verify --head` looks whether it is still there.
    pub link: String,
}

impl From<AuditEntry> for AuditDocument {
    fn from(entry: AuditEntry) -> Self {
        let deed = entry.deed;
        Self {
            seq: entry.seq,
            at: deed.at,
            actor: deed.actor,
            role: deed.role,
            via: deed.via,
            address: deed.address,
            action: deed.action,
            target: deed.target,
            status: deed.status,
            detail: serde_json::from_str(&deed.detail).ok(),
            link: hex(&entry.link),
        }
    }
}

impl AuditQuery {
    fn parse(self) -> Result<AuditFilter, Faults> {
        let mut faults = Faults::default();
        let limit = self.limit.map_or(Some(PAGE), |text| text.parse().ok().filter(|n| (1..=PAGE_LIMIT).contains(n)));
        let limit = limit.unwrap_or_else(|| {
            faults.add("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}"));
            PAGE
        });
        let before = self.before.map(|text| text.parse()).transpose().unwrap_or_else(|_| {
            faults.add("before", "must be the next of the page before");
            None
        });
        faults.into_result(AuditFilter { target: self.target, actor: self.actor, before, limit })
    }
}

/// Lists what was done, newest first.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "access", params(AuditQuery),
    responses((status = 200, body = AuditPage), QueryProblems, StoreProblems))]
pub async fn list(State(audit): State<Audit>, Parameters(query): Parameters<AuditQuery>) -> Result<Json<AuditPage>, Problem> {
    let filter = query.parse()?;
    let found = audit.audit(&filter).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|length| length == filter.limit);
    let next = found.last().filter(|_| is_full).map(|entry| entry.seq);
    Ok(Json(AuditPage { entries: found.into_iter().map(Into::into).collect(), next }))
}
