//! `/users` and `/users/{user_id}`: the users' documents. A handler ends at the store; the reconciler does the rest.

pub mod change;
pub mod document;
pub mod input;
pub mod limits;
pub mod list;
pub mod query;
pub mod revision;
pub mod summary;
pub mod tools;
pub mod webhooks;

use super::authorize::{AuditDetail, Viewer};
use super::error::Problem;
use super::extract::{JsonBody, Parameters, UserPath};
use super::openapi::{BodyProblems, QueryProblems, StoreProblems, UserProblems};
use super::state::{Clock, Contacts, Lines, Users};
use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use callie_domain::{Faults, UserId};
use callie_store::{Entry, Revision, StoreError};
use document::{ConfigState, UserDocument};
use query::UserQuery;
use revision::{Etag, IfMatch};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Creates a user.
#[utoipa::path(post, path = "/users", operation_id = "create_user", tag = "users", request_body = input::NewUser,
    responses((status = 201, body = UserDocument, headers(("ETag" = String, description = "Its revision, in quotes"))), (status = 409, body = Problem, description = "There is a user of that id",
        content_type = "application/problem+json"), BodyProblems, StoreProblems))]
pub async fn create(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(clock): State<Clock>,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let mac_field = input::mac_field(&body);
    let input = input::read_new(body)?;
    let view = users.watch().borrow().clone();
    if let Some(owner) = input.mac_address.and_then(|mac| input::mac_owner(&view, mac, input.user_id.as_ref())) {
        return Err(Faults::one(mac_field, format!("is the address of user {owner} already")).into());
    }
    let mac = input::free_mac(&view, rand::random).ok_or_else(|| Problem::internal("no MAC address is free"))?;
    let user = input.create(clock.now(), mac)?;
    tools::check(&user)?;
    let stored = users.create(&user).await?;
    tracing::info!(user.id = %user.id, "created user {}", user.id);
    let location = [(header::LOCATION, format!("/users/{}", user.id))];
    let line = lines.line(&user.id);
    Ok((StatusCode::CREATED, location, Etag(stored.revision), Json(UserDocument::good(&stored, line))))
}

/// Lists users; whoever is let in for one user sees that one.
///
/// Without parameters it is all of them, whole and sorted by id. Programs with many users take pages (`limit`, `after`), and the short form.
#[utoipa::path(get, path = "/users", operation_id = "list_users", tag = "users", params(UserQuery),
    responses((status = 200, body = list::UserList), QueryProblems))]
pub async fn list(
    State(users): State<Users>,
    State(lines): State<Lines>,
    viewer: Viewer,
    Parameters(query): Parameters<UserQuery>,
) -> Result<Response, Problem> {
    let filter = query.parse()?;
    let view = users.watch().borrow().clone();
    Ok(list::answer(view, lines, &viewer, &filter))
}

/// Shows a user. While the store does not answer it is as it was last seen, which is what the server runs with.
#[utoipa::path(get, path = "/users/{user_id}", operation_id = "get_user", tag = "users", params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = UserDocument, headers(("ETag" = String, description = "Its revision, in quotes"))),
        UserProblems, StoreProblems))]
pub async fn show(
    State(users): State<Users>,
    State(lines): State<Lines>,
    UserPath(id): UserPath,
) -> Result<(Etag, Json<UserDocument>), Problem> {
    let line = lines.line(&id);
    let seen = || users.watch().borrow().users.get(&id).cloned();
    let read = match users.health().await {
        Ok(()) => users.get(&id).await,
        Err(error) => Err(error),
    };
    let document = match read {
        Ok(Some(stored)) => UserDocument::good(&stored, line),
        Ok(None) => return Err(Problem::no_such_user(id.as_str())),
        Err(StoreError::Faulty { fault, .. }) => {
            let running = seen();
            let running = running.as_ref().and_then(Entry::usable);
            UserDocument::of(&id, running, ConfigState::Faulty { problem: fault }, line)
        }
        Err(error @ StoreError::Unavailable(_)) => match seen() {
            Some(entry) => UserDocument::entry(&id, &entry, line),
            None => return Err(error.into()),
        },
        Err(error) => return Err(error.into()),
    };
    Ok((Etag(document.revision), Json(document)))
}

