//! `/keys`: who may come in with a key.

use super::authorize::{AuditDetail, Viewer};
use super::error::Problem;
use super::extract::JsonBody;
use super::openapi::{BodyProblems, StoreProblems};
use super::state::{Clock, Users};
use super::words::{KeyStateWord, RoleWord};
use crate::identity::{Door, Openness, Proof, digest, key};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use callie_domain::identity::KeyState;
use callie_domain::{ApiKey, Faults, Role, UserId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

const LONGEST_NAME: usize = 100;

/// A key, without the part that opens.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyDocument {
    /// The part of the key after `callie_`, up to the next `_`.
    #[schema(example = "k3x7m2pa")]
    pub id: String,
    #[schema(example = "front desk")]
    pub name: String,
    #[schema(value_type = RoleWord)]
    pub role: &'static str,
    /// Of role `user`: the one user.
    #[schema(value_type = Option<String>)]
    pub user_id: Option<UserId>,
    #[schema(value_type = KeyStateWord)]
    pub state: KeyState,
    pub created_at: Timestamp,
    #[schema(example = "this machine")]
    pub created_by: String,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl KeyDocument {
    fn of(key: ApiKey, now: Timestamp) -> Self {
        Self {
            state: key.state(now),
            role: key.role.word(),
            user_id: key.role.user().cloned(),
            id: key.id,
            name: key.name,
            created_at: key.created_at,
            created_by: key.created_by,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// All keys, newest first, the ended ones too.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyList {
    pub keys: Vec<KeyDocument>,
}

/// A fresh key. It is shown this once: the server keeps a digest of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreshKey {
    #[schema(example = "callie_k3x7m2pa_…")]
    pub key: String,
    #[serde(flatten)]
    pub about: KeyDocument,
}

/// A key to be made.
#[derive(ToSchema)]
#[schema(example = json!({"name": "front desk", "role": "operator"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct NewKey {
    /// Whom or what it is for.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    #[schema(value_type = RoleWord)]
    role: String,
    /// With role `user`: the one user.
    user_id: Option<String>,
    /// Never when left out.
    expires_at: Option<Timestamp>,
}

/// Lists the keys.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "access", responses((status = 200, body = KeyList), StoreProblems))]
pub async fn list(State(door): State<Door>, State(clock): State<Clock>) -> Result<Json<KeyList>, Problem> {
    let now = clock.now();
    let keys = door.access.keys().await?;
    Ok(Json(KeyList { keys: keys.into_iter().map(|key| KeyDocument::of(key, now)).collect() }))
}

/// Makes a key. The first one closes the door to programs that show none, so that it must be an admin's.
#[utoipa::path(post, path = "/keys", operation_id = "create_key", tag = "access", request_body = NewKey,
    responses((status = 201, body = FreshKey), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The first key must be an admin's"), BodyProblems, StoreProblems))]
pub async fn create(
    State(door): State<Door>,
    State(users): State<Users>,
    State(clock): State<Clock>,
    viewer: Viewer,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let now = clock.now();
    let wanted = read(&body, now)?;
    if let Some(user) = wanted.role.user()
        && !users.watch().borrow().users.contains_key(user)
    {
        return Err(Faults::one("user_id", "names a user that does not exist").into());
    }
    let is_first = viewer.0.proof == Proof::ThisMachine;
    if is_first && wanted.role != Role::Admin {
        let detail = "the first key closes the API to programs that show none: make one of role admin first, else nobody could make another";
        return Err(Problem::conflict("first-key", detail));
    }
    let (id, text) = key::fresh();
    let made = ApiKey {
        id: id.clone(),
        name: wanted.name,
        role: wanted.role,
        created_at: now,
        created_by: viewer.0.name,
        expires_at: wanted.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    door.access.add_key(&made, digest(&text)).await?;
    tracing::info!(key.id = id, "made a key for {}: {}", made.role, made.name);
    let detail = AuditDetail(json!({ "key": id, "role": made.role.to_string(), "name": made.name }));
    // Whoever closes the door with a browser stays inside.
    let cookie = match is_first {
        true => Some(door.open_session(made.name.clone(), made.role.clone(), Some(id), now).await?.1),
        false => None,
    };
    // Who has stayed without a key until now needs one.
    if is_first {
        door.look_round(now).await;
    }
    let fresh = FreshKey { key: text, about: KeyDocument::of(made, now) };
    let mut response = (StatusCode::CREATED, Extension(detail), Json(fresh)).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

struct Wanted {
    name: String,
    role: Role,
    expires_at: Option<Timestamp>,
}

fn read(body: &Value, now: Timestamp) -> Result<Wanted, Faults> {
    let none = Map::new();
    let mut faults = Faults::default();
    let map = body.as_object().unwrap_or_else(|| {
        faults.add("", "must be a JSON object");
        &none
    });
    for name in map.keys().filter(|name| !matches!(name.as_str(), "name" | "role" | "user_id" | "expires_at")) {
        faults.add(name, "is not a known field; known are name, role, user_id and expires_at");
    }
    let text = |name: &str| map.get(name).filter(|value| !value.is_null()).map(|value| value.as_str().unwrap_or_default());
    let name = text("name").unwrap_or_default().trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        faults.add("name", format!("must say whom or what the key is for, in 1 to {LONGEST_NAME} characters"));
    }
    let user = text("user_id").map(str::parse::<UserId>).transpose().unwrap_or_else(|bad| {
        faults.add("user_id", bad.to_string());
        None
    });
    let role = Role::read(text("role").unwrap_or_default(), user).unwrap_or_else(|bad| {
        faults.add("role", bad.to_string());
        Role::Admin
    });
    let expires_at = text("expires_at").map(str::parse::<Timestamp>).transpose().unwrap_or_else(|_| {
        faults.add("expires_at", "must be a time such as 2027-01-01T00:00:00Z");
        None
    });
    if expires_at.is_some_and(|at| at <= now) {
        faults.add("expires_at", "must lie in the future");
    }
    faults.into_result(Wanted { name: name.to_owned(), role, expires_at })
}

/// A key that opens no more.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedKey {
    pub id: String,
    #[schema(example = "revoked")]
    pub status: &'static str,
    pub success: bool,
}

/// Revokes a key, and ends the sessions that were opened with it, and the feeds and WebSockets of both.
#[utoipa::path(delete, path = "/keys/{key_id}", operation_id = "revoke_key", tag = "access",
    params(("key_id" = String, Path, example = "k3x7m2pa")),
    responses((status = 200, body = RevokedKey), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "There is no such key, or it was revoked before"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "It is the last admin's key, and nobody could make another"), StoreProblems))]
