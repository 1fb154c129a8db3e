//! The caller speaks over an agent whose engine does not notice: the line does, and finds out whether it was meant. Also what
//! comes back of the agent's own voice.

use crate::speech::tone_seconds;
use crate::world::{Ended, Scene, converse, reason};
use callie_domain::record::{BargeInOutcome, CallFact, EndReason, Speaker};
use callie_lab::gemini::{Converse, Exchange, Speech};
use callie_lab::phone::{Loudspeaker, PhoneOptions, Step};
use callie_lab::samples::Line;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// From the decision to the last audible packet at the telephone.
const MOST: Duration = Duration::from_millis(60);
/// What a machine that is busy with other tests may add, and what two clocks that are compared may differ.
const LOADED: Duration = Duration::from_millis(40);
/// From the first sample that the caller's telephone plays: the way, 600 ms for the decision, and the stop.
const FROM_THE_FIRST_WORD: Duration = Duration::from_millis(760);
const ANSWER_HZ: f64 = 2_100.0;

/// "Words" of 300 ms that are told apart by their pitch.
pub fn scale(words: usize) -> Vec<f64> {
    (0..words).map(|word| 400.0 + 100.0 * word as f64).collect()
}

pub fn sung(pitches: &[f64]) -> Speech {
    let tone = |hz: &f64| -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / 24_000.0;
        (0..7_200).map(|i| ((step * f64::from(i)).sin() * 8_000.0) as i16).collect()
    };
    Speech::new(
        "One two three four five six seven eight nine ten eleven twelve.",
        &pitches.iter().flat_map(tone).collect::<Vec<_>>(),
    )
}

fn stubborn(greeting: Speech, exchanges: Vec<Exchange>) -> Converse {
    Converse { stubborn: true, ..converse(greeting, exchanges) }
}

/// A line from its first loud sample on.
pub fn at_once(line: Line) -> Arc<[i16]> {
    let samples = line.samples();
    let begins = samples.iter().position(|sample| sample.unsigned_abs() > 500).unwrap_or(0);
    samples[begins..].into()
}

/// The beginning of a line: a word and a half, too long to be one in passing.
fn false_start() -> Arc<[i16]> {
    at_once(Line::Number)[..8 * 850].into()
}

pub fn barge_ins(ended: &Ended) -> Vec<(u64, BargeInOutcome)> {
    let barge_in = |fact: &CallFact| match *fact {
        CallFact::BargeIn { at_ms, outcome } => Some((at_ms, outcome)),
        _ => None,
    };
    ended.facts.iter().filter_map(barge_in).collect()
}

/// A time of the record on the telephone's clock.
fn instant(ended: &Ended, at_ms: u64) -> Instant {
    let (now, wall) = (Instant::now(), SystemTime::now());
    let begun: SystemTime = ended.cdr.started_at.into();
    now - wall.duration_since(begun).expect("in the past") + Duration::from_millis(at_ms)
}

/// How long after this moment the agent was still audible.
fn stops_after(ended: &Ended, at: Instant) -> Duration {
    let soon = at..at + Duration::from_millis(500);
    ended.report.voiced.iter().rfind(|when| soon.contains(*when)).map_or(Duration::ZERO, |last| *last - at)
}

/// She begins, and says no more: the agent goes on, and not a word of it is lost.
pub async fn a_false_barge_in_stops_the_agent_who_then_goes_on_with_the_word() {
    let words = scale(16);
    let mut scene = Scene::of(stubborn(sung(&words), vec![])).await;
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(1_500)),
        Step::Play(false_start()),
        Step::Pause(Duration::from_secs(6)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp);
    let found = barge_ins(&ended);
    assert!(matches!(found[..], [(_, BargeInOutcome::Resumed)]), "{found:?}");
    check_silence(&ended, found[0].0);
    for hz in &words {
        let heard = tone_seconds(ended.report.heard(), *hz);
        assert!(heard > 0.24, "{hz} Hz was heard for {heard} s only");
    }
    let spoken: Vec<_> = ended.turns.iter().filter(|turn| turn.speaker == Speaker::Agent).collect();
    assert_eq!(spoken.len(), 1, "{:#?}", ended.turns);
    assert!(!spoken[0].interrupted && spoken[0].text.ends_with("twelve."), "{:#?}", ended.turns);
    scene.world.nothing_is_held().await;
}

/// She speaks on: the agent gives way, and what its engine still gives of that turn is not heard.
pub async fn who_speaks_on_is_given_the_word_though_the_engine_has_not_noticed() {
    let answer = Speech::tone("I see.", ANSWER_HZ, Duration::from_millis(900));
    let words = scale(16);
    let mut scene = Scene::of(stubborn(sung(&words), vec![Exchange::new(Line::Number.words(), answer)])).await;
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(1_500)),
        Step::Play(at_once(Line::Number)),
        Step::Pause(Duration::from_secs(4)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    let found = barge_ins(&ended);
    assert!(matches!(found[..], [(_, BargeInOutcome::Interrupted)]), "{found:?}");
    check_silence(&ended, found[0].0);
    let rest: f64 = words[11..].iter().map(|hz| tone_seconds(ended.report.heard(), *hz)).sum();
    assert!(rest < 0.1, "{rest} s of what was cut off were heard");
    let heard = tone_seconds(ended.report.heard(), ANSWER_HZ);
    assert!(heard > 0.8, "the answer was heard for {heard} s");
    let cut: Vec<bool> = ended.turns.iter().filter(|t| t.speaker == Speaker::Agent).map(|t| t.interrupted).collect();
    assert_eq!(cut, [true, false], "{:#?}", ended.turns);
    assert!(!ended.turns[0].text.contains("twelve"), "{:#?}", ended.turns);
    let line = at_once(Line::Number);
    let session = scene.fake.latest().expect("a session");
    session.look(|log| assert!(log.uplink.contains(&line), "it hears all of it: {:?}", log.uplink.find(&line)));
    scene.world.nothing_is_held().await;
}

