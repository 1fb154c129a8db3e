//! One account's registration as a pure machine: what happened and the time in, what to do out (RFC 3261 §10.2).
//!
//! It sends nothing, waits for nothing and computes no digest. The account's task feeds it, sleeps until
//! [`Registration::deadline`], and carries out its outputs:
//!
//! ```text
//!            Start              200                      Stop
//!   Off ───────────▶ Registering ───▶ Registered ──────────────▶ Unregistering ──▶ Off + Done
//!                        │  ▲            │  ▲ refresh at 85 %
//!         503, timeout…  ▼  │ timer      ▼  │
//!                      Retrying       (flow closed, network changed)
//!                        │ 401 after an answer, 403, 404
//!                        ▼
//!                   WrongPassword ── long pause or new credentials ──▶
//! ```

mod exchange;
mod machine;
mod policy;
mod targets;

pub use machine::Registration;
pub use policy::RegisterPolicy;
pub use targets::{Role, Target};

use crate::digest::Verdict;
use crate::header::SipTarget;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use jiff::Timestamp;
use std::time::Duration;

/// What can happen to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The line is wanted.
    Start,
    /// The line is not wanted any more: remove the binding, then [`Output::Done`].
    Stop,
    /// Password or name changed: what was refused may now be accepted.
    CredentialsChanged,
    /// A final response to the outstanding REGISTER (provisional ones may be passed too, and are ignored).
    Response(Response),
    /// No final response within the transaction's time.
    Timeout,
    /// The request could not be sent or its connection broke, with the reason for a person.
    TransportError(String),
    /// The connection over which we registered (and are reached) was closed.
    FlowClosed,
    /// Our address changed.
    NetworkChanged,
    /// [`Registration::deadline`] has passed.
    TimerFired,
}

/// What the machine needs of a final response to REGISTER.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub code: u16,
    /// Reason phrase, as received.
    pub phrase: String,
    /// Seconds granted to our own Contact, by [`crate::header::granted_expires`]; `None` when the response does not list it.
    pub granted_s: Option<u32>,
    /// `Min-Expires`, seconds.
    pub min_expires_s: Option<u32>,
    /// `Retry-After`, seconds.
    pub retry_after_s: Option<u32>,
    /// For 401 and 407: what [`crate::digest::DigestCache::challenged`] said.
    pub verdict: Option<Verdict>,
    /// For 3xx: where the Contacts point, by [`crate::header::redirect_targets`].
    pub targets: Vec<SipTarget>,
}

/// What the account's task must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send REGISTER. It replaces an outstanding one: drop that transaction and what may still come of it.
    SendRegister {
        /// `Expires`, seconds; 0 removes the binding.
        expires_s: u32,
        /// Begin with a new [`crate::digest::AuthAttempt`]; otherwise go on with the one of the last request.
        new_attempt: bool,
        /// Send there (Request-URI and destination) instead of to the account's own server.
        target: Option<SipTarget>,
    },
    /// What people see has changed.
    Status(StatusChange),
    /// The registration has ended (after [`Input::Stop`]); the task may end too.
    Done,
}

/// [`RegistrationStatus`] on the machine's own clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    pub state: RegistrationState,
    pub since: Duration,
    pub reason: Option<String>,
    pub last_code: Option<u16>,
    pub next_attempt_at: Option<Duration>,
    pub expires_at: Option<Duration>,
    pub attempts: u64,
}

impl StatusChange {
    /// In the calendar's time: `now` on the machine's clock is `wall`.
    pub fn to_status(&self, now: Duration, wall: Timestamp, contact: Option<String>) -> RegistrationStatus {
        let at = |t: Duration| {
            let ms = t.as_millis() as i64 - now.as_millis() as i64;
            wall.checked_add(jiff::SignedDuration::from_millis(ms)).unwrap_or(wall)
        };
        RegistrationStatus {
            state: self.state,
            since: Some(at(self.since)),
            reason: self.reason.clone(),
            last_code: self.last_code,
            next_attempt_at: self.next_attempt_at.map(at),
            expires_at: self.expires_at.map(at),
            attempts: self.attempts,
            contact,
        }
    }
}