pub async fn revoke(
    State(door): State<Door>,
    State(clock): State<Clock>,
    Path(id): Path<String>,
) -> Result<Json<RevokedKey>, Problem> {
    let now = clock.now();
    if locks_out(&door, &id, now).await? {
        let detail = "it is the last valid key of an admin: make another one first";
        return Err(Problem::conflict("last-admin-key", detail));
    }
    if !door.revoke_key(&id, now).await? {
        return Err(Problem::not_found("there is no such key, or it was revoked before; GET /keys lists them"));
    }
    tracing::info!(key.id = id, "revoked a key");
    Ok(Json(RevokedKey { id, status: "revoked", success: true }))
}

/// Whether nobody could make a key any more. Where the door opens again without keys, the very last one may go.
async fn locks_out(door: &Door, id: &str, now: Timestamp) -> Result<bool, Problem> {
    let opens_again = door.settings.openness == Openness::UntilThereIsAKey;
    if door.settings.tokens.is_some() {
        return Ok(false);
    }
    let keys = door.access.keys().await?;
    let is_admin = |key: &&ApiKey| key.role == Role::Admin && key.state(now) == KeyState::Valid;
    if !keys.iter().filter(is_admin).any(|key| key.id == id) || keys.iter().filter(is_admin).count() > 1 {
        return Ok(false);
    }
    let others = keys.iter().any(|key| key.id != id && key.state(now) != KeyState::Revoked);
    Ok(others || !opens_again)
}
