//! `/users/{user_id}/versions…`: what a user's document was. To go back to a version is to send its `document` by PUT: secrets are not in
//! it, and those that are stored stay.

use super::error::Problem;
use super::extract::{Parameters, UserPath};
use super::openapi::{QueryProblems, StoreProblems, UserProblems};
use super::state::{Users, Versions};
use super::users::document::UserDocument;
use super::webhooks::known;
use axum::{Json, extract::Path, extract::State};
use callie_domain::{Faults, UserId};
use callie_store::version::Version;
use callie_store::{Revision, StoredUser};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

const PAGE: u32 = 50;
const PAGE_LIMIT: u32 = 200;
/// Fields that change without a change of the document, or with every one.
const LIVE: [&str; 6] = ["sip_status", "registration", "config_state", "warnings", "revision", "updated_at"];

/// A version in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionEntry {
    /// The document's revision, which records of calls name (`config_revision`).
    #[schema(example = 12)]
    pub version: Revision,
    /// Since when this server has seen it.
    pub seen_at: Timestamp,
    /// Calls that begin now run with it.
    pub current: bool,
    /// The fields that are otherwise than in the version before; null of the oldest that is kept.
    #[schema(example = json!(["ai.instructions", "calls.default_greeting"]))]
    pub changed: Option<Vec<String>>,
}

/// A page of versions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionList {
    pub versions: Vec<VersionEntry>,
    /// Pass it as `before` for the next page; null on the last.
    pub next: Option<Revision>,
}

/// A version with its document.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionDocument {
    pub version: Revision,
    pub seen_at: Timestamp,
    /// As `GET /users/{user_id}` showed it, without the line's state. It may be sent back by PUT.
    #[schema(value_type = Object)]
    pub document: Value,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct VersionQuery {
    /// 1 to 200; 50 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<u64>)]
    before: Option<String>,
}

/// A user as a version keeps it.
pub fn kept_form(stored: &StoredUser) -> Value {
    let mut document = serde_json::to_value(UserDocument::good(stored, None)).unwrap_or_default();
    if let Some(map) = document.as_object_mut() {
        for field in LIVE {
            map.remove(field);
        }
    }
    document
}

/// Lists the versions of a user's document, newest first; the last 200 are kept.
#[utoipa::path(get, path = "/users/{user_id}/versions", operation_id = "list_user_versions", tag = "users",
    params(("user_id" = String, Path, example = "alice"), VersionQuery),
    responses((status = 200, body = VersionList), UserProblems, QueryProblems, StoreProblems))]
pub async fn list(
    State(users): State<Users>,
    State(versions): State<Versions>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<VersionQuery>,
) -> Result<Json<VersionList>, Problem> {
    known(&users, &id)?;
    let current = current(&users, &id);
    let mut faults = Faults::default();
    let limit = number("limit", query.limit, 1, PAGE_LIMIT.into(), &mut faults).unwrap_or(PAGE.into());
    let before = number("before", query.before, 0, u64::MAX, &mut faults);
    faults.into_result(())?;
    let limit = usize::try_from(limit).unwrap_or_default();
    // One more: what the last of the page has changed.
    let found = versions.versions(&id, before, u32::try_from(limit + 1).unwrap_or(PAGE)).await?;
    let entry = |(at, version): (usize, &Version)| VersionEntry {
        version: version.version,
        seen_at: version.seen_at,
        current: Some(version.version) == current,
        changed: found.get(at + 1).map(|older| changed(&older.document, &version.document)),
    };
    let next = found.get(limit).and_then(|_| found.get(limit - 1)).map(|last| last.version);
    Ok(Json(VersionList { versions: found.iter().enumerate().take(limit).map(entry).collect(), next }))
}

/// Shows a version of a user's document.
#[utoipa::path(get, path = "/users/{user_id}/versions/{version}", operation_id = "get_user_version", tag = "users",
    params(("user_id" = String, Path, example = "alice"), ("version" = u64, Path, example = 12)),
    responses((status = 200, body = VersionDocument), UserProblems, StoreProblems))]
pub async fn show(
    State(users): State<Users>,
    State(versions): State<Versions>,
    Path((user, version)): Path<(String, String)>,
) -> Result<Json<VersionDocument>, Problem> {
    let id: UserId = user.parse().map_err(|_| Problem::no_such_user(&user))?;
    known(&users, &id)?;
    let gone = || Problem::not_found(format!("there is no version {version} of user {id}, or it is not kept any more"));
    let number: Revision = version.parse().map_err(|_| gone())?;
    let Version { version, seen_at, document } = versions.version(&id, number).await?.ok_or_else(gone)?;
    Ok(Json(VersionDocument { version, seen_at, document }))
}

fn current(users: &Users, id: &UserId) -> Option<Revision> {
    users.watch().borrow().users.get(id)?.usable().map(|stored| stored.revision)
}

fn number(field: &str, text: Option<String>, min: u64, max: u64, faults: &mut Faults) -> Option<u64> {
    let read = text.as_deref()?.parse().ok().filter(|n| (min..=max).contains(n));
    if read.is_none() {
        faults.add(field, format!("must be a whole number from {min} to {max}"));
    }
    read
}

/// The paths of what is otherwise; a setting that has two places is named by that in its map.
fn changed(old: &Value, new: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    let nothing = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&nothing), new.as_object().unwrap_or(&nothing));
    compare(old, new, "", 2, &mut paths);
    let in_maps: Vec<String> = paths.iter().filter_map(|path| path.split_once('.')).map(|(_, field)| field.to_owned()).collect();
    paths.retain(|path| path.contains('.') || !in_maps.contains(path));
    paths.retain(|path| path != "greeting" || !in_maps.iter().any(|field| field == "default_greeting"));
    paths
}

fn compare(old: &Map<String, Value>, new: &Map<String, Value>, prefix: &str, depth: u8, paths: &mut Vec<String>) {
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match (old.get(name), new.get(name)) {
            (one, other) if one == other => {}
            (Some(Value::Object(one)), Some(Value::Object(other))) if depth > 0 => compare(one, other, &path, depth - 1, paths),
            _ if LIVE.contains(&name.as_str()) => {}
            _ => paths.push(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_named_by_their_place() {
        let old = json!({"display_name": "A", "greeting": "Hi", "sip": {"display_name": "A", "updated_at": 1}, "webhooks": [],
            "calls": {"default_greeting": "Hi"}, "ai": {"voice": "x", "after_call": {"summary": false}}});
        let new = json!({"display_name": "B", "greeting": "Ho", "sip": {"display_name": "B", "updated_at": 2}, "webhooks": [1],
            "calls": {"default_greeting": "Ho"}, "ai": {"voice": "x", "after_call": {"summary": true}, "model": "m"}});
        let want = ["ai.after_call.summary", "ai.model", "calls.default_greeting", "sip.display_name", "webhooks"];
        assert_eq!(changed(&old, &new), want);
        assert_eq!(changed(&old, &old), Vec::<String>::new());
    }
}
