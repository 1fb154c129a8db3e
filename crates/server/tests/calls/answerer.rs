//! Who answers a call of ours, and what is done about machines: over RTP, with the lab's telephone as human, machine, fax and
//! exchange.

use crate::world::{MESSAGE_HZ, Manner, PATIENCE, World, reason};
use callie_domain::record::{AnsweredBy, CallFact, CallResult, Cdr, EndReason};
use callie_lab::analysis::{rms, tone, tone_share, voiced_seconds};
use callie_lab::carrier::Destination;
use callie_lab::phone::{Ending, G711, Listener, Phone, PhoneOptions, PhoneReport, Script, Step};
use callie_lab::samples::Line;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const SECOND: usize = 8_000;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Somebody reads for so long.
fn greeting(seconds: f64) -> Step {
    let samples = Line::Long.samples();
    Step::Play(samples[..(seconds * SECOND as f64) as usize].into())
}

fn beep() -> Step {
    Step::Play(tone(1_000.0, SECOND / 4, 8_000.0).into())
}

/// On and off, over and over.
fn rhythm(hertz: f64, ms: usize, times: usize) -> Arc<[i16]> {
    let on = tone(hertz, 8 * ms, 6_000.0);
    std::iter::repeat_n([on, vec![0; 8 * ms]].concat(), times).flatten().collect()
}

async fn carol(world: &World, steps: Vec<Step>) -> Listener {
    let options = PhoneOptions::new(world.carrier.address(), "carol").with_codecs(&[G711::Pcmu, G711::Pcma]);
    let listener = Phone::listen(&options, Script::new(steps)).await.expect("a telephone");
    world.carrier.add_number("carol", Destination::Line(listener.address()));
    listener
}

/// What came of one call.
struct Outcome {
    report: PhoneReport,
    cdr: Cdr,
    facts: Vec<CallFact>,
}

impl Outcome {
    fn evidence(&self) -> String {
        let said = |fact: &CallFact| match fact {
            CallFact::AnsweredBy { by, evidence } => Some(format!("{}: {evidence}", by.as_str())),
            _ => None,
        };
        self.facts.iter().filter_map(said).collect::<Vec<_>>().join("; ")
    }
}

/// A user with these settings of answering machines calls a machine of these steps.
async fn call_machine(calls: Value, steps: Vec<Step>) -> Outcome {
    call_as(Manner::Waits, calls, steps).await
}

/// The same, and whoever answers is spoken to at once.
async fn call(calls: Value, steps: Vec<Step>) -> Outcome {
    call_as(Manner::Talk, calls, steps).await
}

