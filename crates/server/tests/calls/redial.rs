//! Calls that are tried again, through the whole server and across a restart.

use crate::support::config_in;
use crate::world::{Manner, PATIENCE, StubEngine, World, reason, until};
use callie_domain::record::{AnsweredBy, EndReason};
use callie_domain::retry::{RetryOn, RetryRules};
use callie_domain::{CallId, OrderId};
use callie_lab::analysis::tone;
use callie_lab::carrier::Destination;
use callie_lab::phone::{Listener, Phone, PhoneOptions, Script, Step};
use callie_lab::samples::Line;
use callie_server::app::App;
use callie_server::call::Engines;
use callie_server::exchange::DialRequest;
use callie_store::{NewOrder, OrderStore};
use jiff::Timestamp;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The telephone that answers from now on.
async fn carol(world: &World, steps: Vec<Step>) -> Listener {
    let options = PhoneOptions::new(world.carrier.address(), "carol");
    let listener = Phone::listen(&options, Script::new(steps)).await.expect("a telephone");
    world.carrier.add_number("carol", Destination::Line(listener.address()));
    listener
}

/// Calls carol as `POST /users/alice/call` does, with a pause that a test can wait for.
async fn order(world: &World, attempts: u32, on: RetryOn) -> (OrderId, CallId) {
    let now = Timestamp::now();
    let (id, call) = (OrderId::new(now, rand::random()), CallId::new(now, rand::random()));
    let request = DialRequest::new("alice".parse().expect("valid"), "carol".parse().expect("valid"));
    let new = NewOrder {
        id,
        user_id: request.user.clone(),
        key: None,
        request: serde_json::to_string(&request).expect("texts"),
        number: "carol".into(),
        rules: Some(RetryRules { attempts, pause_s: 1, on: vec![on] }),
        call,
        created_at: now,
    };
    world.app.stores.records.accept(&new).await.expect("taken");
    assert_eq!(world.app.dial(DialRequest { id: Some(call), ..request }).expect("dialled"), call);
    (id, call)
}

async fn pending(app: &App) -> usize {
    app.stores.records.pending_orders(&"alice".parse().expect("valid")).await.expect("read").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_number_is_called_again_until_somebody_answers() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let _busy = carol(&world, vec![Step::Busy]).await;
    let (_, first) = order(&world, 5, RetryOn::Busy).await;
    for number in 1..=2 {
        let cdr = world.next_record().await;
        assert_eq!((reason(&cdr), cdr.id == first), (EndReason::CalleeBusy, number == 1));
    }
    let _free = carol(&world, vec![Step::Answer, Step::Pause(Duration::from_millis(300)), Step::HangUp]).await;
    let mut reached = world.next_record().await;
    while reason(&reached) == EndReason::CalleeBusy {
        reached = world.next_record().await;
    }
    assert_eq!(reason(&reached), EndReason::RemoteHungUp);
    until("the order is done", async || pending(&world.app).await == 0).await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_come_to_an_end_and_other_outcomes_are_not_tried_again() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let busy = carol(&world, vec![Step::Busy]).await;
    order(&world, 2, RetryOn::Busy).await;
    for _ in 0..2 {
        assert_eq!(reason(&world.next_record().await), EndReason::CalleeBusy);
    }
    until("it is given up", async || pending(&world.app).await == 0).await;
    order(&world, 5, RetryOn::NoAnswer).await;
    assert_eq!(reason(&world.next_record().await), EndReason::CalleeBusy);
    until("busy is not what it is tried again upon", async || pending(&world.app).await == 0).await;
    drop(busy);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_called_again_and_a_cancelled_order_is_not() {
    let mut world = World::with_alice(Manner::Waits, json!({"calls": {"voicemail": "hang_up"}})).await;
    let greeting: Arc<[i16]> = Line::Long.samples()[..24_000].into();
    let beep = tone(1_000.0, 2_000, 8_000.0).into();
    let steps =
        vec![Step::Answer, Step::Play(greeting), Step::Pause(Duration::from_millis(300)), Step::Play(beep), Step::WaitHangUp];
    let _machine = carol(&world, steps).await;
    let (id, _) = order(&world, 5, RetryOn::Machine).await;
    for _ in 0..2 {
        let cdr = world.next_record().await;
        assert_eq!((reason(&cdr), cdr.answered_by), (EndReason::MachineAnswered, Some(AnsweredBy::Machine)));
    }
    assert!(world.app.stores.records.cancel_order(&"alice".parse().expect("valid"), id).await.expect("written"));
    let quiet = tokio::time::timeout(Duration::from_millis(2_500), world.next_record()).await;
    assert!(quiet.is_err(), "called again: {quiet:?}");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pending_calls_survive_a_restart_and_are_made_once() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let _busy = carol(&world, vec![Step::Busy]).await;
    order(&world, 5, RetryOn::Busy).await;
    assert_eq!(reason(&world.next_record().await), EndReason::CalleeBusy);
    until("the next attempt has a time", async || world.app.stores.records.next_order_due().await.expect("read").is_some()).await;
    let World { carrier, app, folder, .. } = world;
    app.stop().await;
    let before = carrier.seen("INVITE");

    let options = PhoneOptions::new(carrier.address(), "carol");
    let steps = Script::new([Step::Answer, Step::Pause(Duration::from_millis(300)), Step::HangUp]);
    let mut free = Phone::listen(&options, steps).await.expect("a telephone");
    carrier.add_number("carol", Destination::Line(free.address()));
    let config = config_in(&folder, |_| ());
    let app = App::start(&config, Engines::new(Arc::new(StubEngine(Manner::Talk)))).await.expect("starts");
    free.next_report(PATIENCE).await.expect("it is called");
    until("the order is done", async || pending(&app).await == 0).await;
    // Challenged once, then taken.
    assert_eq!(carrier.seen("INVITE") - before, 2);
    app.stop().await;
}
