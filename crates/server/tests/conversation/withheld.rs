//! An engine that stops at any voice, as Gemini does, hears the caller over the agent once the line has judged that it is one.

use crate::overlap::{at_once, barge_ins, scale, sung};
use crate::speech::{cough, tone_seconds};
use crate::world::{Ended, Scene, converse, lines};
use callie_domain::record::{BargeInOutcome, CallFact, Speaker};
use callie_lab::gemini::{Exchange, Sent, Speech};
use callie_lab::phone::{Loudspeaker, PhoneOptions, Step};
use callie_lab::samples::Line;
use serde_json::json;
use std::time::Duration;

const ANSWER_HZ: f64 = 2_100.0;

fn answer() -> Speech {
    Speech::tone("I see.", ANSWER_HZ, Duration::from_millis(900))
}

/// How often the service stopped, and how often it heard somebody begin.
fn stops(scene: &Scene) -> (usize, usize) {
    let stops = |sent: &&(_, Sent)| sent.1 == Sent::Interrupted;
    scene.fake.latest().expect("a session").look(|log| (log.sent.iter().filter(stops).count(), log.uplink.onsets.len()))
}

fn heard_whole(ended: &Ended, words: &[f64]) -> bool {
    words.iter().all(|hz| tone_seconds(ended.report.heard(), *hz) > 0.24)
}

/// Left to the engine they do.
pub async fn a_word_in_passing_and_a_cough_do_not_stop_the_agent() {
    let words = scale(16);
    for barge_in in [true, false] {
        let mut scene = Scene::of_alice(converse(sung(&words), vec![]), json!({"calls": {"barge_in": barge_in}})).await;
        let steps = [
            Step::WaitAnswer,
            Step::Pause(Duration::from_millis(1_000)),
            Step::Play(at_once(Line::Hmm)),
            Step::Pause(Duration::from_millis(300)),
            Step::Play(cough()),
            Step::Pause(Duration::from_secs(3)),
            Step::HangUp,
        ];
        let ended = scene.call(steps).await;
        let (stops, heard) = stops(&scene);
        assert_eq!((stops > 0, heard > 0, heard_whole(&ended, &words)), (!barge_in, !barge_in, barge_in), "{:?}", ended.facts);
        if barge_in {
            assert_eq!(barge_ins(&ended), []);
            let spoken: Vec<_> = ended.turns.iter().map(|turn| (turn.speaker, turn.interrupted)).collect();
            assert_eq!(spoken, [(Speaker::Agent, false)], "{:#?}", ended.turns);
        }
        scene.world.nothing_is_held().await;
    }
}

/// A telephone on a table. What comes back of the agent is not the caller: it neither stops nor answers itself, nobody waits for an
/// answer to it, and the caller is heard afterwards.
pub async fn the_engine_does_not_hear_the_echo_of_its_own_voice() {
    for (delay_ms, loss_db) in [(60, 10.0), (300, 16.0)] {
        let loudspeaker = Loudspeaker { delay: Duration::from_millis(delay_ms), loss_db };
        // Words: an echo is known by the voice, and a tone is none.
        let answer = Exchange::new(Line::Maria1.words(), Speech::line(Line::Human));
        let mut scene = Scene::of(converse(Speech::line(Line::Long), vec![answer])).await;
        let options = PhoneOptions::new(scene.world.carrier.address(), "maria").with_loudspeaker(loudspeaker);
        let steps = [
            Step::WaitAnswer,
            Step::Pause(Duration::from_secs(21)),
            Step::Play(Line::Maria1.samples()),
            Step::Pause(Duration::from_secs(4)),
            Step::HangUp,
        ];
        let ended = scene.call_by(&options, steps).await;
        assert_eq!(stops(&scene), (0, 1), "{loudspeaker:?}: it heard the caller once: {:#?}", ended.turns);
        assert_eq!(barge_ins(&ended), [], "{loudspeaker:?}");
        let dead_air = ended.facts.iter().any(|fact| matches!(fact, CallFact::DeadAir { .. }));
        assert!(!dead_air, "{loudspeaker:?}: {:#?}", ended.facts);
        let words = [Line::Long, Line::Maria1, Line::Human].map(Line::words);
        let speakers = [Speaker::Agent, Speaker::Caller, Speaker::Agent];
        assert_eq!(lines(&ended.turns), speakers.into_iter().zip(words).collect::<Vec<_>>(), "{loudspeaker:?}");
        assert!(ended.turns.iter().all(|turn| !turn.interrupted), "{loudspeaker:?}: {:#?}", ended.turns);
        scene.world.nothing_is_held().await;
    }
}

/// Of an engine that hears all, so that it is known that the echo is there.
pub async fn an_engine_that_hears_the_line_as_it_is_stops_at_its_own_echo() {
    let loudspeaker = Loudspeaker { delay: Duration::from_millis(300), loss_db: 16.0 };
    let script = converse(Speech::line(Line::Long), vec![]);
    let mut scene = Scene::of_alice(script, json!({"calls": {"barge_in": false}})).await;
    let options = PhoneOptions::new(scene.world.carrier.address(), "maria").with_loudspeaker(loudspeaker);
    scene.call_by(&options, [Step::WaitAnswer, Step::Pause(Duration::from_secs(6)), Step::HangUp]).await;
    let (stops, heard) = stops(&scene);
    assert!(stops > 0 && heard > 0);
}

pub async fn who_speaks_over_an_agent_on_a_loudspeaker_is_heard() {
    let loudspeaker = Loudspeaker { delay: Duration::from_millis(120), loss_db: 18.0 };
    let mut scene = Scene::of(converse(Speech::line(Line::Long), vec![Exchange::new(Line::Number.words(), answer())])).await;
    let options = PhoneOptions::new(scene.world.carrier.address(), "maria").with_loudspeaker(loudspeaker);
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_secs(5)),
        Step::Play(at_once(Line::Number)),
        Step::Pause(Duration::from_secs(4)),
        Step::HangUp,
    ];
    let ended = scene.call_by(&options, steps).await;
    assert!(matches!(barge_ins(&ended)[..], [(_, BargeInOutcome::Interrupted)]), "{:?}", barge_ins(&ended));
    assert_eq!(stops(&scene).0, 1, "the service gives way as well");
    assert!(tone_seconds(ended.report.heard(), ANSWER_HZ) > 0.8, "she is answered");
    let cut: Vec<bool> = ended.turns.iter().filter(|turn| turn.speaker == Speaker::Agent).map(|turn| turn.interrupted).collect();
    assert_eq!(cut, [true, false], "{:#?}", ended.turns);
    scene.world.nothing_is_held().await;
}

/// She begins while the agent says its last word.
pub async fn who_answers_a_little_early_is_heard_from_the_first_word() {
    let words = scale(10);
    let mut scene = Scene::of(converse(sung(&words), vec![Exchange::new(Line::Tom2.words(), answer())])).await;
    let line = at_once(Line::Tom2);
    let steps = [
        Step::WaitAnswer,
        Step::Pause(Duration::from_millis(2_900)),
        Step::Play(line.clone()),
        Step::Pause(Duration::from_secs(3)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    assert_eq!((barge_ins(&ended), stops(&scene)), (vec![], (0, 1)));
    assert!(heard_whole(&ended, &words), "the agent is heard to its end");
    let session = scene.fake.latest().expect("a session");
    session.look(|log| assert!(log.uplink.contains(&line), "{:?}", log.uplink.find(&line)));
    assert!(tone_seconds(ended.report.heard(), ANSWER_HZ) > 0.8, "she is answered");
    scene.world.nothing_is_held().await;
}
