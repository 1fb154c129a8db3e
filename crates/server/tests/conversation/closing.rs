//! How a call ends: goodbyes are whole, and whoever hangs up leaves nothing behind.

use crate::speech::tone_seconds;
use crate::world::{Ended, PATIENCE, Scene, converse, listen, reason};
use callie_domain::record::{EndReason, Speaker};
use callie_lab::analysis::{SAMPLE_RATE_HZ, contains};
use callie_lab::gemini::{Exchange, FakeGemini, FakeGeminiOptions, Sent, SessionLog, Speech};
use callie_lab::phone::{Ending, PhoneState, Step};
use callie_lab::samples::Line;
use std::time::Duration;

const GREETING_HZ: f64 = 500.0;
const GOODBYE_HZ: f64 = 900.0;
/// Of a sentence, by which it is recognised: one second.
const PART: usize = SAMPLE_RATE_HZ;

fn greeting() -> Speech {
    Speech::tone("Hello.", GREETING_HZ, Duration::from_secs(1))
}

pub async fn the_goodbye_is_heard_to_its_end() {
    let goodbye = Speech::line(Line::Long);
    let farewell = Exchange::new(Line::Maria3.words(), goodbye.clone()).then_end_call();
    let mut scene = Scene::of(converse(greeting(), vec![farewell])).await;
    let steps = [Step::WaitAnswer, listen(), Step::Play(Line::Maria3.samples()), Step::WaitHangUp];
    let Ended { report, cdr, turns, .. } = scene.call(steps).await;
    assert_eq!((report.ending, reason(&cdr)), (Ending::RemoteHungUp, EndReason::AgentEnded));
    assert_eq!(turns.last().map(|turn| turn.text.trim()), Some(goodbye.words()));

    let line = Line::Long.samples();
    let voiced = callie_lab::analysis::segments(&line, 60_000).first().cloned().expect("it speaks");
    let (_, recorded) = scene.world.recording(&cdr).await;
    for heard in [report.heard(), &recorded] {
        // The greeting is before it, nothing after it.
        let (front, back) = heard.split_at(heard.len().saturating_sub(4 * SAMPLE_RATE_HZ));
        assert!(contains(&line[voiced.start..voiced.start + PART], front), "the goodbye does not begin");
        assert!(contains(&line[voiced.end - PART..voiced.end], back), "the goodbye does not end");
    }
    let (want, got) = (callie_lab::analysis::voiced_seconds(&line), callie_lab::analysis::voiced_seconds(report.heard()));
    let greeting = tone_seconds(report.heard(), GREETING_HZ);
    assert!((got - greeting - want).abs() < 0.3, "{want} s were said, {got} s were heard, greeting {greeting} s");
    scene.world.nothing_is_held().await;
}

pub async fn a_caller_who_talks_over_the_goodbye_does_not_cut_it() {
    let goodbye = Speech::tone("Thank you for your call, goodbye.", GOODBYE_HZ, Duration::from_secs(4));
    let farewell = Exchange::new(Line::Maria3.words(), goodbye.clone()).then_end_call();
    let mut scene = Scene::of(converse(greeting(), vec![farewell])).await;
    let play = |line: Line| Step::Play(line.samples());
    let over_it = [Step::Pause(Duration::from_secs(2)), play(Line::Tom2)];
    let steps = [Step::WaitAnswer, listen(), play(Line::Maria3)].into_iter().chain(over_it).chain([Step::WaitHangUp]);
    let Ended { report, cdr, turns, .. } = scene.call(steps).await;
    let interrupted = scene.fake.latest().expect("a session").look(|log| log.count_sent(|sent| *sent == Sent::Interrupted));
    assert_eq!(interrupted, 1, "the service takes it for an interruption");
    let heard = tone_seconds(report.heard(), GOODBYE_HZ);
    assert!((3.9..4.1).contains(&heard), "{heard} s of the goodbye were heard");
    assert_eq!((report.ending, reason(&cdr)), (Ending::RemoteHungUp, EndReason::AgentEnded));
    let last = turns.iter().rfind(|turn| turn.speaker == Speaker::Agent).expect("a turn");
    assert_eq!((last.text.trim(), last.interrupted), (goodbye.words(), false));
    scene.everything_is_freed_at_once().await;
}

pub async fn who_hangs_up_leaves_nothing_behind() {
    let mut scene = Scene::of(converse(Speech::line(Line::Long), Vec::new())).await;
    let call = scene.world.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await;
    call.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
    let speaks = |log: &SessionLog| log.sent_samples > 48_000;
    scene.fake.wait_latest("the agent speaks", PATIENCE, speaks).await.expect("it speaks");
    call.hang_up().await;
    scene.everything_is_freed_at_once().await;
    assert_eq!(reason(&scene.world.next_record().await), EndReason::RemoteHungUp);
}

pub async fn who_gives_up_while_it_rings_leaves_nothing_behind() {
    let options = FakeGeminiOptions { setup_time: PATIENCE, ..FakeGeminiOptions::default() };
    let mut scene = Scene::with(options, |_| ()).await;
    let call = scene.world.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await;
    call.wait_for(PhoneState::Ringing, PATIENCE).await.expect("it rings");
    let connected = |fake: &FakeGemini| fake.latest().is_some_and(|session| session.look(|log| !log.setup.is_null()));
    scene.fake.wait_until("the setup has come", PATIENCE, connected).await.expect("it is being set up");
    assert_eq!(call.state(), PhoneState::Ringing);
    call.hang_up().await;
    scene.everything_is_freed_at_once().await;
    let report = call.finished().await.expect("a report");
    assert_eq!((report.ending, report.answered_after), (Ending::Cancelled, None));
    assert_eq!(reason(&scene.world.next_record().await), EndReason::CallerCancelled);
}
