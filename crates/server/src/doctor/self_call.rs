//! The call of the account to itself: dialled through the provider, answered here, a tone at each end. It is a call like any
//! other, with records, recordings and traces of both ends; only who talks in it is not the user's engine.

use super::facts::{End, Held, SelfCall};
use super::tones::{self, Heard};
use crate::call::Registry;
use crate::exchange::{DialRequest, HoldError};
use callie_domain::{CallId, DialTarget};
use callie_sip::AccountHandle;
use callie_store::{RecordStore, StoredUser};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// From dialling to the answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// What media needs to begin, then how long both ends listen.
const SETTLE: Duration = Duration::from_millis(800);
const LISTEN: Duration = Duration::from_secs(2);
/// Each key takes about 200 ms, by whatever way.
const KEYS: &str = "159#";
const KEYS_WITHIN: Duration = Duration::from_secs(4);
const HELD_FOR: Duration = Duration::from_millis(500);
const ENDED_WITHIN: Duration = Duration::from_secs(8);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Both ends of a call under way.
struct Ends {
    out: tones::End,
    back: tones::End,
    out_call: CallId,
}

/// Makes the call; says what was seen, and which calls were made of it.
pub async fn make(
    registry: &Registry,
    records: &dyn RecordStore,
    handle: &AccountHandle,
    stored: &StoredUser,
    number: Option<DialTarget>,
) -> (Result<SelfCall, String>, Vec<CallId>) {
    let user = &stored.user;
    let number = match number.map_or_else(|| user.account().aor_user.parse(), Ok) {
        Ok(number) => number,
        Err(error) => return (Err(format!("the account's own name cannot be dialled: {error}; give a number")), Vec::new()),
    };
    let out = tones::End::new(tones::OUT_HZ, tones::BACK_HZ);
    let back = tones::End::new(tones::BACK_HZ, tones::OUT_HZ);
    let expected = registry.expect_own_call(&user.id, Arc::new(back.clone()));
    let request = DialRequest::new(handle.user().clone(), number.clone());
    let out_call = match registry.dial_held_by(request, Arc::new(out.clone())) {
        Ok(call) => call,
        Err(error) => return (Err(error.to_string()), Vec::new()),
    };
    let mut seen = SelfCall { number: number.to_string(), ..SelfCall::default() };
    let ends = Ends { out, back, out_call };
    let answered = until(ANSWERED_WITHIN, || is_answered(registry, out_call)).await == Some(true);
    let back_call = expected.arrived();
    let mut shares = (0.0, 0.0);
    if answered && back_call.is_some() {
        shares = listen(&ends).await;
        seen.keys_sent = send_keys(registry, &ends).await;
        seen.hold = Some(hold(registry, out_call).await);
    }
    drop(expected);
    registry.hang_up(out_call);
    let calls: Vec<CallId> = [Some(out_call), back_call].into_iter().flatten().collect();
    until(ENDED_WITHIN, || registry.active().iter().all(|call| !calls.contains(&call.id)).then_some(())).await;
    seen.out = Some(end(records, out_call, shares.0, &ends.out).await);
    if let Some(call) = back_call {
        seen.back = Some(end(records, call, shares.1, &ends.back).await);
    }
    (Ok(seen), calls)
}

/// `None` while it rings, `Some(false)` once it has ended unanswered.
fn is_answered(registry: &Registry, call: CallId) -> Option<bool> {
    match registry.active().iter().find(|active| active.id == call) {
        Some(active) => active.answered.then_some(true),
        None => Some(false),
    }
}

/// How much each end heard of the other: the one that dialled, the one that rang.
async fn listen(ends: &Ends) -> (f32, f32) {
    tokio::time::sleep(SETTLE).await;
    let before: [Heard; 2] = [ends.out.heard(), ends.back.heard()];
    tokio::time::sleep(LISTEN).await;
    (ends.out.heard().share_since(&before[0]), ends.back.heard().share_since(&before[1]))
}

/// The keys that could be sent, once the other end has heard them or will not.
async fn send_keys(registry: &Registry, ends: &Ends) -> String {
    if registry.send_keys(ends.out_call, KEYS).await.is_err() {
        return String::new();
    }
    until(KEYS_WITHIN, || (ends.back.heard().keys.len() >= KEYS.len()).then_some(())).await;
    KEYS.to_owned()
}

async fn hold(registry: &Registry, call: CallId) -> Held {
    for on in [true, false] {
        match registry.hold(call, on).await {
            Ok(()) => {}
            Err(HoldError::Refused(code)) => return Held::Refused(code),
            Err(HoldError::NoSuchCall | HoldError::NotTalking | HoldError::Failed(_)) => return Held::Broken,
        }
        if on {
            tokio::time::sleep(HELD_FOR).await;
        }
    }
    Held::Accepted
}

async fn end(records: &dyn RecordStore, call: CallId, tone_share: f32, end: &tones::End) -> End {
    // The record is written behind the call.
    let written = Instant::now() + ENDED_WITHIN;
    let mut cdr = None;
    while Instant::now() < written {
        cdr = records.get(call).await.ok().flatten();
        if cdr.as_ref().is_some_and(|cdr| cdr.ended_at.is_some()) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let messages = records.signalling(call).await.unwrap_or_default();
    End { cdr, messages, tone_share, keys_heard: end.heard().keys }
}

/// Looks until there is an answer; `None` when there is none in time.
async fn until<T>(within: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
