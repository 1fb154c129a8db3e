//! The states of a registration as people see them: in the API, the logs and the dashboard.

use crate::Transport;
use jiff::Timestamp;
use serde::Serialize;
use std::net::SocketAddr;

/// Where a registration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationState {
    /// Not wanted: never connected, disconnected, or inactive.
    Off,
    /// A first REGISTER is under way.
    Registering,
    /// The registrar granted a binding that has not run out.
    Registered,
    /// It failed for now and is tried again at `next_attempt_at`.
    Retrying,
    /// The registrar refuses the credentials (401/407 after an answer, 403, 404). Tried again only when they change, or after
    /// a long pause, so that the provider does not ban the address.
    WrongPassword,
    /// The binding is being removed.
    Unregistering,
}

/// The registrar in use: one of those that the account's hosts resolve to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistrarInUse {
    /// The name that it was found under.
    pub host: String,
    pub address: SocketAddr,
    pub transport: Transport,
    /// It belongs to the account's backup server.
    pub is_backup: bool,
}

/// A registration with its reason and its next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegistrationStatus {
    pub state: RegistrationState,
    /// When this state was entered.
    pub since: Option<Timestamp>,
    /// Why, for a person: "503 Service Unavailable", "no answer within 32 s".
    pub reason: Option<String>,
    /// The last final status code of the registrar.
    pub last_code: Option<u16>,
    pub next_attempt_at: Option<Timestamp>,
    /// When the granted binding runs out.
    pub expires_at: Option<Timestamp>,
    /// REGISTER requests sent since the account started.
    pub attempts: u64,
    /// Our Contact at the registrar.
    pub contact: Option<String>,
    /// Seconds that the registrar granted last.
    pub granted_s: Option<u32>,
    pub registrar: Option<RegistrarInUse>,
    /// Why the registrar in use is not the preferred one.
    pub failover_reason: Option<String>,
    /// The DNS does not answer: the addresses are the last ones known.
    pub dns_failure: Option<String>,
    /// The address that we are reached under, when it is not the host's own.
    pub public_address: Option<SocketAddr>,
    /// Wanted, and without a binding at any registrar, since then.
    pub down_since: Option<Timestamp>,
    /// It has been down for longer than people should wait to be told.
    pub alert: bool,
}

impl RegistrationStatus {
    pub const OFF: Self = Self {
        state: RegistrationState::Off,
        since: None,
        reason: None,
        last_code: None,
        next_attempt_at: None,
        expires_at: None,
        attempts: 0,
        contact: None,
        granted_s: None,
        registrar: None,
        failover_reason: None,
        dns_failure: None,
        public_address: None,
        down_since: None,
        alert: false,
    };

    pub fn is_registered(&self) -> bool {
        self.state == RegistrationState::Registered
    }

    /// The registrar still holds a binding of ours: registered, or a refresh failed but the old binding has not run out.
    pub fn has_binding(&self, now: Timestamp) -> bool {
        self.is_registered() || (self.state == RegistrationState::Retrying && self.expires_at.is_some_and(|at| at > now))
    }
}
