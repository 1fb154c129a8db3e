//! What a user's limits keep a line from dialling, whoever asks for it: each refusal has a record, and no INVITE.

use crate::world::{Manner, PATIENCE, World, reason, until};
use callie_domain::record::{CallFact, EndReason};
use callie_domain::toll::Limit;
use callie_lab::carrier::Destination;
use callie_lab::phone::{Listener, Phone, PhoneOptions, PhoneState, Script, Step};
use callie_lab::samples::Line;
use callie_server::exchange::DialError;
use callie_store::TollStore as _;
use callie_store::toll::DoNotCall;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};
use std::time::Duration;

/// A telephone under this number.
async fn telephone(world: &World, number: &str, steps: Vec<Step>) -> Listener {
    let options = PhoneOptions::new(world.carrier.address(), number);
    let listener = Phone::listen(&options, Script::new(steps)).await.expect("a telephone");
    world.carrier.add_number(number, Destination::Line(listener.address()));
    listener
}

fn answers() -> Vec<Step> {
    vec![Step::Answer, Step::Pause(Duration::from_millis(200)), Step::HangUp]
}

async fn limited(limits: Value) -> World {
    World::with_alice(Manner::Talk, json!({ "limits": limits })).await
}

impl World {
    /// The number is refused for this limit, with a record that says so, and nothing is dialled.
    async fn refuses(&mut self, number: &str, limit: Limit, end: EndReason) {
        let before = self.carrier.seen("INVITE");
        let Err(DialError::Limited { refusal, call }) = self.dial(number) else { panic!("{number} is dialled") };
        assert_eq!(refusal.limit, limit, "{number}: {refusal}");
        let cdr = self.next_record().await;
        assert_eq!((cdr.id, reason(&cdr), cdr.to.as_str()), (call, end, number));
        let refused = |fact: &CallFact| matches!(fact, CallFact::DialRefused { limit: by, .. } if *by == limit);
        assert!(self.events_of(&cdr).await.iter().any(|event| refused(&event.fact)), "{number}");
        assert_eq!(self.carrier.seen("INVITE"), before, "{number}");
    }

