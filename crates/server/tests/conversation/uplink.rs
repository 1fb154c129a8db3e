//! The caller's audio goes up without a pause, whatever the line does: the service finds the end of a turn in what it receives,
//! and whoever stops sending is never answered.

use crate::speech::tone_seconds;
use crate::world::{Scene, converse, lines, listen};
use callie_domain::record::{CallFact, Speaker};
use callie_lab::gemini::{Exchange, Speech};
use callie_lab::line::LineFaults;
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ANSWER_HZ: f64 = 700.0;
/// The longest time without audio: six packets.
const LONGEST_GAP: Duration = Duration::from_millis(120);
/// By how much the audio may differ from the time that it took, jitter buffer and all.
const DRIFT: Duration = Duration::from_millis(100);

/// Measures how late this machine wakes a thread that wants nothing but to be woken: a machine busy with other things is no
/// fault of the product.
pub struct Pulse {
    latest_us: Arc<AtomicU64>,
}

impl Pulse {
    const EVERY: Duration = Duration::from_millis(5);

    /// It beats until it is dropped.
    pub fn start() -> Self {
        let latest_us = Arc::new(AtomicU64::new(0));
        let latest = Arc::downgrade(&latest_us);
        std::thread::spawn(move || {
            while let Some(latest) = latest.upgrade() {
                let slept = Instant::now();
                std::thread::park_timeout(Self::EVERY);
                let late = slept.elapsed().saturating_sub(Self::EVERY);
                latest.fetch_max(late.as_micros().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { latest_us }
    }

    /// What may be added to a limit: the caller's audio passes four threads, and each has to be woken.
    fn allowance(&self) -> Duration {
        4 * Duration::from_micros(self.latest_us.load(Ordering::Relaxed))
    }
}

/// One session so far: audio came all the time, and as much of it as time passed.
pub fn never_paused(scene: &Scene, pulse: &Pulse) {
    scene.fake.latest().expect("a session").look(|log| {
        let (came, took, gap) = (log.uplink.duration(), log.uplink.elapsed(), log.uplink.largest_gap);
        let allowance = pulse.allowance();
        assert!(took > Duration::from_secs(5), "{took:?}");
        assert!(
            gap <= LONGEST_GAP + allowance,
            "the caller's audio stopped for {gap:?}, of which {allowance:?} may be the machine's"
        );
        assert!(came.abs_diff(took) <= DRIFT + allowance, "{came:?} of audio came in {took:?}, give or take {allowance:?}");
    });
}

async fn scene() -> Scene {
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(2));
    Scene::of(converse(tone("Hello.", 500.0), vec![Exchange::new(Line::Maria1.words(), tone("Hello Maria.", ANSWER_HZ))])).await
}

pub async fn it_goes_on_over_a_bad_line() {
    let (mut scene, pulse) = (scene().await, Pulse::start());
    let faults = LineFaults { loss: 0.10, jitter_sd: Duration::from_millis(15), seed: 42 };
    let maria = Step::Play(Line::Maria1.samples());
    let ended = scene.call_over(faults, [Step::WaitAnswer, listen(), maria, listen(), Step::HangUp]).await;
    let lost = ended.cdr.media.as_ref().expect("media was open").packets_lost;
    assert!(lost > 10, "the line loses packets: {lost}");
    never_paused(&scene, &pulse);
    assert_eq!(lines(&ended.turns).last(), Some(&(Speaker::Agent, "Hello Maria.")));
    scene.everything_is_freed_at_once().await;
}

/// What the telephone sends while it holds is music, or somebody who speaks to somebody else.
pub async fn what_plays_while_the_call_is_held_is_not_answered() {
    let (mut scene, pulse) = (scene().await, Pulse::start());
    let steps = [
        Step::WaitAnswer,
        listen(),
        Step::Hold,
        Step::Pause(Duration::from_millis(300)),
        Step::Play(Line::Maria1.samples()),
        Step::Pause(Duration::from_secs(2)),
        Step::Resume,
        Step::Pause(Duration::from_secs(1)),
        Step::HangUp,
    ];
    let ended = scene.call(steps).await;
    never_paused(&scene, &pulse);
    assert_eq!(lines(&ended.turns), [(Speaker::Agent, "Hello.")], "nobody spoke but the agent, once");
    assert!(tone_seconds(ended.report.heard(), ANSWER_HZ) < 0.1);
    scene.everything_is_freed_at_once().await;
}

pub async fn it_goes_on_while_the_call_is_held() {
    let (mut scene, pulse) = (scene().await, Pulse::start());
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
    never_paused(&scene, &pulse);
    let heard = tone_seconds(ended.report.heard(), ANSWER_HZ);
    assert!(heard > 1.5, "the answer was heard for {heard} s");
    scene.everything_is_freed_at_once().await;
}
