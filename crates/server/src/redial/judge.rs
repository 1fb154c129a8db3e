//! What follows from an attempt, or from one that could not be made. Pure; the time is an argument.

use crate::exchange::DialError;
use callie_domain::record::Cdr;
use callie_domain::retry::{Next, Outcome, RetryOn};
use callie_store::order::{Step, Then};
use callie_store::{Order, OrderState};
use jiff::{SignedDuration, Timestamp};

/// An attempt that cannot be made now is looked at again after this, or the order's pause if that is shorter.
const LATER: SignedDuration = SignedDuration::from_secs(60);
/// An order that could not be carried out for so long is given up.
pub const OLDEST: SignedDuration = SignedDuration::from_hours(24 * 14);

/// After a call that is over. `None` while it is up.
pub fn after_call(order: &Order, cdr: &Cdr, now: Timestamp) -> Option<Step> {
    let outcome = Outcome::of(cdr)?;
    let reason = cdr.termination.as_ref().and_then(|end| serde_json::to_value(end.reason).ok());
    let reason = reason.and_then(|word| word.as_str().map(str::to_owned));
    // The pause counts from the end of the call, also after a restart.
    Some(after(order, outcome, reason, cdr.ended_at.unwrap_or(now)))
}

/// After a call of which there is no record: the process died as it was to be dialled.
pub fn after_nothing(order: &Order, now: Timestamp) -> Step {
    let outcome = Outcome::Missed(RetryOn::Failed);
    after(order, outcome, Some("process_lost".to_owned()), now)
}

fn after(order: &Order, outcome: Outcome, reason: Option<String>, ended: Timestamp) -> Step {
    let next = order.rules.as_ref().map_or(Next::Done, |rules| rules.after(outcome, order.attempts));
    let then = match next {
        Next::Done => Then::Settle { state: OrderState::Done, made: true },
        Next::GiveUp => Then::Settle { state: OrderState::GivenUp, made: true },
        Next::Again(pause) => Then::Wait { at: ended.saturating_add(pause).unwrap_or(ended), made: true },
    };
    Step { reason, note: None, then }
}

/// The gate did not let the call through: nobody was called, so it is no attempt.
pub fn after_refusal(order: &Order, error: &DialError, now: Timestamp) -> Step {
    let note = Some(error.to_string());
    let too_old = now.duration_since(order.created_at) >= OLDEST;
    if !error.may_pass() || too_old {
        return Step { reason: None, note, then: Then::Settle { state: OrderState::GivenUp, made: false } };
    }
    let pause = order.rules.as_ref().map_or(LATER, |rules| SignedDuration::from_secs(rules.pause_s.into()).min(LATER));
    Step { reason: None, note, then: Then::Wait { at: now.saturating_add(pause).unwrap_or(now), made: false } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::record::{Direction, EndReason, Termination};
    use callie_domain::retry::RetryRules;
    use callie_domain::{CallId, OrderId, UserId};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + second).expect("a time")
    }

    fn user() -> UserId {
        "alice".parse().expect("valid")
    }

    fn order(attempts: u32) -> Order {
        Order {
            id: OrderId::new(at(0), 1),
            user_id: user(),
            request: String::new(),
            number: "+431".into(),
            rules: Some(RetryRules { attempts: 3, pause_s: 30, on: vec![RetryOn::Busy, RetryOn::Failed] }),
            state: OrderState::Calling,
            attempts,
            first_call: CallId::new(at(0), 2),
            last_call: CallId::new(at(0), 2),
            last_reason: None,
            note: None,
            next_attempt_at: None,
            created_at: at(0),
        }
    }

    fn cdr(reason: Option<EndReason>) -> Cdr {
        let termination = reason.map(Termination::new);
        Cdr { termination, ended_at: Some(at(50)), ..Cdr::begun(CallId::new(at(0), 1), user(), Direction::Outbound, at(0)) }
    }

    #[test]
    fn the_pause_counts_from_the_end_of_the_call() {
        let step = after_call(&order(1), &cdr(Some(EndReason::CalleeBusy)), at(70)).expect("over");
        assert_eq!(step.then, Then::Wait { at: at(80), made: true });
        assert_eq!(step.reason.as_deref(), Some("callee_busy"));
        assert_eq!(after_call(&order(1), &cdr(None), at(70)), None, "it is up");
    }

    #[test]
    fn an_order_ends_when_it_has_been_reached_or_tried_often_enough() {
        for (attempts, reason, state) in [
            (1, EndReason::RemoteHungUp, OrderState::Done),
            (1, EndReason::CalleeDeclined, OrderState::Done),
            (3, EndReason::CalleeBusy, OrderState::GivenUp),
        ] {
            let step = after_call(&order(attempts), &cdr(Some(reason)), at(70)).expect("over");
            assert_eq!(step.then, Then::Settle { state, made: true }, "{reason:?}");
        }
        assert!(matches!(after_nothing(&order(1), at(70)).then, Then::Wait { made: true, .. }));
    }

    #[test]
    fn a_call_that_the_gate_refuses_is_no_attempt() {
        let later = after_refusal(&order(2), &DialError::NotConnected(user()), at(100));
        assert_eq!(later.then, Then::Wait { at: at(130), made: false });
        assert!(later.note.is_some_and(|note| note.contains("no registered line")));
        let never = after_refusal(&order(2), &DialError::NoSuchUser(user()), at(100));
        assert_eq!(never.then, Then::Settle { state: OrderState::GivenUp, made: false });
        let too_late = after_refusal(&order(2), &DialError::TooManyCalls(user()), at(15 * 86_400));
        assert_eq!(too_late.then, Then::Settle { state: OrderState::GivenUp, made: false });
    }
}
