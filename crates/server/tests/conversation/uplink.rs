//! The caller's audio goes up without a pause, whatever the line does: the service finds the end of a turn in what it receives,
//! and whoever stops sending is never answered.

use crate::speech::tone_seconds;
use crate::world::{Scene, converse, lines, listen};
use callie_domain::record::{CallFact, Speaker};
use callie_lab::gemini::{Exchange, Speech};
use callie_lab::line::LineFaults;
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use std::time::Duration;

const ANSWER_HZ: f64 = 700.0;
/// The longest time without audio: six packets.
const LONGEST_GAP: Duration = Duration::from_millis(120);
/// By how much the audio may differ from the time that it took, jitter buffer and all.
const DRIFT: Duration = Duration::from_millis(100);

async fn scene() -> Scene {
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(2));
    Scene::of(converse(tone("Hello.", 500.0), vec![Exchange::new(Line::Maria1.words(), tone("Hello Maria.", ANSWER_HZ))])).await
}

fn never_paused(scene: &Scene) {
    scene.fake.latest().expect("a session").look(|log| {
        let (came, took, gap) = (log.uplink.duration(), log.uplink.elapsed(), log.uplink.largest_gap);
        assert!(took > Duration::from_secs(5), "{took:?}");
        assert!(gap <= LONGEST_GAP, "the caller's audio stopped for {gap:?}");
        assert!(came.abs_diff(took) <= DRIFT, "{came:?} of audio came in {took:?}");
    });
}

pub async fn it_goes_on_over_a_bad_line() {
    let mut scene = scene().await;
    let faults = LineFaults { loss: 0.10, jitter_sd: Duration::from_millis(15), seed: 42 };
    let maria = Step::Play(Line::Maria1.samples());
    let ended = scene.call_over(faults, [Step::WaitAnswer, listen(), maria, listen(), Step::HangUp]).await;
    let lost = ended.cdr.media.as_ref().expect("media was open").packets_lost;
    assert!(lost > 10, "the line loses packets: {lost}");
    never_paused(&scene);
    assert_eq!(lines(&ended.turns).last(), Some(&(Speaker::Agent, "Hello Maria.")));
    scene.everything_is_freed_at_once().await;
}

pub async fn it_goes_on_while_the_call_is_held() {
    let mut scene = scene().await;
    let steps = [
        Step::WaitAnswer,
        listen(),
        Step::Hold,
        Step::Pause(Duration::from_secs(2)),
        Step::Resume,
        Step::Play(Line::Maria1.samples()),
        listen(),
        // Many telephones send nothing while they hold.
        Step::Hold,
        Step::StopRtp,
        Step::Pause(Duration::from_secs(2)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    let holds = |fact: &CallFact| if let CallFact::Hold { on } = fact { Some(*on) } else { None };
    assert_eq!(ended.facts.iter().filter_map(holds).collect::<Vec<_>>(), [true, false, true]);
    never_paused(&scene);
    let heard = tone_seconds(ended.report.heard(), ANSWER_HZ);
    assert!(heard > 1.5, "the answer was heard for {heard} s");
    scene.everything_is_freed_at_once().await;
}
