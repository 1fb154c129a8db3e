//! The caller coughs into the silence after the greeting, and nobody makes anything of it.

use crate::offline;
use crate::speech::{cough, tone_seconds};
use crate::world::{Ended, Scene, call, converse, lines, listen};
use callie_domain::record::Speaker;
use callie_lab::analysis::voiced_seconds;
use callie_lab::gemini::{Exchange, Speech};
use callie_lab::phone::Step;
use serde_json::json;
use std::time::Duration;

/// An answer would begin within two seconds.
const LONG_ENOUGH: Duration = Duration::from_secs(4);
const GREETING: &str = "Hello. Who is calling, please, and what is it about?";

fn steps() -> [Step; 5] {
    [Step::WaitAnswer, listen(), Step::Play(cough()), Step::Pause(LONG_ENOUGH), Step::HangUp]
}

/// The service takes the noise for an utterance, transcribes it as it does, and has nothing to say to it.
pub async fn a_cough_is_not_answered_by_the_service_nor_asked_about() {
    let greeting = Speech::tone(GREETING, 500.0, Duration::from_secs(1));
    let mut scene = Scene::of(converse(greeting, vec![Exchange::empty("<noise>")])).await;
    let ended = scene.call(steps()).await;
    assert_eq!(lines(&ended.turns), [(Speaker::Agent, GREETING)]);
    scene.fake.latest().expect("a session").look(|log| {
        assert_eq!(log.uplink.onsets.len(), 1, "the service heard it");
        assert_eq!(log.texts.len(), 1, "nothing but the greeting was asked for: {:?}", log.texts);
    });
    let others = voiced_seconds(ended.report.heard()) - tone_seconds(ended.report.heard(), 500.0);
    assert!(others < 0.1, "{others} s of something else were heard");
    scene.everything_is_freed_at_once().await;
}

pub async fn a_cough_is_not_answered_by_the_offline_engine() {
    let Some(mut world) = offline::world(json!({ "greeting": GREETING })).await else { return };
    let Ended { report, turns, .. } = call(&mut world, steps()).await;
    assert_eq!(lines(&turns), [(Speaker::Agent, GREETING)]);
    let (first, last) = report.voiced.first().zip(report.voiced.last()).expect("the greeting was heard");
    let (heard, spoken) = (*last - *first, Duration::from_millis(turns[0].ended_ms - turns[0].started_ms));
    assert!(heard < spoken + Duration::from_millis(300), "{spoken:?} were spoken, but something was heard for {heard:?}");
    world.nothing_is_held().await;
}
