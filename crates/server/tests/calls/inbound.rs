//! Calls that come in.

use crate::world::{Manner, PATIENCE, World, reason, until};
use callie_domain::record::{CallFact, CallResult, EndReason, Way};
use callie_lab::phone::{Ending, Phone, PhoneOptions, PhoneState, Step};
use callie_lab::samples::Line;
use callie_lab::wire::Transport;
use callie_store::RecordStore;
use serde_json::json;
use std::time::Duration;

fn talk_then_hang_up() -> [Step; 4] {
    [Step::WaitAnswer, Step::Play(Line::Maria1.samples()), Step::Dtmf("12#".into()), Step::HangUp]
}

#[test]
fn a_call_is_answered_recorded_and_accounted_for() {
    crate::steady::steadily("a call is answered, recorded and accounted for", one_call);
}

async fn one_call() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let report = world.call_alice(talk_then_hang_up()).await.finished().await.expect("a report");
    assert_eq!(report.final_status, Some(200));
    assert!(report.rtp.packets > 50 && report.rtp.lost == 0 && report.rtp.ssrc_changes == 0, "{:?}", report.rtp);
    assert!(callie_lab::analysis::voiced_seconds(report.heard()) > 0.7, "the agent is heard");

    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::RemoteHungUp);
    assert!(cdr.answered_at.is_some() && cdr.ended_at.is_some());
    let media = cdr.media.as_ref().expect("media was open");
    assert!(media.packets_received > 50 && media.packets_lost == 0, "{media:?}");
    assert_eq!(media.sdp_address, media.remote_address, "nothing translates addresses here");
    let digits: String = world.events_of(&cdr).await.iter().filter_map(|e| dtmf(&e.fact)).collect();
    assert_eq!(digits, "12#");

    let (left, right) = world.recording(&cdr).await;
    assert!(callie_lab::analysis::contains(&Line::Maria1.samples(), &left), "the caller is on the left");
    assert!(callie_lab::analysis::voiced_seconds(&right) > 0.7, "the agent is on the right");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calls_sip_messages_are_kept_with_it() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let call = world.call_alice([Step::WaitAnswer, Step::HangUp]).await;
    until("the call is up", async || !world.app.active_calls().is_empty()).await;
    let id = world.app.active_calls().first().expect("it is up").id;
    assert_eq!(call.finished().await.expect("a report").final_status, Some(200));
    let records = world.app.stores.records.clone();
    let outline = async || {
        let messages = RecordStore::signalling(&*records, id).await.expect("read");
        let words = messages.iter().map(|message| message.start_line().split(' ').nth(1).unwrap_or_default().to_owned());
        (messages.iter().map(|m| m.way).collect::<Vec<_>>(), words.collect::<Vec<_>>())
    };
    let complete = async || outline().await.1.len() >= 7;
    until("all messages are written down", complete).await;
    let (ways, words) = outline().await;
    assert_eq!(words.iter().filter(|word| *word == "200").count(), 2, "{words:?}");
    assert_eq!(ways.iter().filter(|way| **way == Way::Received).count(), 3, "INVITE, ACK, BYE: {words:?}");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_wants_no_recording_has_none() {
    let mut world = World::with_alice(Manner::Talk, json!({"calls": {"recording": "off"}})).await;
    world.call_alice(talk_then_hang_up()).await.finished().await.expect("a report");
    let cdr = world.next_record().await;
    assert_eq!((reason(&cdr), &cdr.recording), (EndReason::RemoteHungUp, &None));
    let folder = world.folder.path().join("recordings/alice");
    assert!(!folder.exists() || std::fs::read_dir(&folder).expect("a folder").next().is_none(), "nothing is written");
    world.nothing_is_held().await;
}

