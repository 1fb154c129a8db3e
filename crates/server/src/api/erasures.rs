//! `/users/{user_id}/erasures`: what was said with somebody, deleted on request, with a receipt.
//!
//! | module | holds |
//! |---|---|
//! | [`preview`] | what would go |
//! | [`receipts`] | what went, from the audit |

pub mod preview;
pub mod receipts;

use super::authorize::AuditDetail;
use super::error::Problem;
use super::extract::{JsonBody, UserPath};
use super::openapi::{BodyProblems, StoreProblems, UserProblems};
use super::state::{Clock, Users};
use super::webhooks::known;
use crate::records::erasure::{Eraser, ErasureFault, Tally};
use axum::{Extension, Json, extract::State};
use callie_domain::{Faults, UserId};
use callie_store::retention::Which;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

const LONGEST_PARTY: usize = 256;

/// What to erase: one of the two.
#[derive(ToSchema)]
#[schema(example = json!({"party": "+4930123456"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Erasure {
    /// The other side, by number or by `from` or `to` as records show it.
    party: Option<String>,
    /// True: all calls of the user.
    everything: Option<bool>,
}

/// What was erased. It names nobody: the party is in it as a digest alone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    pub erased_at: Timestamp,
    /// SHA-256 of the party as it was asked for; null when everything was erased.
    pub party_sha256: Option<String>,
    /// Calls of which nothing is left but the record, without names.
    pub calls: u64,
    /// Files on the disk that were deleted.
    pub recordings: u64,
    /// Recordings in the bucket, unreadable by now, that are deleted there in a while; `/admin/status` tells what is left.
    pub recordings_pending: u64,
    /// Sealed recordings whose keys were destroyed: no copy of them opens any more with what this server has, wherever it lies.
    #[serde(default)]
    pub recordings_unreadable: u64,
    /// The user's key of recordings, which was destroyed when everything was erased; null otherwise.
    #[serde(default)]
    #[schema(example = "4f1c02d9a7b35e88")]
    pub key_id: Option<String>,
    /// What this receipt cannot promise.
    #[serde(default)]
    #[schema(example = "A backup of callie.db from before …")]
    pub backups: String,
    /// SHA-256 of the lines `user_id`, `erased_at`, `party_sha256` or `everything`, `calls`, `recordings`, `recordings_unreadable` and
    /// `key_id` or `none`, each ended by a line feed. The whole receipt stands in
    /// the audit, which shows when somebody was at it.
    pub receipt_sha256: String,
}

/// True of every erasure.
const BACKUPS: &str = "A backup of callie.db from before erased_at still holds the keys that were destroyed, and what was said as text. \
    It opens copies of the recordings together with a keyring that has the key which was primary then: delete such backups, or \
    replace that key (callie keys add, primary, sweep, drop) and destroy every copy of it.";

/// Erases what was said in a user's calls that have ended: recordings, transcripts, events, SIP messages, what was read out of them,
/// what webhooks were told, and the names of the parties. Times, outcome and cost of the calls stay. Recordings are sealed, and their keys
/// go first: copies elsewhere cannot be opened after. Works for a user who has been deleted, too, as long as there is something left.
#[utoipa::path(post, path = "/users/{user_id}/erasures", operation_id = "erase_calls", tag = "calls",
    params(("user_id" = String, Path, example = "alice")), request_body = Erasure,
    responses((status = 200, body = Receipt), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The user's document cannot be read"), UserProblems, BodyProblems, StoreProblems))]
pub async fn erase(
    State(users): State<Users>,
    State(eraser): State<Eraser>,
    State(clock): State<Clock>,
    UserPath(id): UserPath,
    JsonBody(body): JsonBody,
) -> Result<(Extension<AuditDetail>, Json<Receipt>), Problem> {
    match known(&users, &id) {
        Err(problem) if problem.status == 404 && eraser.has_something_of(&id).await? => {}
        other => drop(other?),
    }
    let which = read(&body)?;
    let Tally { calls, recordings, pending, unreadable, key_id } =
        eraser.erase(&id, &which).await.map_err(|fault| match fault {
            ErasureFault::Store(error) => error.into(),
            fault @ ErasureFault::File { .. } => Problem::internal(fault.to_string()),
        })?;
    let party_sha256 = match &which {
        Which::WithParty(party) => Some(hex(&Sha256::digest(party.as_bytes()))),
        Which::All | Which::EndedBefore(_) => None,
    };
    let erased_at = clock.now();
    let what = party_sha256.as_deref().unwrap_or("everything");
    let lines =
        format!("{id}\n{erased_at}\n{what}\n{calls}\n{recordings}\n{unreadable}\n{}\n", key_id.as_deref().unwrap_or("none"));
    let receipt_sha256 = hex(&Sha256::digest(lines.as_bytes()));
    tracing::info!(user.id = %id, calls, recordings, "erased what was said in {calls} calls");
    let receipt = Receipt {
        user_id: id,
        erased_at,
        party_sha256,
        calls,
        recordings,
        recordings_pending: pending,
        recordings_unreadable: unreadable,
        key_id,
        backups: BACKUPS.to_owned(),
        receipt_sha256,
    };
    Ok((Extension(AuditDetail(json!(receipt))), Json(receipt)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(body: &Value) -> Result<Which, Faults> {
    let map = body.as_object().ok_or_else(|| Faults::one("", "must be a JSON object with party or everything"))?;
    if let Some(unknown) = map.keys().find(|name| !matches!(name.as_str(), "party" | "everything")) {
        return Err(Faults::one(unknown, "is not a known field; known are party and everything"));
    }
    let value = |name: &str| map.get(name).filter(|value| !value.is_null());
    match (value("party"), value("everything")) {
        (Some(Value::String(party)), None) if (1..=LONGEST_PARTY).contains(&party.trim().len()) => {
            Ok(Which::WithParty(party.trim().to_owned()))
        }
        (None, Some(Value::Bool(true))) => Ok(Which::All),
        (Some(_), None) => Err(Faults::one("party", "must be the other side's number, or its address as a record shows it")),
        (None, Some(_)) => Err(Faults::one("everything", "must be true, or left out")),
        _ => Err(Faults::one("party", "give party, or everything: true")),
    }
}
