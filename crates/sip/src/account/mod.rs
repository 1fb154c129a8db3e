//! One account's task: keeps its registration by driving the pure machine of [`crate::register`].
//!
//! The task is small while it waits (no request, no resolver, no buffer is held); what a REGISTER needs lives in a boxed
//! future for as long as the request is under way. Calls use the account's [`Line`]: its digest cache, its Contact
//! token, its way to the registrar.
//!
//! ```text
//!   AccountHandle ── update, stop ──▶ task ◀── deadline, flow closed
//!                 ◀── status ──────    │ ▲
//!                                      ▼ │ handle(input, now) → outputs
//!                                 Registration ──SendRegister──▶ Attempt (boxed) ──▶ Wire
//! ```

mod address;
mod attempt;
pub(crate) mod hops;
mod line;
mod task;
mod whereabouts;

pub(crate) use address::{aor_uri, display, escape_user, route_to, uri_host};
pub(crate) use line::Line;
pub(crate) use task::open;

use callie_domain::record::SipMessage;
use callie_domain::registration::RegistrationStatus;
use callie_domain::{Account, UserId};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long [`AccountHandle::stop`] waits for the registrar to confirm.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// An account that is being kept registered. The last one dropped ends it, like [`AccountHandle::stop`] without waiting.
#[derive(Clone)]
pub struct AccountHandle {
    inner: Arc<Held>,
}

struct Held {
    line: Arc<Line>,
    user: UserId,
    status: watch::Receiver<RegistrationStatus>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.line.stopping.cancel();
    }
}

impl AccountHandle {
    pub fn user(&self) -> &UserId {
        &self.inner.user
    }

    pub fn status(&self) -> watch::Receiver<RegistrationStatus> {
        self.inner.status.clone()
    }

    /// The details that hold now.
    pub fn account(&self) -> Arc<Account> {
        self.inner.line.account()
    }

    /// New details for the same binding: registers again at once under the same Contact.
    pub fn update(&self, account: Account) {
        self.inner.line.change(account);
    }

    /// Removes the binding; returns when the registrar has confirmed, or after 2 s without that.
    pub async fn stop(&self) {
        let line = &self.inner.line;
        line.stopping.cancel();
        if tokio::time::timeout(STOP_WITHIN, line.gone.cancelled()).await.is_err() {
            line.kill.cancel();
            line.gone.cancelled().await;
        }
    }

    /// The account's last SIP messages, oldest first, secrets masked.
    pub fn trace(&self) -> Vec<SipMessage> {
        self.inner.line.trace.messages()
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.inner.line
    }
}
