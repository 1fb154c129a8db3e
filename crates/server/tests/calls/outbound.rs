//! Calls that we place.

use crate::world::{Manner, PATIENCE, World, reason};
use callie_domain::record::{CallResult, EndReason};
use callie_lab::carrier::{Algorithms, Destination, Fault, Subscriber};
use callie_lab::phone::{Ending, Listener, Phone, PhoneOptions, Step};
use callie_lab::samples::Line;
use serde_json::json;
use std::time::Duration;

/// A telephone under the number `carol`.
async fn carol(world: &World, steps: Vec<Step>) -> Listener {
    let options = PhoneOptions::new(world.carrier.address(), "carol");
    let listener = Phone::listen(&options, callie_lab::phone::Script::new(steps)).await.expect("a telephone");
    world.carrier.add_number("carol", Destination::Line(listener.address()));
    listener
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_party_hears_and_is_heard() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let steps = vec![Step::Ring(Duration::from_millis(200)), Step::Answer, Step::Play(Line::Tom1.samples()), Step::HangUp];
    let mut carol = carol(&world, steps).await;
    let id = world.dial("carol").expect("dialled");
    let report = carol.next_report(PATIENCE).await.expect("a report");
    assert!(callie_lab::analysis::voiced_seconds(report.heard()) > 0.7);
    let cdr = world.next_record().await;
    assert_eq!((cdr.id, reason(&cdr)), (id, EndReason::RemoteHungUp));
    assert!(cdr.media.expect("media was open").packets_received > 50);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_told_apart() {
    let cases = [
        (vec![Step::Busy], CallResult::Busy, EndReason::CalleeBusy),
        (vec![Step::Decline(603)], CallResult::Declined, EndReason::CalleeDeclined),
        (vec![Step::Decline(403)], CallResult::Failed, EndReason::Forbidden),
        (vec![Step::Decline(503)], CallResult::Failed, EndReason::ServiceUnavailable),
        (vec![Step::Ring(PATIENCE), Step::Answer], CallResult::NoAnswer, EndReason::NoAnswer),
    ];
    let mut world = World::with_alice(Manner::Talk, json!({"answer_timeout": 1})).await;
    let mut phones = Vec::new();
    for (steps, result, want) in cases {
        phones.push(carol(&world, steps.clone()).await);
        world.dial("carol").expect("dialled");
        let cdr = world.next_record().await;
        assert_eq!((cdr.termination.as_ref().expect("ended").result, reason(&cdr)), (result, want), "{steps:?}");
    }
    world.dial("+4930123456").expect("dialled");
    assert_eq!(reason(&world.next_record().await), EndReason::NumberNotFound);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_be_ended_through_the_api() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let mut carol = carol(&world, vec![Step::Answer, Step::WaitHangUp]).await;
    let id = world.dial("carol").expect("dialled");
    crate::world::until("the call is up", async || world.app.active_calls().iter().any(|c| c.answered)).await;
    assert!(world.app.hang_up(id));
    assert_eq!(carol.next_report(PATIENCE).await.expect("a report").ending, Ending::RemoteHungUp);
    assert_eq!(reason(&world.next_record().await), EndReason::OperatorHungUp);
    crate::world::until("the call is known to be over", async || !world.app.hang_up(id)).await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_is_authenticated() {
    for algorithms in [Algorithms::Md5, Algorithms::Sha256, Algorithms::Both] {
        let mut world = World::with(Manner::Goodbye, |_| ()).await;
        world.carrier.add_subscriber(Subscriber::new("alice", "pw").with_algorithms(algorithms));
        world.add_alice(json!({})).await;
        let _carol = carol(&world, vec![Step::Answer, Step::WaitHangUp]).await;
        world.dial("carol").expect("dialled");
        assert_eq!(reason(&world.next_record().await), EndReason::AgentEnded, "{algorithms:?}");
        world.nothing_is_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_end_the_call_after_few_tries() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    world.carrier.fault(Fault::AlwaysChallenge);
    let before = world.carrier.seen("INVITE");
    world.dial("bob").expect("dialled");
    assert_eq!(reason(&world.next_record().await), EndReason::AuthenticationFailed);
    let tries = world.carrier.seen("INVITE") - before;
    assert!((1..=4).contains(&tries), "{tries} INVITEs");
    world.nothing_is_held().await;
}
