//! `/users/{user_id}/calls/pending…`: calls that are tried again.

use super::error::Problem;
use super::extract::UserPath;
use super::openapi::{StoreProblems, UserProblems};
use super::state::{Orders, Users};
use super::words::{EndReasonWord, OrderStateWord, RetryOnWord};
use axum::{
    Json,
    extract::{Path, State},
};
use callie_domain::retry::RetryOn;
use callie_domain::{CallId, OrderId, UserId};
use callie_store::{Order, OrderState};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A call that is tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct PendingCall {
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1N")]
    pub id: OrderId,
    #[schema(example = "+1234567890")]
    pub number: String,
    #[schema(value_type = OrderStateWord)]
    pub state: OrderState,
    /// Made so far, the one under way among them.
    pub attempts_made: u32,
    /// Altogether.
    pub attempts: u32,
    /// Seconds.
    pub pause_s: u32,
    #[schema(value_type = Vec<RetryOnWord>)]
    pub on: Vec<RetryOn>,
    /// Null while an attempt is under way.
    pub next_attempt_at: Option<Timestamp>,
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub last_call_id: CallId,
    /// How the attempt before ended.
    #[schema(value_type = Option<EndReasonWord>)]
    pub last_reason: Option<String>,
    /// Why an attempt that was due could not be made.
    pub note: Option<String>,
    pub created_at: Timestamp,
}

/// The pending calls of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct PendingCalls {
    /// The oldest first.
    pub calls: Vec<PendingCall>,
}

/// A call that is not tried any more.
#[derive(Debug, Serialize, ToSchema)]
pub struct PendingCancelled {
    pub success: bool,
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1N")]
    pub id: OrderId,
}

impl From<Order> for PendingCall {
    fn from(order: Order) -> Self {
        let rules = order.rules;
        Self {
            id: order.id,
            number: order.number,
            state: order.state,
            attempts_made: order.attempts,
            attempts: rules.as_ref().map_or(order.attempts, |rules| rules.attempts),
            pause_s: rules.as_ref().map_or(0, |rules| rules.pause_s),
            on: rules.map(|rules| rules.on).unwrap_or_default(),
            next_attempt_at: order.next_attempt_at,
            last_call_id: order.last_call,
            last_reason: order.last_reason,
            note: order.note,
            created_at: order.created_at,
        }
    }
}

/// Lists the calls of a user that are tried again, or are up and may be.
#[utoipa::path(get, path = "/users/{user_id}/calls/pending", operation_id = "list_pending_calls", tag = "calls",
    params(("user_id" = String, Path, example = "alice")),
    responses((status = 200, body = PendingCalls), UserProblems, StoreProblems))]
pub async fn list(
    State(users): State<Users>,
    State(orders): State<Orders>,
    UserPath(id): UserPath,
) -> Result<Json<PendingCalls>, Problem> {
    known(&users, &id)?;
    let pending = orders.pending_orders(&id).await?;
    Ok(Json(PendingCalls { calls: pending.into_iter().map(Into::into).collect() }))
}

/// Tries a call no more. One that is up goes on; DELETE /calls/{call_id} ends it.
#[utoipa::path(delete, path = "/users/{user_id}/calls/pending/{order_id}", operation_id = "cancel_pending_call", tag = "calls",
    params(("user_id" = String, Path, example = "alice"), ("order_id" = String, Path)),
    responses((status = 200, body = PendingCancelled), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "There is no such user, or no such pending call"), StoreProblems))]
pub async fn cancel(
    State(users): State<Users>,
    State(orders): State<Orders>,
    Path((user, order)): Path<(String, String)>,
) -> Result<Json<PendingCancelled>, Problem> {
    let user: UserId = user.parse().map_err(|_| Problem::no_such_user(&user))?;
    known(&users, &user)?;
    let gone = || Problem::not_found(format!("user {user} has no pending call {order}; it may be settled by now"));
    let id: OrderId = order.parse().map_err(|_| gone())?;
    match orders.cancel_order(&user, id).await? {
        true => Ok(Json(PendingCancelled { success: true, id })),
        false => Err(gone()),
    }
}

fn known(users: &Users, id: &UserId) -> Result<(), Problem> {
    match users.watch().borrow().users.contains_key(id) {
        true => Ok(()),
        false => Err(Problem::no_such_user(id.as_str())),
    }
}
