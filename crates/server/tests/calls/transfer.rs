//! Callers who are handed over to a human: maria calls alice, whose agent hands over to carol.

use crate::world::{BRIEFING_HZ, Manner, PATIENCE, REGRET_HZ, World, reason, until};
use callie_domain::call::transfer::Completion;
use callie_domain::record::{CallFact, Cdr, EndReason};
use callie_domain::user::TransferMode;
use callie_lab::analysis;
use callie_lab::carrier::Destination;
use callie_lab::phone::{Ending, Listener, OnRefer, Phone, PhoneCall, PhoneOptions, PhoneReport, PhoneState, Script, Step};
use callie_lab::samples::Line;
use callie_server::exchange::{TransferError, TransferOrder, TransferRequest};
use serde_json::json;
use std::time::Duration;

/// Alice, who may hand over to `sales`: carol, on this script.
async fn scene(manner: Manner, mode: &str, carol: Vec<Step>) -> (World, Listener) {
    let routing = json!({"routing": {"transfer_targets": [{"name": "sales", "target": "carol", "mode": mode}]}});
    let world = World::with_alice(manner, routing).await;
    let options = PhoneOptions::new(world.carrier.address(), "carol");
    let listener = Phone::listen(&options, Script::new(carol)).await.expect("a telephone");
    world.carrier.add_number("carol", Destination::Line(listener.address()));
    (world, listener)
}

/// Listens to the agent, then says her line over and over.
fn talkative() -> Vec<Step> {
    let mut steps = vec![Step::WaitAnswer, Step::WaitSilence { after: Duration::from_millis(400) }];
    steps.extend(std::iter::repeat_n(Step::Play(Line::Maria1.samples()), 20));
    steps
}

fn order(mode: Option<TransferMode>) -> TransferOrder {
    TransferOrder::Begin(TransferRequest { target: "Sales".into(), mode, message: None })
}

impl World {
    async fn maria(&self, steps: Vec<Step>) -> PhoneCall {
        let call = self.call_alice(Script::new(steps)).await;
        assert_eq!(call.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up));
        assert_eq!(call.wait_for_voice(PATIENCE).await, Ok(true));
        call
    }

    async fn order(&self, order: TransferOrder) -> Result<(), TransferError> {
        let id = self.app.active_calls().first().expect("a call is up").id;
        self.app.transfer(id, order).await
    }

    async fn facts(&self, cdr: &Cdr) -> Vec<CallFact> {
        self.events_of(cdr).await.into_iter().map(|event| event.fact).collect()
    }
}

/// Seconds of this tone alone.
fn tone_seconds(heard: &[i16], hertz: f64) -> f64 {
    let sounds = |frame: &&[i16]| analysis::is_voiced(frame) && analysis::tone_share(frame, hertz) > 0.8;
    heard.chunks(160).filter(sounds).count() as f64 * 0.02
}

fn completed(facts: &[CallFact]) -> Option<Completion> {
    facts.iter().find_map(|fact| match fact {
        CallFact::TransferCompleted { how } => Some(*how),
        _ => None,
    })
}

fn failed(facts: &[CallFact]) -> Option<&str> {
    facts.iter().find_map(|fact| match fact {
        CallFact::TransferFailed { reason } => Some(reason.as_str()),
        _ => None,
    })
}

/// Both are in the caller's recording, and heard each other.
async fn heard_each_other(world: &World, cdr: &Cdr, maria: &PhoneReport, carol: &PhoneReport) {
    assert!(analysis::contains(&Line::Tom1.samples(), maria.heard()), "maria hears carol");
    assert!(analysis::contains(&Line::Maria1.samples(), carol.heard()), "carol hears maria");
    let (left, right) = world.recording(cdr).await;
    assert!(analysis::contains(&Line::Maria1.samples(), &left), "maria is on the left");
    assert!(analysis::contains(&Line::Tom1.samples(), &right), "carol is on the right");
}

