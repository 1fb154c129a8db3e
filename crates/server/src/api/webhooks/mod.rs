//! `/users/{user_id}/webhooks…`: what was told to the user's receivers and what became of it, and trying them. The webhooks
//! themselves are in the user's document.

pub mod document;

use super::error::Problem;
use super::extract::{OptionalJsonBody, Parameters, UserPath};
use super::openapi::{BodyProblems, QueryProblems, StoreProblems, UserProblems};
use super::state::{Clock, Hooks, Users};
use crate::hooks::message::News;
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
};
use callie_domain::user::{HookEvent, User, webhooks};
use callie_domain::{DeliveryId, Faults, UserId};
use callie_store::{Delivery, DeliveryFilter, DeliveryState};
use document::{DeliveryDetail, DeliveryDocument, DeliveryList, Tested};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

const PAGE: u32 = 50;
const PAGE_LIMIT: u32 = 500;
/// A test is waited for so long.
const PATIENCE: Duration = Duration::from_secs(12);

/// Which deliveries to list. All parameters are optional and narrow together.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// `waiting`, `delivered`, `failed` or `dropped`.
    #[param(example = "failed")]
    state: Option<String>,
    /// For example `call.ended`.
    #[param(example = "call.ended")]
    event: Option<String>,
    /// 1 to 500; 50 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// The `next` of the page before.
    #[param(value_type = Option<i64>)]
    before: Option<String>,
}

impl DeliveryQuery {
    fn parse(self, user_id: UserId) -> Result<DeliveryFilter, Faults> {
        let mut faults = Faults::default();
        let state = word(self.state, "state", "must be waiting, delivered, failed or dropped", &mut faults);
        let event: Option<HookEvent> = word(self.event, "event", "must be an event such as call.ended", &mut faults);
        let limit = self.limit.map(|text| text.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit)));
        if limit == Some(None) {
            faults.add("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}"));
        }
        let before = self.before.map(|text| text.parse().ok());
        if before == Some(None) {
            faults.add("before", "must be the next of the page before");
        }
        let limit = limit.flatten().unwrap_or(PAGE);
        faults.into_result(DeliveryFilter { user_id, state, event, before: before.flatten(), limit })
    }
}

fn word<T: DeserializeOwned>(text: Option<String>, field: &str, problem: &str, faults: &mut Faults) -> Option<T> {
    serde_json::from_value(Value::String(text?)).map_err(|_| faults.add(field, problem)).ok()
}

/// The user and the delivery named in the path.
pub struct DeliveryPath(UserId, DeliveryId);

impl<S: Send + Sync> FromRequestParts<S> for DeliveryPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((user, id)) = read.map_err(|_| Problem::not_found("the path holds characters that no id has"))?;
        let user = user.parse().map_err(|_| Problem::no_such_user(&user))?;
        Ok(Self(user, id.parse().map_err(|_| no_such_delivery(&id))?))
    }
}

fn no_such_delivery(id: &str) -> Problem {
    Problem::not_found(format!("there is no delivery {id}; they are kept for a week after their end"))
}

/// Lists what was told to the user's receivers, newest first.
#[utoipa::path(get, path = "/users/{user_id}/webhooks/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(("user_id" = String, Path, example = "alice"), DeliveryQuery),
    responses((status = 200, body = DeliveryList), UserProblems, QueryProblems, StoreProblems))]
pub async fn list(
    State(hooks): State<Hooks>,
    State(users): State<Users>,
    UserPath(id): UserPath,
    Parameters(query): Parameters<DeliveryQuery>,
) -> Result<Json<DeliveryList>, Problem> {
    known(&users, &id)?;
    let filter = query.parse(id)?;
    let found = hooks.queue.deliveries(&filter).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|length| length == filter.limit);
    let next = found.last().filter(|_| is_full).map(|delivery| delivery.seq);
    Ok(Json(DeliveryList { deliveries: found.into_iter().map(Into::into).collect(), next }))
}

/// Shows a delivery with its body.
#[utoipa::path(get, path = "/users/{user_id}/webhooks/deliveries/{delivery_id}", operation_id = "get_webhook_delivery",
    tag = "webhooks", params(("user_id" = String, Path, example = "alice"), ("delivery_id" = String, Path)),
    responses((status = 200, body = DeliveryDetail), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "There is no such delivery"), StoreProblems))]
pub async fn show(State(hooks): State<Hooks>, DeliveryPath(user, id): DeliveryPath) -> Result<Json<DeliveryDetail>, Problem> {
    let found = hooks.queue.delivery(&user, id).await?;
    Ok(Json(found.ok_or_else(|| no_such_delivery(&id.to_string()))?.into()))
}

