//! `/users/{user_id}/contacts`: whom a user knows, for the agent's `lookup_contact`.

use super::error::Problem;
use super::extract::{JsonBody, UserPath};
use super::openapi::{BodyProblems, StoreProblems, UserProblems};
use super::state::{Contacts, Users};
use axum::{Json, extract::State};
use callie_domain::contact::read_contacts;
use callie_domain::{Contact, Faults, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// Whom a user knows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactList {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    #[schema(value_type = Vec<ContactDocument>)]
    pub contacts: Vec<Contact>,
    pub total_count: usize,
}

/// The whole list, in the place of the one that there is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ContactChange {
    /// An empty list takes all away.
    #[schema(max_items = 2000)]
    contacts: Vec<ContactDocument>,
}

/// Somebody whom the user knows.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct ContactDocument {
    #[schema(example = "Maria Lopez", max_length = 128)]
    name: String,
    /// Compared by their last seven digits.
    #[schema(example = json!(["+43 1 2345678"]), max_items = 8)]
    numbers: Option<Vec<String>>,
    /// What the agent may know and say of them.
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// Shows the contacts of a user.
#[utoipa::path(get, path = "/users/{user_id}/contacts", operation_id = "get_contacts", tag = "users",
    params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = ContactList), UserProblems, StoreProblems))]
pub async fn show(
    State(users): State<Users>,
    State(contacts): State<Contacts>,
    UserPath(id): UserPath,
) -> Result<Json<ContactList>, Problem> {
    is_there(&users, &id)?;
    let list = contacts.contacts(&id).await?;
    Ok(Json(answer(id, list)))
}

/// Replaces the contacts of a user. The next look-up finds them, also in a call that is up.
#[utoipa::path(put, path = "/users/{user_id}/contacts", operation_id = "put_contacts", tag = "users",
    params(("user_id" = String, Path, example = "alice")), request_body = ContactChange,
    responses((status = 200, body = ContactList), UserProblems, BodyProblems, StoreProblems))]
pub async fn replace(
    State(users): State<Users>,
    State(contacts): State<Contacts>,
    UserPath(id): UserPath,
    JsonBody(body): JsonBody,
) -> Result<Json<ContactList>, Problem> {
    is_there(&users, &id)?;
    let map = body.as_object().ok_or_else(|| Faults::one("", "must be a JSON object"))?;
    let mut faults = Faults::default();
    // What the answer shows may be sent back.
    for key in map.keys().filter(|key| !matches!(key.as_str(), "contacts" | "user_id" | "total_count")) {
        faults.add(key, "is not a known field");
    }
    let Some(list) = map.get("contacts") else {
        faults.add("contacts", "is required");
        return Err(faults.into());
    };
    let list = read_contacts(list).map_err(|more| Faults([faults.0.clone(), more.0].concat()))?;
    let list = faults.into_result(list)?;
    contacts.put_contacts(&id, list.clone()).await?;
    tracing::info!(user.id = %id, contacts = list.len(), "the contacts of {id} are replaced");
    Ok(Json(answer(id, list)))
}

fn is_there(users: &Users, id: &UserId) -> Result<(), Problem> {
    let view = users.watch().borrow().clone();
    if view.users.contains_key(id) { Ok(()) } else { Err(Problem::no_such_user(id.as_str())) }
}

fn answer(user_id: UserId, contacts: Vec<Contact>) -> ContactList {
    ContactList { user_id, total_count: contacts.len(), contacts }
}
