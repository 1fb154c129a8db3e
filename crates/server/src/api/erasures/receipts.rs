//! `GET /users/{user_id}/erasures`: the receipts of what was erased. They are read out of the audit, whose chain shows when
//! somebody was at them.

use super::Receipt;
use crate::api::error::Problem;
use crate::api::extract::{Parameters, UserPath};
use crate::api::openapi::{QueryProblems, StoreProblems, UserProblems};
use crate::api::state::{Audit, Users};
use crate::api::webhooks::known;
use axum::{Json, extract::State};
use callie_domain::Faults;
use callie_store::audit::{AuditEntry, AuditFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const PAGE: u32 = 50;
const ERASED: &str = "POST /users/{user_id}/erasures";

/// Which receipts to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReceiptsQuery {
    /// The `next` of the page before.
    #[param(value_type = Option<i64>)]
    before: Option<String>,
}

/// A page of receipts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receipts {
    pub receipts: Vec<KeptReceipt>,
    /// Pass it as `before` for the next page; null on the last.
    pub next: Option<i64>,
}

/// A receipt, and who asked for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeptReceipt {
    #[serde(flatten)]
    pub receipt: Receipt,
    /// The name of a key or of a person, or `this machine`.
    #[schema(example = "front desk")]
    pub by: String,
}

/// Lists the receipts of a user's erasures, newest first.
#[utoipa::path(get, path = "/users/{user_id}/erasures", operation_id = "list_erasures", tag = "calls",
    params(("user_id" = String, Path, example = "alice"), ReceiptsQuery),
    responses((status = 200, body = Receipts), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The user's document cannot be read"), UserProblems, QueryProblems, StoreProblems))]
pub async fn list(
    State(users): State<Users>,
    State(audit): State<Audit>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<ReceiptsQuery>,
) -> Result<Json<Receipts>, Problem> {
    known(&users, &id)?;
    let before = query.before.map(|text| text.parse()).transpose();
    let before = before.map_err(|_| Faults::one("before", "must be the next of the page before"))?;
    let filter = AuditFilter { target: Some(format!("/users/{id}/erasures")), actor: None, before, limit: PAGE };
    let found = audit.audit(&filter).await?;
    let next = found.last().filter(|_| found.len() == PAGE as usize).map(|entry| entry.seq);
    Ok(Json(Receipts { receipts: found.into_iter().filter_map(receipt).collect(), next }))
}

/// Attempts that were refused stand in the audit, too.
fn receipt(entry: AuditEntry) -> Option<KeptReceipt> {
    let deed = entry.deed;
    let receipt = serde_json::from_str(&deed.detail).ok().filter(|_| deed.action == ERASED)?;
    Some(KeptReceipt { receipt, by: deed.actor })
}
