//! The caller speaks over the agent.

use crate::speech::tone_seconds;
use crate::world::{Scene, converse, reason};
use callie_domain::record::{EndReason, Speaker};
use callie_lab::gemini::{Converse, Exchange, Interruption, Sent, SessionLog, Speech};
use callie_lab::phone::{PhoneReport, Step};
use callie_lab::samples::Line;
use serde_json::json;
use std::time::{Duration, Instant};

/// From the service's `interrupted` to the last audible packet at the telephone.
const MOST: Duration = Duration::from_millis(60);
/// What a machine that is busy with other tests may add to the slowest.
const LOADED: Duration = Duration::from_millis(40);
/// No answer begins so soon after an interruption: the caller still speaks, and 600 ms of silence must follow.
const BEFORE_THE_NEXT: Duration = Duration::from_millis(1_500);

/// The pitch of the greeting and of each answer.
fn pitch(turn: usize) -> f64 {
    400.0 + 100.0 * turn as f64
}

fn talkative(interruptions: usize, turn_complete: bool) -> Converse {
    let speech = |turn| Speech::tone("One two three four five six seven.", pitch(turn), Duration::from_secs(6));
    let exchanges = (1..=interruptions).map(|turn| Exchange::new("Around seven thirty, please.", speech(turn))).collect();
    let interruption = Interruption { late_pieces: 3, turn_complete };
    Converse { interruption, ..converse(speech(0), exchanges) }
}

/// The line leaves it to the engine.
pub async fn the_agent_stops_at_once_and_goes_on_with_the_next_turn() {
    check(6, true, json!({"calls": {"barge_in": false}})).await;
}

/// The service never says that the interrupted turn is over.
pub async fn a_turn_that_is_never_closed_does_not_mute_the_next() {
    check(2, false, json!({})).await;
}

#[expect(clippy::print_stdout, reason = "the times are worth reading, not only their bound")]
async fn check(interruptions: usize, turn_complete: bool, settings: serde_json::Value) {
    let mut scene = Scene::of_alice(talkative(interruptions, turn_complete), settings).await;
    let mut steps = vec![Step::WaitAnswer];
    for _ in 0..interruptions {
        steps.extend([Step::Pause(Duration::from_millis(2_300)), Step::Play(Line::Tom2.samples())]);
    }
    steps.extend([Step::Pause(Duration::from_millis(2_300)), Step::HangUp]);
    let ended = scene.call(steps).await;
    assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp);

    let mut stops = scene.fake.latest().expect("a session").look(|log| stopping_times(log, &ended.report));
    stops.sort_unstable();
    println!("from interrupted to the last audible packet: {stops:?}");
    assert_eq!(stops.len(), interruptions);
    assert!(stops[interruptions / 2] <= MOST && stops[interruptions - 1] <= MOST + LOADED, "{stops:?}");

    for turn in 0..=interruptions {
        let heard = tone_seconds(ended.report.heard(), pitch(turn));
        assert!((0.8..3.5).contains(&heard), "turn {turn} was heard for {heard} s");
    }
    let cut: Vec<bool> = ended.turns.iter().filter(|t| t.speaker == Speaker::Agent).map(|t| t.interrupted).collect();
    assert_eq!(cut.iter().filter(|cut| **cut).count(), interruptions, "{:#?}", ended.turns);
    scene.world.nothing_is_held().await;
}

/// How long the agent was still audible after each `interrupted`.
fn stopping_times(log: &SessionLog, report: &PhoneReport) -> Vec<Duration> {
    let interrupted = log.sent.iter().filter(|(_, sent)| *sent == Sent::Interrupted).map(|(at, _)| *at);
    interrupted.map(|at| stopping_time(log, report, at)).collect()
}

fn stopping_time(log: &SessionLog, report: &PhoneReport, at: Instant) -> Duration {
    let soon = at..at + Duration::from_millis(300);
    let late = log.sent.iter().filter(|(when, sent)| soon.contains(when) && matches!(sent, Sent::Audio { .. })).count();
    assert!(late >= 3, "audio of the interrupted turn came late: {late} pieces");
    let spoke = report.voiced.iter().any(|when| (at - Duration::from_millis(100)..at).contains(when));
    assert!(spoke, "the agent was audible when it was interrupted");
    let last = report.voiced.iter().rfind(|when| (at..at + BEFORE_THE_NEXT).contains(*when));
    last.map_or(Duration::ZERO, |last| *last - at)
}