fn says_tom() -> [Step; 3] {
    [Step::Pause(Duration::from_millis(1_500)), Step::Play(Line::Tom1.samples()), Step::Pause(Duration::from_millis(500))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_refer_has_it_done_here() {
    let carols = [vec![Step::Ring(Duration::from_millis(1_500)), Step::Answer], says_tom().to_vec(), vec![Step::HangUp]].concat();
    let (mut world, mut carol) = scene(Manner::Talk, "blind", carols).await;
    let maria = world.maria(talkative()).await;
    world.order(order(None)).await.expect("begun");
    assert_eq!(world.order(order(None)).await, Err(TransferError::UnderWay));
    let report = carol.next_report(PATIENCE).await.expect("a report");
    let maria = maria.finished().await.expect("a report");
    let cdr = world.next_record().await;
    assert_eq!((reason(&cdr), maria.ending), (EndReason::Transferred, Ending::RemoteHungUp));
    let facts = world.facts(&cdr).await;
    assert!(facts.iter().any(|fact| matches!(fact, CallFact::TransferFellBack { .. })), "{facts:?}");
    assert_eq!(completed(&facts), Some(Completion::Joined));
    assert!(tone_seconds(maria.heard(), 425.0) > 0.3, "maria hears it ringing");
    assert_eq!((cdr.legs.len(), cdr.legs[0].to.as_str()), (1, "carol"));
    assert!(cdr.legs[0].answered_at.is_some() && cdr.legs[0].media.as_ref().is_some_and(|media| media.packets_received > 50));
    heard_each_other(&world, &cdr, &maria, &report).await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_hands_over_to_whom_its_user_has_named_and_to_nobody_else() {
    let (mut world, mut carol) = scene(Manner::HandsOver, "blind", [vec![Step::Answer], says_tom().to_vec()].concat()).await;
    let maria = world.maria(talkative()).await;
    let report = carol.next_report(PATIENCE).await.expect("a report");
    let maria = maria.finished().await.expect("a report");
    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::Transferred);
    heard_each_other(&world, &cdr, &maria, &report).await;
    world.nothing_is_held().await;

    let (mut world, _carol) = scene(Manner::HandsOverElsewhere, "blind", vec![Step::Answer]).await;
    let maria = world.maria([talkative()[..3].to_vec(), vec![Step::HangUp]].concat()).await;
    maria.finished().await.expect("a report");
    let cdr = world.next_record().await;
    let facts = world.facts(&cdr).await;
    assert!(facts.iter().any(|fact| matches!(fact, CallFact::Warning { text } if text.contains("no transfer target"))));
    assert!(!facts.iter().any(|fact| matches!(fact, CallFact::TransferStarted { .. })) && cdr.legs.is_empty());
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_human_is_told_first_and_joins_by_a_key() {
    let carols = [
        vec![Step::Answer, Step::WaitSilence { after: Duration::from_millis(500) }, Step::Dtmf("1".into())],
        says_tom().to_vec(),
        vec![Step::Dtmf("7".into()), Step::Pause(Duration::from_secs(1)), Step::HangUp],
    ];
    let (mut world, mut carol) = scene(Manner::Talk, "warm", carols.concat()).await;
    let maria = world.maria(talkative()).await;
    world.order(order(None)).await.expect("begun");
    let report = carol.next_report(PATIENCE).await.expect("a report");
    let maria = maria.finished().await.expect("a report");
    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::Transferred);
    assert!(tone_seconds(report.heard(), BRIEFING_HZ) > 0.7, "carol is told");
    assert!(tone_seconds(maria.heard(), BRIEFING_HZ) < 0.1, "and maria hears nothing of it");
    assert_eq!(maria.keys, "7", "keys go across once they are joined");
    heard_each_other(&world, &cdr, &maria, &report).await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_joins_or_calls_off() {
    let carols = [vec![Step::Answer], says_tom().to_vec(), says_tom().to_vec(), vec![Step::WaitHangUp]].concat();
    let (mut world, mut carol) = scene(Manner::Talk, "blind", carols).await;
    for (given, end) in [(TransferOrder::Join, Some(Completion::Joined)), (TransferOrder::Cancel, None)] {
        let maria = world.maria(talkative()).await;
        assert_eq!(world.order(TransferOrder::Join).await, Err(TransferError::NotUnderWay));
        let answered = world.carrier.seen_responses(200);
        world.order(order(Some(TransferMode::Warm))).await.expect("begun");
        until("carol has answered", async || world.carrier.seen_responses(200) > answered).await;
        until("it is obeyed", async || world.order(given.clone()).await.is_ok()).await;
        if end.is_some() {
            assert_eq!(world.order(TransferOrder::Cancel).await, Err(TransferError::NotUnderWay), "too late");
        }
        until("it is carried out", async || end.is_some() || world.app.footprint().rtp_ports == 1).await;
        maria.hang_up().await;
        maria.finished().await.expect("a report");
        carol.next_report(PATIENCE).await.expect("a report");
        let cdr = world.next_record().await;
        let facts = world.facts(&cdr).await;
        assert_eq!((completed(&facts), failed(&facts).is_some()), (end, end.is_none()), "{facts:?}");
        world.nothing_is_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_leaves_the_caller_with_the_agent() {
    for (steps, why) in [
        (vec![Step::Busy], "486"),
        (
            vec![Step::Answer, Step::WaitSilence { after: Duration::from_millis(300) }, Step::Dtmf("2".into()), Step::WaitHangUp],
            "did not take",
        ),
        (vec![Step::Answer, Step::Pause(Duration::from_millis(400)), Step::HangUp], "hung up"),
    ] {
        let (mut world, _carol) = scene(Manner::Talk, "warm", steps).await;
        // Long enough to be told; she says nothing meanwhile.
        let maria = world.maria(vec![Step::WaitAnswer, Step::Pause(Duration::from_secs(6)), Step::HangUp]).await;
        world.order(order(None)).await.expect("begun");
        let maria = maria.finished().await.expect("a report");
        let cdr = world.next_record().await;
        assert_eq!(reason(&cdr), EndReason::RemoteHungUp);
        let facts = world.facts(&cdr).await;
        assert!(failed(&facts).is_some_and(|told| told.contains(why)), "{why}: {facts:?}");
        assert!(tone_seconds(maria.heard(), REGRET_HZ) > 0.7, "{why}: the agent tells maria");
        assert_eq!(cdr.legs.len(), 1);
        world.nothing_is_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_in_the_middle_leaves_nothing_behind() {
    let ringing = vec![Step::Ring(PATIENCE), Step::Answer];
    let talking = vec![Step::Answer, Step::WaitHangUp];
    for (mode, steps, accept) in
        [("warm", ringing.clone(), false), ("blind", ringing, false), ("warm", talking.clone(), false), ("warm", talking, true)]
    {
        let (mut world, mut carol) = scene(Manner::Talk, mode, steps.clone()).await;
        let maria = world.maria(talkative()).await;
        world.order(order(None)).await.expect("begun");
        until("carol's telephone rings", async || carol.calls() == 1).await;
        if accept {
            until("they are joined", async || world.order(TransferOrder::Join).await.is_ok()).await;
        }
        maria.hang_up().await;
        maria.finished().await.expect("a report");
        let report = carol.next_report(PATIENCE).await.expect("a report");
        assert!(matches!(report.ending, Ending::RemoteHungUp | Ending::Cancelled), "{mode}: {:?}", report.ending);
        assert_eq!(reason(&world.next_record().await), EndReason::RemoteHungUp);
        world.nothing_is_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_hangs_up_ends_both() {
    let (mut world, mut carol) = scene(Manner::Talk, "blind", vec![Step::Answer, Step::WaitHangUp]).await;
    let maria = world.maria(talkative()).await;
    world.order(order(None)).await.expect("begun");
    until("carol has answered", async || carol.calls() == 1 && world.app.footprint().rtp_ports == 2).await;
    let id = world.app.active_calls()[0].id;
    assert!(world.app.hang_up(id));
    assert_eq!(maria.finished().await.expect("a report").ending, Ending::RemoteHungUp);
    carol.next_report(PATIENCE).await.expect("a report");
    assert_eq!(reason(&world.next_record().await), EndReason::OperatorHungUp);
    world.nothing_is_held().await;
}

/// Maria's telephone, or the provider behind it, that takes a REFER so.
async fn maria_who(world: &World, on_refer: OnRefer, steps: Vec<Step>) -> PhoneCall {
    let options = PhoneOptions::new(world.carrier.address(), "maria").with_refer(on_refer);
    let call = Phone::call(&options, "alice", Script::new(steps)).await.expect("a telephone");
    assert_eq!(call.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up));
    assert_eq!(call.wait_for_voice(PATIENCE).await, Ok(true));
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_transfers_takes_the_call_over() {
    let carols = [vec![Step::Ring(Duration::from_millis(300)), Step::Answer], says_tom().to_vec(), vec![Step::HangUp]].concat();
    let (mut world, mut carol) = scene(Manner::Talk, "blind", carols).await;
    let maria = maria_who(&world, OnRefer::Follow(Script::new(talkative())), talkative()).await;
    world.order(order(None)).await.expect("begun");
    let maria = maria.finished().await.expect("a report");
    let cdr = world.next_record().await;
    assert_eq!((reason(&cdr), maria.ending), (EndReason::Transferred, Ending::RemoteHungUp));
    let facts = world.facts(&cdr).await;
    assert_eq!(completed(&facts), Some(Completion::Referred));
    assert!(cdr.legs.is_empty(), "the call has left us");
    world.nothing_is_held().await;
    let report = carol.next_report(PATIENCE).await.expect("a report");
    assert!(analysis::voiced_seconds(report.heard()) > 0.5, "carol hears maria without us");
    assert_eq!(report.peer, "maria");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_the_provider_refuses_is_done_here() {
    for on_refer in [OnRefer::Refuse(603), OnRefer::Refuse(501), OnRefer::Fail(486), OnRefer::NotAllowed] {
        let carols = [vec![Step::Answer], says_tom().to_vec(), vec![Step::HangUp]].concat();
        let (mut world, mut carol) = scene(Manner::Talk, "blind", carols).await;
        let maria = maria_who(&world, on_refer.clone(), talkative()).await;
        world.order(order(None)).await.expect("begun");
        let report = carol.next_report(PATIENCE).await.expect("a report");
        let maria = maria.finished().await.expect("a report");
        let cdr = world.next_record().await;
        let facts = world.facts(&cdr).await;
        assert!(facts.iter().any(|fact| matches!(fact, CallFact::TransferFellBack { .. })), "{on_refer:?}: {facts:?}");
        assert_eq!((reason(&cdr), completed(&facts)), (EndReason::Transferred, Some(Completion::Joined)), "{on_refer:?}");
        heard_each_other(&world, &cdr, &maria, &report).await;
        world.nothing_is_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attended_transfer_puts_the_caller_in_our_place() {
    let carols = [
        vec![Step::Answer, Step::WaitSilence { after: Duration::from_millis(500) }, Step::Dtmf("1".into())],
        vec![Step::WaitHangUp],
    ];
    let (mut world, mut carol) = scene(Manner::Talk, "attended", carols.concat()).await;
    let after = Script::new([
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(200)),
        Step::Play(Line::Maria1.samples()),
        Step::HangUp,
    ]);
    let maria = maria_who(&world, OnRefer::Follow(after), talkative()).await;
    world.order(order(None)).await.expect("begun");
    maria.finished().await.expect("a report");
    let first = carol.next_report(PATIENCE).await.expect("a report");
    assert!(tone_seconds(first.heard(), BRIEFING_HZ) > 0.7, "carol is told");
    assert_eq!(first.keys, "");
    let cdr = world.next_record().await;
    let facts = world.facts(&cdr).await;
    assert_eq!((reason(&cdr), completed(&facts)), (EndReason::Transferred, Some(Completion::Referred)), "{facts:?}");
    assert_eq!(cdr.legs.len(), 1);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_may_move_the_caller_to_another_leg() {
    let (mut world, _carol) = scene(Manner::Talk, "blind", vec![Step::Answer]).await;
    let maria = world.maria(talkative()).await;
    let replaces = maria.replaces().expect("the call is up");
    let options = PhoneOptions::new(world.carrier.address(), "bob2").replacing(replaces);
    let steps = [Step::WaitAnswer, Step::Pause(Duration::from_millis(300)), Step::Play(Line::Tom1.samples()), Step::HangUp];
    let moved =
        Phone::call(&options, "alice", Script::new(steps)).await.expect("a telephone").finished().await.expect("a report");
    assert_eq!(moved.final_status, Some(200));
    assert_eq!(maria.finished().await.expect("a report").ending, Ending::RemoteHungUp, "the old leg is hung up");
    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::RemoteHungUp);
    assert!(world.facts(&cdr).await.iter().any(|fact| matches!(fact, CallFact::LegReplaced { .. })));
    assert!(analysis::contains(&Line::Tom1.samples(), &world.recording(&cdr).await.0), "the call goes on with the new leg");
    world.nothing_is_held().await;

    let options = PhoneOptions::new(world.carrier.address(), "bob2").replacing("no-such-call;to-tag=a;from-tag=b".into());
    let refused = Phone::call(&options, "alice", [Step::WaitAnswer]).await.expect("a telephone").finished().await;
    assert_eq!(refused.expect("a report").final_status, Some(481));
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_side_sends_the_agent_elsewhere_only_where_its_user_allows() {
    let steps = || [Step::WaitAnswer, Step::Pause(Duration::from_millis(600)), Step::Refer("carol".into()), Step::WaitHangUp];
    for (accept, target) in [(true, "carol"), (true, "dave"), (false, "carol")] {
        let targets = json!([{"name": "sales", "target": target}]);
        let routing = json!({"routing": {"transfer_targets": targets, "accept_refer": accept}});
        let mut world = World::with_alice(Manner::Talk, routing).await;
        let options = PhoneOptions::new(world.carrier.address(), "carol");
        let script = [vec![Step::Answer], says_tom().to_vec(), vec![Step::HangUp]].concat();
        let mut carol = Phone::listen(&options, Script::new(script)).await.expect("a telephone");
        world.carrier.add_number("carol", Destination::Line(carol.address()));
        let maria = world.call_alice(steps()).await;
        maria.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
        if accept && target == "carol" {
            assert_eq!(maria.finished().await.expect("a report").ending, Ending::RemoteHungUp);
            carol.next_report(PATIENCE).await.expect("a report");
            let cdr = world.next_record().await;
            assert_eq!(reason(&cdr), EndReason::RemoteHungUp);
            assert!(
                analysis::contains(&Line::Tom1.samples(), &world.recording(&cdr).await.0),
                "the agent's call goes on with carol"
            );
        } else {
            until("it was refused", async || world.carrier.seen_responses(603) == 1).await;
            maria.hang_up().await;
            assert_eq!(reason(&world.next_record().await), EndReason::RemoteHungUp);
        }
        world.nothing_is_held().await;
    }
}