/// Sends a delivery again, whatever became of it; one that waits is sent at once.
#[utoipa::path(post, path = "/users/{user_id}/webhooks/deliveries/{delivery_id}/resend", operation_id = "resend_webhook_delivery",
    tag = "webhooks", params(("user_id" = String, Path, example = "alice"), ("delivery_id" = String, Path)),
    responses((status = 202, body = DeliveryDocument), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "There is no such delivery"), StoreProblems))]
pub async fn resend(
    State(hooks): State<Hooks>,
    State(clock): State<Clock>,
    DeliveryPath(user, id): DeliveryPath,
) -> Result<(StatusCode, Json<DeliveryDocument>), Problem> {
    let resent = hooks.queue.resend(&user, id, clock.now()).await?;
    let resent = resent.ok_or_else(|| no_such_delivery(&id.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(resent.into())))
}

/// Which receiver to try; without a body, all that are active.
#[derive(ToSchema)]
#[schema(example = json!({"url": "https://example.com/hook"}))]
#[expect(dead_code, reason = "only its schema is used")]
pub struct HookTest {
    /// One of the user's webhooks.
    url: Option<String>,
}

/// Sends `webhook.test` to the user's receivers, and tells what they answered.
#[utoipa::path(post, path = "/users/{user_id}/webhooks/test", operation_id = "test_webhooks", tag = "webhooks",
    params(("user_id" = String, Path, example = "alice")), request_body(content = Option<HookTest>),
    responses((status = 200, body = Tested), (status = 409, body = Problem, content_type = "application/problem+json",
        description = "The user has no such webhook, or it is not active"), UserProblems, BodyProblems, StoreProblems))]
pub async fn test(
    State(hooks): State<Hooks>,
    State(users): State<Users>,
    State(clock): State<Clock>,
    UserPath(id): UserPath,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<Tested>, Problem> {
    let user = known(&users, &id)?;
    let urls = wanted(&user, body.as_ref())?;
    let text = "This is a test. It was asked for through the API.";
    // In a lane of its own: it waits for nothing.
    let news = News { event: HookEvent::Test, data: json!({ "text": text }), lane: format!("test:{:x}", rand::random::<u64>()) };
    let sent = news.to(urls.iter().map(String::as_str), &id, clock.now(), rand::random);
    let mut changed = hooks.queue.deliveries_changed();
    if hooks.queue.enqueue(&sent).await? < sent.len() {
        return Err(Problem::unavailable("too much waits for the user's webhooks already; see its deliveries"));
    }
    let ids: Vec<DeliveryId> = sent.iter().map(|delivery| delivery.id).collect();
    let tried = async {
        loop {
            changed.mark_unchanged();
            let found = now(&hooks, &id, &ids).await?;
            if found.iter().all(|delivery| delivery.attempts > 0 || delivery.state != DeliveryState::Waiting) {
                return Ok(found);
            }
            if changed.changed().await.is_err() {
                return Ok(found);
            }
        }
    };
    let found = match tokio::time::timeout(PATIENCE, tried).await {
        Ok(found) => found,
        Err(_) => now(&hooks, &id, &ids).await,
    };
    Ok(Json(Tested { deliveries: found?.into_iter().map(Into::into).collect() }))
}

async fn now(hooks: &Hooks, user: &UserId, ids: &[DeliveryId]) -> Result<Vec<Delivery>, Problem> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(hooks.queue.delivery(user, *id).await?);
    }
    Ok(found)
}

/// The URLs to try.
fn wanted(user: &User, body: Option<&Value>) -> Result<Vec<String>, Problem> {
    let url = match body {
        None => None,
        Some(Value::Object(map)) => {
            if let Some(unknown) = map.keys().find(|key| *key != "url") {
                return Err(Faults::one(unknown, "is not a known field; known is url").into());
            }
            match map.get("url") {
                None | Some(Value::Null) => None,
                Some(url) => {
                    let normal = url.as_str().and_then(webhooks::normal);
                    Some(normal.ok_or_else(|| Faults::one("url", "must be the url of one of the user's webhooks"))?)
                }
            }
        }
        Some(_) => return Err(Faults::one("", "must be a JSON object").into()),
    };
    let active = user.webhooks.iter().filter(|hook| hook.active && url.as_ref().is_none_or(|url| *url == hook.url));
    let urls: Vec<String> = active.map(|hook| hook.url.clone()).collect();
    if urls.is_empty() {
        let detail = format!("user {} has no such webhook that is active; PUT /users/{} sets webhooks", user.id, user.id);
        return Err(Problem::conflict("no-webhook", detail));
    }
    Ok(urls)
}

pub(super) fn known(users: &Users, id: &UserId) -> Result<Arc<User>, Problem> {
    let view = users.watch();
    let view = view.borrow();
    let entry = view.users.get(id).ok_or_else(|| Problem::no_such_user(id.as_str()))?;
    let stored = entry
        .usable()
        .ok_or_else(|| Problem::conflict("faulty-document", format!("the document of user {id} cannot be read")))?;
    Ok(stored.user.clone())
}
