//! Calls of a line to itself, and holding calls: what the doctor needs of the registry.

use super::registry::Registry;
use super::task::{CallTask, Command};
use crate::exchange::{DialError, DialRequest, HoldError};
use callie_ai::Engine;
use callie_domain::{CallId, User, UserId};
use callie_sip::RequestFailure;
use futures::future::BoxFuture;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Lines that are about to call themselves, and who talks at the end that rings.
#[derive(Clone, Default)]
pub(super) struct Expectations(Arc<Mutex<HashMap<UserId, Expectation>>>);

struct Expectation {
    engine: Arc<dyn Engine>,
    call: Arc<Mutex<Option<CallId>>>,
}

/// A call that was expected.
pub(super) struct OwnCall {
    pub engine: Arc<dyn Engine>,
    call: Arc<Mutex<Option<CallId>>>,
}

impl OwnCall {
    pub fn has_come(self, call: CallId) {
        *lock(&self.call) = Some(call);
    }
}

/// The next call of a line to itself is expected as long as this lives.
pub struct ExpectedCall {
    expectations: Expectations,
    user: UserId,
    call: Arc<Mutex<Option<CallId>>>,
}

impl ExpectedCall {
    /// The call, once it has come.
    pub fn arrived(&self) -> Option<CallId> {
        *lock(&self.call)
    }
}

impl Drop for ExpectedCall {
    fn drop(&mut self) {
        lock(&self.expectations.0).remove(&self.user);
    }
}

impl Expectations {
    /// Whether this caller is the expected one: the user's own line. It is expected once.
    pub fn take(&self, user: &User, from: &str) -> Option<OwnCall> {
        let mut expected = lock(&self.0);
        if !is_own(user, from) {
            return None;
        }
        expected.remove(&user.id).map(|Expectation { engine, call }| OwnCall { engine, call })
    }
}

impl Registry {
    /// `engine` talks in the next call that the user's line gets from itself.
    pub fn expect_own_call(&self, user: &UserId, engine: Arc<dyn Engine>) -> ExpectedCall {
        let (expectations, call) = (self.expectations(), Arc::default());
        lock(&expectations.0).insert(user.clone(), Expectation { engine, call: Arc::clone(&call) });
        ExpectedCall { expectations, user: user.clone(), call }
    }

    /// Begins a call in which `engine` talks.
    pub fn dial_held_by(&self, request: DialRequest, engine: Arc<dyn Engine>) -> Result<CallId, DialError> {
        self.dial_as(request, Some(engine))
    }

    /// Holds a call, or takes it back, and waits for the other side's answer.
    pub async fn hold(&self, call: CallId, on: bool) -> Result<(), HoldError> {
        let (reply, replied) = oneshot::channel();
        if !self.tell(call, Command::Hold(on, reply)) {
            return Err(HoldError::NoSuchCall);
        }
        replied.await.unwrap_or(Err(HoldError::NoSuchCall))
    }
}

impl CallTask {
    /// Offers to hold or to resume. The answer is awaited beside the call, which goes on.
    pub(super) fn hold(&mut self, on: bool, reply: oneshot::Sender<Result<(), HoldError>>) {
        let (Some(leg), Some(offer)) = (self.leg_control(), self.audio.hold_offer(on)) else {
            let _ = reply.send(Err(HoldError::NotTalking));
            return;
        };
        if self.offer.is_some() {
            let _ = reply.send(Err(HoldError::Failed(RequestFailure::Busy.to_string())));
            return;
        }
        self.offer = Some(Box::pin(async move {
            let answered = leg.reoffer(offer).await;
            let told = match &answered {
                Ok(_) => Ok(()),
                Err(RequestFailure::Refused { code, .. }) => Err(HoldError::Refused(*code)),
                Err(failure) => Err(HoldError::Failed(failure.to_string())),
            };
            let _ = reply.send(told);
            answered.ok()
        }));
    }
}

/// The end of an offer that is under way. Cancel safe.
pub(super) async fn answered(offer: &mut Option<BoxFuture<'static, Option<Vec<u8>>>>) -> Option<Vec<u8>> {
    let Some(under_way) = offer else { return std::future::pending().await };
    let answer = under_way.await;
    *offer = None;
    answer
}

/// The caller as shown is one of the names under which the account calls. Providers write numbers with or without prefix.
fn is_own(user: &User, from: &str) -> bool {
    let account = user.account();
    let caller = from.split('@').next().unwrap_or(from);
    let own = [Some(&account.aor_user), account.from_user.as_ref(), account.caller_id.as_ref()];
    own.into_iter().flatten().any(|name| name == caller || is_same_number(name, caller))
}

/// The last seven digits decide, where both have so many and little else.
fn is_same_number(one: &str, other: &str) -> bool {
    const SIGNIFICANT: usize = 7;
    let tail = |text: &str| {
        let is_number = text.chars().all(|c| c.is_ascii_digit() || c == '+');
        let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        (is_number && digits.len() >= SIGNIFICANT).then(|| digits[digits.len() - SIGNIFICANT..].to_vec())
    };
    tail(one).is_some_and(|digits| tail(other) == Some(digits))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_their_ends() {
        for (one, other, same) in [
            ("+493012345678", "03012345678", true),
            ("03012345678", "03012345679", false),
            ("1000", "1000", false),
            ("alice", "alice", false),
        ] {
            assert_eq!(is_same_number(one, other), same, "{one} {other}");
        }
    }
}