#[expect(clippy::print_stdout, reason = "the times are worth reading, not only their bound")]
fn check_silence(ended: &Ended, at_ms: u64) {
    let stopped = stops_after(ended, instant(ended, at_ms));
    let (from, _) = ended.report.played[0];
    let answered = ended.dialled + ended.report.answered_after.expect("answered");
    let from_the_first_word = stops_after_word(ended, answered + from);
    println!("last audible packet {stopped:?} after the decision, {from_the_first_word:?} after the first word");
    assert!(stopped <= MOST + LOADED, "{stopped:?}");
    assert!(from_the_first_word <= FROM_THE_FIRST_WORD + LOADED, "{from_the_first_word:?}");
}

/// The end of the agent's speech that was going on when the caller began.
fn stops_after_word(ended: &Ended, word: Instant) -> Duration {
    let mut last = word;
    for when in ended.report.voiced.iter().filter(|when| **when >= word) {
        if *when - last > Duration::from_millis(200) {
            break;
        }
        last = *when;
    }
    last - word
}

/// The owner wants the greeting heard to its end.
pub async fn a_protected_greeting_is_not_interrupted_and_who_speaks_at_its_end_is_heard() {
    let words = scale(12);
    let answer = Speech::tone("I see.", ANSWER_HZ, Duration::from_millis(900));
    let script = converse(sung(&words), vec![Exchange::new(Line::Number.words(), answer)]);
    let mut scene = Scene::of_alice(script, json!({"calls": {"protect_greeting": true}})).await;
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(1_000)),
        Step::Play(Line::Tom2.samples()),
        Step::Pause(Duration::from_millis(600)),
        Step::Play(Line::Number.samples()),
        Step::Pause(Duration::from_secs(3)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    assert_eq!(barge_ins(&ended), []);
    for hz in &words {
        let heard = tone_seconds(ended.report.heard(), *hz);
        assert!(heard > 0.24, "{hz} Hz was heard for {heard} s only");
    }
    assert!(tone_seconds(ended.report.heard(), ANSWER_HZ) > 0.8, "what was said after it is answered");
    scene.fake.latest().expect("a session").look(|log| {
        let first_second = &Line::Number.samples()[..8_000];
        assert!(log.uplink.contains(first_second), "{:?}", log.uplink.find(first_second));
        assert!(!log.uplink.contains(&Line::Tom2.samples()), "what was said over it is not heard");
    });
    scene.world.nothing_is_held().await;
}

/// A telephone on a table: the line hears the agent, later and softer, and does not take it for the caller.
pub async fn the_line_does_not_take_the_echo_of_a_loudspeaker_for_the_caller() {
    for (delay_ms, loss_db) in [(60, 10.0), (300, 16.0)] {
        let loudspeaker = Loudspeaker { delay: Duration::from_millis(delay_ms), loss_db };
        let mut scene = Scene::of(stubborn(Speech::line(Line::Long), vec![])).await;
        let options = PhoneOptions::new(scene.world.carrier.address(), "maria").with_loudspeaker(loudspeaker);
        let steps = [Step::WaitAnswer, Step::Pause(Duration::from_secs(18)), Step::HangUp];
        let ended = scene.call_by(&options, steps).await;
        assert_eq!(barge_ins(&ended), [], "{loudspeaker:?}");
        let heard = callie_lab::analysis::voiced_seconds(ended.report.heard());
        let said = callie_lab::analysis::voiced_seconds(&Line::Long.samples());
        assert!(heard > said - 0.2, "{loudspeaker:?}: {heard} of {said} s were heard");
        assert!(ended.turns.iter().all(|turn| !turn.interrupted), "{:#?}", ended.turns);
        scene.world.nothing_is_held().await;
    }
}

/// The owner leaves interruptions to the engine: the line does not so much as listen for them.
pub async fn a_line_that_does_not_watch_leaves_it_to_the_engine() {
    let words = scale(12);
    let mut scene = Scene::of_alice(stubborn(sung(&words), vec![]), json!({"calls": {"barge_in": false}})).await;
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(1_000)),
        Step::Play(Line::Number.samples()),
        Step::Pause(Duration::from_secs(1)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    assert_eq!(barge_ins(&ended), []);
    for hz in &words {
        let heard = tone_seconds(ended.report.heard(), *hz);
        assert!(heard > 0.24, "{hz} Hz was heard for {heard} s only");
    }
    let line = Line::Number.samples();
    scene.fake.latest().expect("a session").look(|log| assert!(log.uplink.contains(&line), "{:?}", log.uplink.find(&line)));
    scene.world.nothing_is_held().await;
}