/// Changes the fields it names; the rest stays. A running call keeps the configuration it began with.
///
/// With `If-Match` it is refused when somebody else has changed the document since.
#[utoipa::path(put, path = "/users/{user_id}", operation_id = "update_user", tag = "users",
    params(("user_id" = String, Path, example = "alice"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the answer that the change is based on")),
    request_body = input::UserChange,
    responses((status = 200, body = UserDocument, headers(("ETag" = String, description = "Its revision, in quotes"))),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "Others keep changing the document, or it cannot be read"),
        (status = 412, body = Problem, content_type = "application/problem+json",
            description = "The document is not at the revision of If-Match"),
        UserProblems, BodyProblems, StoreProblems))]
pub async fn update(
    State(users): State<Users>,
    State(lines): State<Lines>,
    State(clock): State<Clock>,
    UserPath(id): UserPath,
    wanted: IfMatch,
    viewer: Viewer,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let view = users.watch().borrow().clone();
    let stored = change::change(&users, &id, &wanted, |old| {
        let input = input::read_change(body.clone(), &UserDocument::good(old, None))?;
        let taken = input.mac_address.and_then(|mac| input::mac_owner(&view, mac, Some(&id)));
        if let Some(owner) = taken {
            let problem = format!("is the address of user {owner} already");
            return Err(Faults::one(input::mac_field(&body), problem).into());
        }
        let applied = input.apply(&old.user, clock.now());
        let user = applied.map_err(|faults| input::as_written(&body, faults))?;
        tools::check(&user)?;
        // What a line may spend is not for whoever spends it to say.
        if user.limits != old.user.limits && viewer.only().is_some() {
            return Err(Problem::forbidden("limits are set by operators and admins: leave them out"));
        }
        Ok(user)
    })
    .await?;
    tracing::info!(user.id = %id, revision = stored.revision, "user {id} is at revision {}", stored.revision);
    let line = lines.line(&id);
    let fields = Extension(AuditDetail(json!({ "fields": named_fields(&body) })));
    Ok((Etag(stored.revision), fields, Json(UserDocument::good(&stored, line))))
}

/// The names of the fields in a body, those in maps with a dot: for the audit, which holds no values.
fn named_fields(body: &Value) -> Vec<String> {
    let members = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let of = |name: String| {
        let inner = members(&body[&name]);
        if inner.is_empty() { vec![name] } else { inner.into_iter().map(|inner| format!("{name}.{inner}")).collect() }
    };
    members(body).into_iter().flat_map(of).collect()
}

/// A user that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    #[schema(example = "deleted")]
    pub status: &'static str,
    pub success: bool,
}

/// Deletes a user. Its line goes down and its contacts are deleted; the records of its calls stay.
///
/// With `If-Match` it is refused when somebody else has changed the document since.
#[utoipa::path(delete, path = "/users/{user_id}", operation_id = "delete_user", tag = "users",
    params(("user_id" = String, Path, example = "alice"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the answer that the deletion is based on")),
    responses((status = 200, body = Deleted),
        (status = 412, body = Problem, content_type = "application/problem+json",
            description = "The document is not at the revision of If-Match"),
        UserProblems, StoreProblems))]
pub async fn remove(
    State(users): State<Users>,
    State(contacts): State<Contacts>,
    UserPath(id): UserPath,
    wanted: IfMatch,
) -> Result<Json<Deleted>, Problem> {
    match wanted {
        IfMatch::Any if !users.delete(&id).await? => return Err(Problem::no_such_user(id.as_str())),
        IfMatch::Any => {}
        IfMatch::One(revisions) => remove_at(&users, &id, &revisions).await?,
    }
    contacts.put_contacts(&id, Vec::new()).await?;
    tracing::info!(user.id = %id, "deleted user {id}");
    Ok(Json(Deleted { user_id: id, status: "deleted", success: true }))
}

/// The store decides: only one of the revisions can be the stored one.
async fn remove_at(users: &Users, id: &UserId, revisions: &[Revision]) -> Result<(), Problem> {
    for revision in revisions {
        match users.delete_at(id, *revision).await {
            Err(StoreError::Conflict(_)) => {}
            deleted => return Ok(deleted?),
        }
    }
    Err(Problem::changed_since(id))
}