    async fn reaches(&mut self, number: &str) {
        self.dial(number).unwrap_or_else(|refusal| panic!("{number}: {refusal}"));
        assert_eq!(reason(&self.next_record().await), EndReason::RemoteHungUp, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_lists_let_through_is_dialled() {
    let mut world = limited(json!({"allowed_prefixes": ["+43", "bob"], "denied_prefixes": ["+43900"], "country": "AT"})).await;
    let _bob = telephone(&world, "bob", answers()).await;
    let _vienna = telephone(&world, "+4312345", answers()).await;
    for number in ["bob", "+4312345"] {
        world.reaches(number).await;
    }
    world.refuses("carol", Limit::AllowedPrefixes, EndReason::DestinationNotAllowed).await;
    world.refuses("+49301234567", Limit::AllowedPrefixes, EndReason::DestinationNotAllowed).await;
    world.refuses("004930123456", Limit::AllowedPrefixes, EndReason::DestinationNotAllowed).await;
    world.refuses("+43900123456", Limit::DeniedPrefixes, EndReason::DestinationNotAllowed).await;
    world.refuses("112", Limit::EmergencyNumbers, EndReason::DestinationNotAllowed).await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_calls_an_hour_and_no_more() {
    let mut world = limited(json!({"calls_per_hour": 2})).await;
    let _bob = telephone(&world, "bob", answers()).await;
    world.reaches("bob").await;
    world.reaches("bob").await;
    world.refuses("bob", Limit::CallsPerHour, EndReason::LimitReached).await;
    world.change(json!({"limits": {"calls_per_hour": 3}})).await;
    world.reaches("bob").await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_calls_at_a_time_and_no_more() {
    let mut world = limited(json!({"concurrent_calls": 1})).await;
    let _bob = telephone(&world, "bob", vec![Step::Answer, Step::WaitHangUp]).await;
    let call = world.dial("bob").expect("dialled");
    until("bob has answered", async || world.app.active_calls().iter().any(|call| call.answered)).await;
    world.refuses("bob", Limit::ConcurrentCalls, EndReason::LimitReached).await;
    assert!(world.app.hang_up(call), "it is up");
    assert_eq!(world.next_record().await.id, call);
    let again = world.dial("bob").expect("there is room again");
    assert!(world.app.hang_up(again), "it is up");
    assert_eq!(world.next_record().await.id, again);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_outside_the_window() {
    // Half a day from now, for an hour: as far from now as it gets, wherever the clock stands.
    let from = Timestamp::now().to_zoned(TimeZone::UTC).saturating_add(12.hours());
    let window = |shift: i64| {
        let (from, until) = (from.saturating_add(shift.hours()), from.saturating_add((shift + 2).hours()));
        json!([{"from": from.strftime("%H:%M").to_string(), "until": until.strftime("%H:%M").to_string()}])
    };
    let mut world = limited(json!({"calling_windows": window(-1), "time_zone": "UTC"})).await;
    let _bob = telephone(&world, "bob", answers()).await;
    world.refuses("bob", Limit::CallingWindows, EndReason::OutsideCallingWindow).await;
    world.nothing_is_held().await;

    let mut world = limited(json!({"calling_windows": window(11), "time_zone": "UTC"})).await;
    let _bob = telephone(&world, "bob", answers()).await;
    world.reaches("bob").await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_to_be_called_is_not_called() {
    let mut world = limited(json!({"country": "AT"})).await;
    let _bob = telephone(&world, "+4312345678", answers()).await;
    let alice = "alice".parse().expect("valid");
    let entry = DoNotCall { number: "+4312345678".into(), note: Some("asked for it".into()), added_at: Timestamp::now() };
    let records = world.app.stores.records.clone();
    records.add_do_not_call(&alice, &[entry]).await.expect("written");
    for written_as in ["+4312345678", "004312345678", "012345678"] {
        world.refuses(written_as, Limit::DoNotCall, EndReason::DoNotCall).await;
    }
    assert_eq!(records.remove_do_not_call(&alice, &["+4312345678".into()]).await.expect("written"), 1);
    world.reaches("+4312345678").await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_talked_into_it_hands_over_to_nobody_who_is_not_allowed() {
    // The user names the target, and a limit that was set later keeps the line from it.
    let settings = json!({"routing": {"transfer_targets": [{"name": "sales", "target": "carol", "mode": "warm"}]},
        "limits": {"denied_prefixes": ["carol"]}});
    let mut world = World::with_alice(Manner::HandsOver, settings).await;
    let _carol = telephone(&world, "carol", answers()).await;
    let before = world.carrier.seen("INVITE");
    let steps = [Step::WaitAnswer, Step::Play(Line::Maria1.samples()), Step::Pause(Duration::from_millis(800)), Step::HangUp];
    let maria = world.call_alice(Script::new(steps)).await;
    maria.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
    maria.finished().await.expect("a report");
    let cdr = world.next_record().await;
    let facts: Vec<CallFact> = world.events_of(&cdr).await.into_iter().map(|event| event.fact).collect();
    let refused =
        |fact: &CallFact| matches!(fact, CallFact::DialRefused { limit: Limit::DeniedPrefixes, to, .. } if to == "carol");
    assert!(facts.iter().any(refused), "{facts:?}");
    assert!(!facts.iter().any(|fact| matches!(fact, CallFact::TransferStarted { .. })) && cdr.legs.is_empty(), "{facts:?}");
    // Maria's own call, once at the carrier and once from there.
    assert!(world.carrier.seen("INVITE") - before <= 2, "{}", world.carrier.seen("INVITE") - before);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_the_agent_elsewhere_passes_the_same_gate() {
    // The user lets the other side refer to the target, and a limit keeps the line from it.
    let settings = json!({"routing": {"transfer_targets": [{"name": "sales", "target": "carol"}], "accept_refer": true},
        "limits": {"denied_prefixes": ["carol"]}});
    let mut world = World::with_alice(Manner::Talk, settings).await;
    let _carol = telephone(&world, "carol", answers()).await;
    let steps = [Step::WaitAnswer, Step::Pause(Duration::from_millis(600)), Step::Refer("carol".into()), Step::WaitHangUp];
    let maria = world.call_alice(Script::new(steps)).await;
    maria.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
    let before = world.carrier.seen("INVITE");
    until("it was refused", async || world.carrier.seen_responses(603) == 1).await;
    maria.hang_up().await;
    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::RemoteHungUp);
    let facts: Vec<CallFact> = world.events_of(&cdr).await.into_iter().map(|event| event.fact).collect();
    let refused =
        |fact: &CallFact| matches!(fact, CallFact::DialRefused { limit: Limit::DeniedPrefixes, to, .. } if to.contains("carol"));
    assert!(facts.iter().any(refused), "{facts:?}");
    assert_eq!((world.carrier.seen("INVITE"), cdr.legs.len()), (before, 0), "nobody was called");
    world.nothing_is_held().await;
}
