//! The list `webhooks` of a user, as it is shown and as it is sent.

use crate::api::words::HookEventWord;
use callie_domain::user::{HookEvent, Webhook};
use serde::Serialize;
use utoipa::ToSchema;

/// A receiver that is told of what happens.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookDocument {
    #[schema(example = "https://example.com/hook")]
    pub url: String,
    /// What it is told; an empty list means everything.
    #[schema(value_type = Vec<HookEventWord>)]
    pub events: Vec<HookEvent>,
    /// Its secret is never shown; send `secret` to change it.
    pub has_secret: bool,
    /// False also after the receiver has answered 410.
    pub active: bool,
}

impl WebhookDocument {
    pub fn of(hook: &Webhook) -> Self {
        Self { url: hook.url.clone(), events: hook.events.clone(), has_secret: !hook.secret.is_empty(), active: hook.active }
    }
}

/// A receiver that is to be told of what happens.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct WebhookChange {
    /// `https`, or `http` where nobody listens in; unique in the list.
    #[schema(example = "https://example.com/hook", max_length = 2048)]
    url: String,
    /// What it is told; an empty list or null means everything.
    #[schema(value_type = Option<Vec<HookEventWord>>)]
    events: Option<Vec<String>>,
    /// Signs what is sent, 16 to 256 bytes. Required for a new URL; an absent or empty one keeps that of the same URL.
    #[schema(write_only)]
    secret: Option<String>,
    #[schema(default = true)]
    active: Option<bool>,
}
