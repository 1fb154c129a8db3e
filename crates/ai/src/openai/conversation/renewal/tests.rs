//! Sessions that end, on a clock that jumps.

use super::*;
use crate::EngineCause;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn error() -> EngineError {
    EngineError::new(EngineCause::ConnectionLost, "closed with 1006")
}

fn renewal(life: Option<Duration>) -> (Renewal, Instant) {
    let now = Instant::now();
    (Renewal::new(30 * SECOND, life, now), now)
}

#[test]
fn a_session_is_replaced_before_its_time_in_a_quiet_moment() {
    let (mut renewal, start) = renewal(Some(HOUR));
    let renews = start + HOUR - LEAD;
    assert_eq!(renewal.deadline(), Some(renews));
    assert_eq!(renewal.step(true, renews - SECOND), None);
    assert_eq!(renewal.step(true, renews), Some(Step::Connect));
    assert_eq!((renewal.step(true, renews + SECOND), renewal.deadline()), (None, None));
    renewal.ready();
    assert_eq!(renewal.step(false, renews + 2 * SECOND), None, "somebody speaks");
    let switch = Step::Switch { reason: "its time is nearly over".into() };
    assert_eq!(renewal.step(true, renews + 3 * SECOND), Some(switch));
    renewal.switched(Some(HOUR), renews + 3 * SECOND);
    assert_eq!(renewal.deadline(), Some(renews + 3 * SECOND + HOUR - LEAD));
}

#[test]
fn a_short_life_has_a_short_lead_and_no_life_none() {
    let (renewal, start) = renewal(Some(8 * SECOND));
    assert_eq!(renewal.deadline(), Some(start + 6 * SECOND));
    assert_eq!(self::renewal(None).0.deadline(), None);
}

#[test]
fn a_lost_session_is_replaced_at_once_whoever_speaks() {
    let (mut renewal, start) = renewal(None);
    renewal.lost(error(), start);
    assert!(renewal.is_lost());
    assert_eq!(renewal.step(false, start), Some(Step::Connect));
    renewal.ready();
    assert_eq!(renewal.step(false, start + SECOND), Some(Step::Switch { reason: error().to_string() }));
    renewal.switched(None, start + SECOND);
    assert!(!renewal.is_lost());
}

#[test]
fn tries_come_with_growing_pauses_within_the_budget() {
    let (mut renewal, start) = renewal(None);
    renewal.lost(error(), start + HOUR);
    let mut tries = Vec::new();
    let mut gave_up = None;
    for ms in (0..40_000).step_by(100) {
        let now = start + HOUR + Duration::from_millis(ms);
        match renewal.step(true, now) {
            Some(Step::Connect) => {
                tries.push(ms);
                renewal.failed(now);
            }
            Some(Step::GiveUp(error)) => {
                gave_up = gave_up.or(Some((ms, error)));
            }
            other => assert_eq!(other, None),
        }
    }
    assert_eq!(&tries[..6], [0, 500, 1_500, 3_500, 7_500, 11_500]);
    assert_eq!(gave_up, Some((30_000, error())));
}

#[test]
fn a_try_that_never_ends_is_ended_by_the_budget() {
    let (mut renewal, start) = renewal(None);
    renewal.lost(error(), start);
    assert_eq!(renewal.step(true, start), Some(Step::Connect));
    assert_eq!(renewal.deadline(), Some(start + 30 * SECOND));
    assert_eq!(renewal.step(true, start + 30 * SECOND), Some(Step::GiveUp(error())));
}

#[test]
fn a_session_that_breaks_while_its_successor_waits_costs_no_time() {
    let (mut renewal, start) = renewal(Some(HOUR));
    assert_eq!(renewal.step(true, start + HOUR), Some(Step::Connect));
    renewal.ready();
    renewal.lost(error(), start + HOUR);
    assert!(matches!(renewal.step(false, start + HOUR), Some(Step::Switch { .. })));
}

#[test]
fn a_successor_that_breaks_while_it_waits_is_replaced() {
    let (mut renewal, start) = renewal(Some(HOUR));
    assert_eq!(renewal.step(true, start + HOUR), Some(Step::Connect));
    renewal.ready();
    renewal.failed(start + HOUR);
    assert_eq!(renewal.step(true, start + HOUR), None);
    assert_eq!(renewal.step(true, start + HOUR + SECOND), Some(Step::Connect));
}

#[test]
fn sessions_that_break_again_and_again_are_enough() {
    let (mut renewal, start) = renewal(None);
    let mut now = start;
    for _ in 1..BAD_SESSIONS {
        renewal.lost(error(), now);
        assert_eq!(renewal.step(true, now), Some(Step::Connect));
        renewal.ready();
        renewal.switched(None, now);
        now += SECOND;
    }
    renewal.lost(error(), now);
    assert_eq!(renewal.step(true, now), Some(Step::GiveUp(error())));
}