async fn call_as(manner: Manner, calls: Value, steps: Vec<Step>) -> Outcome {
    let mut world = World::with_alice(manner, json!({"calls": calls})).await;
    let mut carol = carol(&world, steps).await;
    world.dial("carol").expect("dialled");
    let cdr = world.next_record().await;
    let report = carol.next_report(PATIENCE).await.expect("a report");
    let facts = world.events_of(&cdr).await.into_iter().map(|event| event.fact).collect();
    world.nothing_is_held().await;
    Outcome { report, cdr, facts }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_hung_up_on_after_its_beep() {
    let steps = vec![Step::Answer, Step::Pause(ms(300)), greeting(3.0), Step::Pause(ms(400)), beep(), Step::WaitHangUp];
    let told = call_machine(json!({"voicemail": "hang_up"}), steps).await;
    assert_eq!(
        (reason(&told.cdr), told.cdr.answered_by),
        (EndReason::MachineAnswered, Some(AnsweredBy::Machine)),
        "{}",
        told.evidence()
    );
    assert!(told.evidence().ends_with("ms after talk"), "{}", told.evidence());
    assert!(told.facts.iter().any(|fact| matches!(fact, CallFact::ToneHeard { tone } if tone.starts_with("beep of 100"))));
    assert_eq!(told.report.ending, Ending::RemoteHungUp);
    // 3.7 s until the beep, 0.25 s of it, and what it takes to be sure that it is over.
    assert!(told.report.talked < ms(4_700), "{:?}", told.report.talked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_beep_is_known_by_its_length() {
    let steps = vec![Step::Answer, greeting(11.0), Step::WaitHangUp];
    let told = call_machine(json!({"voicemail": "hang_up"}), steps).await;
    assert_eq!(
        (reason(&told.cdr), told.cdr.answered_by),
        (EndReason::MachineAnswered, Some(AnsweredBy::Machine)),
        "{}",
        told.evidence()
    );
    assert!(told.evidence().ends_with("machine: talks for 7 s without waiting for an answer"), "{}", told.evidence());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_left_after_the_beep_and_not_before() {
    let steps = vec![Step::Answer, Step::Pause(ms(300)), greeting(3.0), Step::Pause(ms(400)), beep(), Step::WaitHangUp];
    let told = call_machine(json!({"voicemail": "drop", "voicemail_message": "Please call us."}), steps).await;
    assert_eq!(
        (reason(&told.cdr), told.cdr.answered_by),
        (EndReason::MessageLeft, Some(AnsweredBy::Machine)),
        "{}",
        told.evidence()
    );
    assert!(told.facts.iter().any(|fact| matches!(fact, CallFact::MessageDropped { message } if message == "Please call us.")));
    let (_, beep_over) = told.report.played[1];
    let heard = told.report.heard();
    let parts = heard.chunks(SECOND / 10).map(|part| rms(part) > 500.0 && tone_share(part, MESSAGE_HZ) > 0.8);
    let spoken: Vec<usize> = parts.enumerate().filter_map(|(at, is_message)| is_message.then_some(at)).collect();
    assert!((8..=11).contains(&spoken.len()), "a second of it: {spoken:?}");
    // The recording begins with the first packet, which comes with the answer.
    assert!(spoken[0] as u128 * 100 + 200 >= beep_over.as_millis(), "{spoken:?}, the beep was over at {beep_over:?}");
    assert!((spoken[0] as u128) * 100 < beep_over.as_millis() + 800, "{spoken:?}, {beep_over:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_human_is_talked_to_whatever_is_done_about_machines() {
    for (calls, hello) in [
        (json!({"voicemail": "hang_up"}), Line::Maria1),
        (json!({"voicemail": "drop", "voicemail_message": "Please call us."}), Line::Maria3),
    ] {
        let steps = vec![Step::Answer, Step::Pause(ms(400)), Step::Play(hello.samples()), Step::Pause(ms(3_000)), Step::HangUp];
        let told = call(calls, steps).await;
        let by = told.cdr.answered_by.expect("recognised");
        assert!(matches!(by, AnsweredBy::Human | AnsweredBy::Unsure), "{}", told.evidence());
        assert_eq!(reason(&told.cdr), EndReason::RemoteHungUp);
        assert!(voiced_seconds(told.report.heard()) > 0.7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_talked_to_unless_the_user_wants_otherwise() {
    let steps = vec![Step::Answer, greeting(2.0), Step::Pause(ms(300)), beep(), Step::Pause(ms(2_000)), Step::HangUp];
    let told = call_machine(json!({}), steps).await;
    assert_eq!(
        (reason(&told.cdr), told.cdr.answered_by),
        (EndReason::RemoteHungUp, Some(AnsweredBy::Machine)),
        "{}",
        told.evidence()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fax_machines_are_hung_up_on() {
    let steps = vec![Step::Answer, Step::Pause(ms(500)), Step::Play(tone(2_100.0, 3 * SECOND, 6_000.0).into()), Step::WaitHangUp];
    let told = call(json!({}), steps).await;
    assert_eq!((reason(&told.cdr), told.cdr.answered_by), (EndReason::FaxAnswered, Some(AnsweredBy::Fax)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tones_of_the_network_end_the_call_before_the_answer_and_after() {
    let sit = [950.0, 1_400.0, 1_800.0].map(|hertz| tone(hertz, 330 * 8, 6_000.0)).concat();
    let busy = rhythm(425.0, 480, 6);
    let congestion = rhythm(425.0, 240, 10);
    for (what, samples, result, want) in [
        ("busy", busy, CallResult::Busy, EndReason::CalleeBusy),
        ("congestion", congestion, CallResult::Failed, EndReason::Congestion),
        ("special information", sit.into(), CallResult::NotFound, EndReason::NotReachable),
    ] {
        let early = vec![Step::EarlyMedia(None), Step::Pause(ms(500)), Step::Play(samples.clone()), Step::Pause(PATIENCE)];
        let told = call(json!({}), early).await;
        let end = told.cdr.termination.as_ref().expect("ended");
        assert_eq!((end.result, end.reason, told.report.ending), (result, want, Ending::Cancelled), "{what}");
        assert!(end.detail.as_ref().is_some_and(|detail| detail.contains(what) && detail.ends_with("early media")), "{end:?}");
        assert!(!end.reason.remedy().is_empty() || end.reason == EndReason::CalleeBusy);

        let answered = vec![Step::Answer, Step::Pause(ms(500)), Step::Play(samples), Step::WaitHangUp];
        let told = call(json!({}), answered).await;
        let end = told.cdr.termination.as_ref().expect("ended");
        assert_eq!((end.result, end.reason, told.report.ending), (result, want, Ending::RemoteHungUp), "{what}");
        assert!(end.detail.as_ref().is_some_and(|detail| detail.ends_with("after the answer")), "{end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_heard_while_it_rings_is_no_part_of_the_talk() {
    // The same description again, and another telephone's.
    for early in [None, Some(G711::Pcma)] {
        let ringback = Step::Play(tone(425.0, SECOND, 6_000.0).into());
        let steps = vec![
            Step::EarlyMedia(early),
            ringback,
            Step::Pause(ms(600)),
            Step::Answer,
            Step::Pause(ms(300)),
            Step::Play(Line::Maria1.samples()),
            Step::Pause(ms(2_500)),
            Step::HangUp,
        ];
        let told = call(json!({}), steps).await;
        assert_eq!(
            (reason(&told.cdr), told.cdr.answered_by),
            (EndReason::RemoteHungUp, Some(AnsweredBy::Human)),
            "{}",
            told.evidence()
        );
        assert!(voiced_seconds(told.report.heard()) > 0.7, "the agent is heard");
        let answered = told.facts.iter().position(|fact| *fact == CallFact::Answered).expect("answered");
        let tone =
            told.facts.iter().position(|fact| matches!(fact, CallFact::ToneHeard { tone } if tone.starts_with("ringback")));
        let speech = told.facts.iter().position(|fact| matches!(fact, CallFact::SpeechStarted { .. })).expect("speech");
        assert!(tone.is_some_and(|at| at < answered) && speech > answered, "{:?}", told.facts);
    }
}
