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
//!
//! Beside it, [`Targets`] says where the next request goes. A place that fails is no failure of the attempt as long as
//! there is another; a binding that was replaced, by a new Contact or at another registrar, is removed when the new one
//! stands, and never a binding that is not ours.

mod bindings;
mod exchange;
mod machine;
mod numbers;
mod policy;
mod targets;

pub use machine::Registration;
pub use numbers::Numbers;
pub use policy::RegisterPolicy;
pub use targets::{Role, Target, Targets};

use crate::digest::Verdict;
use crate::header::SipTarget;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use jiff::Timestamp;
use std::sync::Arc;
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
    /// No final response: silence, or the request could not be sent, or its connection broke.
    Lost(Lost),
    /// The connection over which we registered (and are reached) was closed.
    FlowClosed,
    /// Our address changed.
    NetworkChanged,
    /// [`Registration::deadline`] has passed.
    TimerFired,
}

/// As what and at which registrar a REGISTER asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Went {
    /// The Contact URI.
    pub contact: Arc<str>,
    pub role: Role,
}

/// A REGISTER without a final response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// For a person.
    pub why: String,
    /// `None` when nothing was sent.
    pub went: Option<Went>,
    /// Another place can be asked at once, by [`Targets::has_another`].
    pub another: bool,
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
    /// Of the request.
    pub went: Went,
    /// The registrar saw the request come from elsewhere than our Contact says.
    pub moved: bool,
    /// This place has no time for us, and another can be asked at once.
    pub another: bool,
}

/// How a request follows the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A new attempt: fresh credentials, any place.
    First,
    /// The place before failed: fresh credentials, the next place.
    Elsewhere,
    /// To the same place, with what its answer has taught.
    Again,
}

/// What the account's task must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send REGISTER. It replaces an outstanding one: drop that transaction and what may still come of it.
    SendRegister {
        /// `Expires`, seconds; 0 removes the binding.
        expires_s: u32,
        step: Step,
        /// Send there (Request-URI and destination) instead of to the account's own server.
        target: Option<SipTarget>,
        /// Name this Contact at this registrar instead of today's: the binding to be removed.
        of: Option<Went>,
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
    pub granted_s: Option<u32>,
    /// Wanted, and without a binding, since then.
    pub down_since: Option<Duration>,
    /// It has been so for longer than [`RegisterPolicy::alert_after`].
    pub alert: bool,
}

impl StatusChange {
    /// In the calendar's time: `now` on the machine's clock is `wall`.
    pub fn to_status(&self, now: Duration, wall: Timestamp) -> RegistrationStatus {
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
            granted_s: self.granted_s,
            down_since: self.down_since.map(at),
            alert: self.alert,
            ..RegistrationStatus::OFF
        }
    }
}

#[cfg(test)]
mod day;
