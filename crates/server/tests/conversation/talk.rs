//! Conversations that go well: what each side hears, and what is written down of it.

use crate::speech::tone_seconds;
use crate::world::{Ended, Scene, converse, listen, reason};
use callie_domain::record::{EndReason, Speaker, Turn};
use callie_lab::analysis::contains;
use callie_lab::gemini::{Exchange, Speech};
use callie_lab::phone::{Ending, PhoneState, Step};
use callie_lab::samples::Line;
use std::time::Duration;

const GREETING_HZ: f64 = 500.0;

fn greeting() -> Speech {
    Speech::tone("Hello, this is Alice's assistant.", GREETING_HZ, Duration::from_millis(1_200))
}

/// Who said what, in order.
fn lines(turns: &[Turn]) -> Vec<(Speaker, &str)> {
    turns.iter().map(|turn| (turn.speaker, turn.text.trim())).collect()
}

async fn a_conversation(hearing: impl Fn(Exchange) -> Exchange) {
    let exchanges = [(Line::Maria1, "Hello Maria, what is it about?", 700.0), (Line::Maria3, "Thank you, goodbye.", 900.0)];
    let answer = |(line, words, hz): (Line, &str, f64)| {
        hearing(Exchange::new(line.words(), Speech::tone(words, hz, Duration::from_millis(1_500))))
    };
    let mut scene = Scene::of(converse(greeting(), exchanges.map(answer).to_vec())).await;
    let ended = scene
        .call([
            Step::WaitAnswer,
            listen(),
            Step::Play(Line::Maria1.samples()),
            listen(),
            Step::Play(Line::Maria3.samples()),
            listen(),
            Step::StopRtp,
            Step::Pause(Duration::from_millis(1_500)),
            Step::HangUp,
        ])
        .await;
    assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp);
    for hz in [GREETING_HZ, 700.0, 900.0] {
        let heard = tone_seconds(ended.report.heard(), hz);
        assert!(heard > 1.0, "{hz} Hz was heard for {heard} s only");
    }

    let session = scene.fake.latest().expect("a session");
    session.look(|log| {
        for line in [Line::Maria1, Line::Maria3] {
            assert!(log.uplink.contains(&line.samples()), "{line:?} has come: {:?}", log.uplink.find(&line.samples()));
        }
        let gap = log.uplink.largest_gap;
        assert!(gap < Duration::from_millis(200), "the caller's audio never stops: {gap:?}");
        let missing = log.uplink.elapsed().saturating_sub(log.uplink.duration());
        assert!(missing < Duration::from_millis(300), "all of it comes, silence too: {missing:?} are missing");
    });

    let wanted = [
        (Speaker::Agent, "Hello, this is Alice's assistant."),
        (Speaker::Caller, Line::Maria1.words()),
        (Speaker::Agent, "Hello Maria, what is it about?"),
        (Speaker::Caller, Line::Maria3.words()),
        (Speaker::Agent, "Thank you, goodbye."),
    ];
    assert_eq!(lines(&ended.turns), wanted, "{:#?}", ended.turns);
    check_times(&ended.turns);
    scene.world.nothing_is_held().await;
}

/// Turns follow each other, and every answer tells how long it took and why.
fn check_times(turns: &[Turn]) {
    for pair in turns.windows(2) {
        assert!(pair[0].started_ms <= pair[0].ended_ms && pair[0].ended_ms <= pair[1].started_ms, "{pair:#?}");
    }
    for answer in turns.iter().filter(|turn| turn.speaker == Speaker::Agent).skip(1) {
        let latency = answer.latency.expect("an answer has a latency");
        assert_eq!(latency.ear_ms + latency.engine_ms + latency.playout_ms, latency.total_ms, "{answer:?}");
        // The service waits for 600 ms of silence before it takes the caller's turn for over.
        assert!((500..1_500).contains(&latency.total_ms), "{answer:?}");
        assert!(latency.engine_ms >= 400 && latency.ear_ms < 200 && latency.playout_ms < 300, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_heard_and_written_down() {
    a_conversation(|exchange| exchange).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_caller_that_come_late_stand_where_they_were_spoken() {
    a_conversation(|exchange| exchange.heard_late(Duration::from_millis(900))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_goodbye_is_heard_to_its_end() {
    let goodbye = Speech::line(Line::Long);
    let farewell = Exchange::new(Line::Maria3.words(), goodbye.clone()).then_end_call();
    let mut scene = Scene::of(converse(greeting(), vec![farewell])).await;
    let steps = [Step::WaitAnswer, listen(), Step::Play(Line::Maria3.samples()), Step::WaitHangUp];
    let Ended { report, cdr, turns, .. } = scene.call(steps).await;
    assert_eq!((report.ending, reason(&cdr)), (Ending::RemoteHungUp, EndReason::AgentEnded));
    assert_eq!(turns.last().map(|turn| turn.text.trim()), Some(goodbye.words()));

    let line = Line::Long.samples();
    let voiced = callie_lab::analysis::segments(&line, 60_000).first().cloned().expect("it speaks");
    let (_, recorded) = scene.world.recording(&cdr);
    for part in [voiced.start..voiced.start + 12_000, voiced.end - 12_000..voiced.end] {
        assert!(contains(&line[part.clone()], report.heard()), "{part:?} of the goodbye was not heard");
        assert!(contains(&line[part.clone()], &recorded), "{part:?} of the goodbye was not recorded");
    }
    let (want, got) = (callie_lab::analysis::voiced_seconds(&line), callie_lab::analysis::voiced_seconds(report.heard()));
    let greeting = tone_seconds(report.heard(), GREETING_HZ);
    assert!((got - greeting - want).abs() < 0.3, "{want} s were said, {got} s were heard, greeting {greeting} s");
    scene.world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_leaves_nothing_behind() {
    let mut scene = Scene::of(converse(Speech::line(Line::Long), Vec::new())).await;
    let call = scene.world.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await;
    call.wait_for(PhoneState::Up, crate::world::PATIENCE).await.expect("answered");
    let speaks = |log: &callie_lab::gemini::SessionLog| log.sent_samples > 48_000;
    scene.fake.wait_latest("the agent speaks", crate::world::PATIENCE, speaks).await.expect("it speaks");
    call.hang_up().await;
    let gone = |fake: &callie_lab::gemini::FakeGemini| fake.live_sockets() == 0;
    scene.fake.wait_until("the socket is closed", Duration::from_secs(1), gone).await.expect("at once");
    assert_eq!(reason(&scene.world.next_record().await), EndReason::RemoteHungUp);
    scene.world.nothing_is_held().await;
}