fn dtmf(fact: &CallFact) -> Option<char> {
    match fact {
        CallFact::Dtmf { digit } => Some(*digit),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_hangs_up_after_its_last_word() {
    let mut world = World::with_alice(Manner::Goodbye, json!({})).await;
    let report = world.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await.finished().await.expect("a report");
    assert_eq!(report.ending, Ending::RemoteHungUp);
    let spoken = callie_lab::analysis::voiced_seconds(report.heard());
    assert!((0.9..1.2).contains(&spoken), "the whole second was heard: {spoken}");
    assert_eq!(reason(&world.next_record().await), EndReason::AgentEnded);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_come_in_over_tcp() {
    let mut world = World::with_alice(Manner::Talk, json!({"transport": "tcp"})).await;
    let options = PhoneOptions::new(world.carrier.address(), "maria").with_transport(Transport::Tcp);
    let call = Phone::call(&options, "alice", talk_then_hang_up()).await.expect("a telephone");
    assert_eq!(call.finished().await.expect("a report").final_status, Some(200));
    assert_eq!(reason(&world.next_record().await), EndReason::RemoteHungUp);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_cancels() {
    let mut world = World::with_alice(Manner::NeverReady, json!({})).await;
    let call = world.call_alice([Step::Cancel { after: Duration::from_millis(300) }, Step::WaitHangUp]).await;
    let report = call.finished().await.expect("a report");
    assert_eq!((report.ending, report.final_status), (Ending::Cancelled, Some(487)));
    let cdr = world.next_record().await;
    assert_eq!(cdr.termination.expect("ended").result, CallResult::Cancelled);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_races_the_answer_ends_in_one_end() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    for delay_ms in [0, 1, 2, 4, 8, 12] {
        let call = world.call_alice([Step::Cancel { after: Duration::from_millis(delay_ms) }, Step::WaitHangUp]).await;
        call.finished().await.expect("a report");
        let end = reason(&world.next_record().await);
        assert!(matches!(end, EndReason::CallerCancelled | EndReason::RemoteHungUp), "{delay_ms} ms: {end:?}");
    }
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vanished_caller_is_noticed() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let steps = [Step::WaitAnswer, Step::Play(Line::Maria1.samples()), Step::Vanish];
    world.call_alice(steps).await.finished().await.expect("a report");
    assert_eq!(reason(&world.next_record().await), EndReason::RtpLost);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_call_without_audio_is_warned_of_with_the_address_and_the_remedy() {
    let mut world = World::with(Manner::Talk, |config| config.media.rtp_timeout = Duration::from_secs(30)).await;
    world.add_alice(json!({})).await;
    let steps = [Step::StopRtp, Step::WaitAnswer, Step::Pause(Duration::from_secs(3)), Step::HangUp];
    world.call_alice(steps).await.finished().await.expect("a report");
    let cdr = world.next_record().await;
    let media = cdr.media.as_ref().expect("media was open");
    let sdp = media.sdp_address.as_deref().expect("known");
    let warnings: Vec<_> = world.events_of(&cdr).await.into_iter().filter_map(|event| warning(event.fact)).collect();
    let [text] = &warnings[..] else { panic!("one warning: {warnings:?}") };
    assert!(text.contains("no audio from the other side in 2 s") && text.contains(sdp) && text.contains("firewall"), "{text}");
    world.nothing_is_held().await;
}

fn warning(fact: CallFact) -> Option<String> {
    match fact {
        CallFact::Warning { text } => Some(text),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_is_not_taken_for_dead() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(300)),
        Step::Hold,
        Step::StopRtp,
        Step::Pause(Duration::from_secs(4)),
        Step::HangUp,
    ];
    world.call_alice(steps).await.finished().await.expect("a report");
    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::RemoteHungUp);
    let events = world.events_of(&cdr).await;
    assert!(events.iter().any(|e| e.fact == CallFact::Hold { on: true }), "{events:?}");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_call_is_ended() {
    let mut world = World::with_alice(Manner::Talk, json!({"max_call_duration": 1})).await;
    let report = world.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await.finished().await.expect("a report");
    assert_eq!(report.ending, Ending::RemoteHungUp);
    assert_eq!(reason(&world.next_record().await), EndReason::MaxDuration);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_fails_ends_the_call_with_its_reason() {
    for (manner, status) in [(Manner::Refuses, 480), (Manner::Breaks, 200)] {
        let mut world = World::with_alice(manner, json!({})).await;
        let steps = [Step::WaitAnswer, Step::Play(Line::Maria1.samples()), Step::WaitHangUp];
        let report = world.call_alice(steps).await.finished().await.expect("a report");
        assert_eq!(report.final_status, Some(status));
        let cdr = world.next_record().await;
        assert_eq!(reason(&cdr), EndReason::EngineFailed);
        assert!(cdr.termination.expect("ended").detail.is_some_and(|d| d.contains("as scripted")));
        world.nothing_is_held().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_port_range_is_told_to_the_caller() {
    let (port, held) = free_even_port();
    let range = json!({"use_fixed_rtp_port": true, "rtp_port_min": port, "rtp_port_max": port + 1});
    let mut world = World::with_alice(Manner::Talk, range).await;
    let first = world.call_alice([Step::WaitAnswer, Step::HangUp]).await;
    let report = first.finished().await.expect("a report");
    assert_eq!(report.final_status, Some(503), "{:#?}", report.trace);
    let cdr = world.next_record().await;
    assert_eq!(reason(&cdr), EndReason::RtpPortsExhausted);
    assert!(cdr.termination.expect("ended").detail.is_some_and(|d| d.contains(&port.to_string())), "the range is named");
    drop(held);
    let second = world.call_alice([Step::WaitAnswer, Step::HangUp]).await;
    assert_eq!(second.finished().await.expect("a report").final_status, Some(200));
    world.nothing_is_held().await;
}

/// A port that somebody else holds until the socket is dropped.
fn free_even_port() -> (u16, std::net::UdpSocket) {
    loop {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        if port.is_multiple_of(2) {
            return (port, socket);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_at_its_limit_is_busy() {
    let mut world = World::with(Manner::Talk, |config| config.limits.calls_per_user = 1).await;
    world.add_alice(json!({})).await;
    let first = world.call_alice([Step::WaitAnswer, Step::Pause(PATIENCE), Step::HangUp]).await;
    assert_eq!(first.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up));
    let second = world.call_alice([Step::WaitAnswer, Step::HangUp]).await.finished().await.expect("a report");
    assert_eq!(second.final_status, Some(486));
    assert_eq!(reason(&world.next_record().await), EndReason::TooManyCalls);
    first.hang_up().await;
    assert_eq!(reason(&world.next_record().await), EndReason::RemoteHungUp);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_may_say_bye_at_once() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    for _ in 0..5 {
        let call = world.call_alice([Step::WaitAnswer, Step::Pause(PATIENCE), Step::HangUp]).await;
        call.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
        let id = world.app.active_calls()[0].id;
        let (hung_up, ()) = tokio::join!(async { world.app.hang_up(id) }, call.hang_up());
        assert!(hung_up);
        call.finished().await.expect("a report");
        let end = reason(&world.next_record().await);
        assert!(matches!(end, EndReason::OperatorHungUp | EndReason::RemoteHungUp), "{end:?}");
    }
    world.nothing_is_held().await;
}
