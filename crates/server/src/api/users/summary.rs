//! A user as a list shows it. Its fields have the names and the meaning that they have in the whole document.

use super::document::{ConfigState, SipStatus};
use crate::api::words::RegistrationStateWord;
use crate::exchange::LineStatus;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::{User, UserId};
use callie_store::Entry;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What a list shows of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserSummary {
    #[schema(example = "alice")]
    pub user_id: String,
    #[schema(example = "Alice Johnson")]
    pub display_name: String,
    #[schema(example = "alice@company.com")]
    pub sip_username: String,
    /// Null while there is no document that could be read, as in the next two.
    #[schema(example = "sip.zoho.com")]
    pub sip_server: Option<String>,
    pub is_active: bool,
    /// The line is to be kept registered while `is_active` holds.
    pub connect: Option<bool>,
    pub has_password: Option<bool>,
    pub sip_status: SipStatus,
    pub registration: RegistrationSummary,
    pub config_state: ConfigState,
    /// Receivers that are told of what happens.
    pub webhooks: usize,
    pub updated_at: Option<Timestamp>,
}

/// Where the registration stands, why, and when it is tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegistrationSummary {
    #[schema(value_type = RegistrationStateWord)]
    pub state: RegistrationState,
    pub since: Option<Timestamp>,
    #[schema(example = "503 Service Unavailable")]
    pub reason: Option<String>,
    pub next_attempt_at: Option<Timestamp>,
    /// Down for longer than `CALLIE_LINE_ALERT_AFTER`.
    pub alert: bool,
}

impl UserSummary {
    pub fn of(id: &UserId, entry: &Entry, line: Option<LineStatus>) -> Self {
        let user: Option<&User> = entry.usable().map(|stored| &*stored.user);
        Self {
            user_id: id.to_string(),
            display_name: user.map_or_else(|| id.to_string(), |user| user.display_name.clone()),
            sip_username: user.map(|user| user.sip.username.clone()).unwrap_or_default(),
            sip_server: user.map(|user| user.sip.server.to_string()),
            is_active: user.is_some_and(|user| user.sip.is_active),
            connect: user.map(|user| user.sip.connect),
            has_password: user.map(|user| !user.sip.password.is_empty()),
            sip_status: SipStatus::of(line.as_ref()),
            registration: line.map_or(RegistrationStatus::OFF, |line| line.registration).into(),
            config_state: ConfigState::of(entry),
            webhooks: user.map_or(0, |user| user.webhooks.len()),
            updated_at: user.map(|user| user.updated_at),
        }
    }
}

impl From<RegistrationStatus> for RegistrationSummary {
    fn from(status: RegistrationStatus) -> Self {
        let RegistrationStatus { state, since, reason, next_attempt_at, alert, .. } = status;
        Self { state, since, reason, next_attempt_at, alert }
    }
}
