//! Conversations that go well: what each side hears, and what is written down of it.

use crate::speech::tone_seconds;
use crate::uplink::{Pulse, never_paused};
use crate::world::{Scene, converse, lines, listen, reason};
use callie_domain::record::{CallFact, EndReason, Speaker, Turn};
use callie_lab::gemini::{Exchange, Speech};
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use std::time::Duration;

const GREETING_HZ: f64 = 500.0;

fn greeting() -> Speech {
    Speech::tone("Hello, this is Alice's assistant.", GREETING_HZ, Duration::from_millis(1_200))
}

async fn a_conversation(hearing: impl Fn(Exchange) -> Exchange) {
    let exchanges = [(Line::Maria1, "Hello Maria, what is it about?", 700.0), (Line::Maria3, "Thank you, goodbye.", 900.0)];
    let answer = |(line, words, hz): (Line, &str, f64)| {
        hearing(Exchange::new(line.words(), Speech::tone(words, hz, Duration::from_millis(1_500))))
    };
    let mut scene = Scene::of(converse(greeting(), exchanges.map(answer).to_vec())).await;
    let pulse = Pulse::start();
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
    });

    never_paused(&scene, &pulse);

    let wanted = [
        (Speaker::Agent, "Hello, this is Alice's assistant."),
        (Speaker::Caller, Line::Maria1.words()),
        (Speaker::Agent, "Hello Maria, what is it about?"),
        (Speaker::Caller, Line::Maria3.words()),
        (Speaker::Agent, "Thank you, goodbye."),
    ];
    assert_eq!(lines(&ended.turns), wanted, "{:#?}", ended.turns);
    check_times(&ended.turns);
    check_usage(&ended.facts);
    scene.world.nothing_is_held().await;
}

/// What the service charges for is kept after each turn, summed.
fn check_usage(facts: &[CallFact]) {
    let usage = |fact: &CallFact| match *fact {
        CallFact::EngineUsage { tokens } => Some([tokens.input_tokens, tokens.output_tokens, tokens.total_tokens]),
        _ => None,
    };
    let sums: Vec<[u64; 3]> = facts.iter().filter_map(usage).collect();
    // The whole context is charged for with every turn, and the service's grows by 50 tokens; of speech, 25 tokens are a second.
    assert_eq!(sums.iter().map(|sum| sum[0]).collect::<Vec<_>>(), [350, 350 + 400, 350 + 400 + 450]);
    assert_eq!(sums.iter().map(|sum| sum[1]).collect::<Vec<_>>(), [30, 30 + 37, 30 + 37 + 37]);
    assert!(sums.iter().all(|[input, output, total]| *total >= input + output), "{sums:?}");
}

/// Turns follow each other, and every answer tells how long it took and why.
fn check_times(turns: &[Turn]) {
    for pair in turns.windows(2) {
        assert!(pair[0].started_ms <= pair[0].ended_ms && pair[0].ended_ms <= pair[1].started_ms, "{pair:#?}");
    }
    for answer in turns.iter().filter(|turn| turn.speaker == Speaker::Agent).skip(1) {
        let latency = answer.latency.expect("an answer has a latency");
        assert_eq!(latency.ear_ms + latency.uplink_ms + latency.engine_ms + latency.playout_ms, latency.total_ms, "{answer:?}");
        // The service waits for 600 ms of silence before it takes the caller's turn for over.
        assert!((500..1_500).contains(&latency.total_ms), "{answer:?}");
        // The line hands over as much as a message holds, and the socket takes it at once.
        assert!(latency.uplink_ms < 100, "{answer:?}");
        assert!(latency.engine_ms >= 400 && latency.ear_ms < 200 && latency.playout_ms < 300, "{answer:?}");
    }
}

pub async fn a_conversation_is_heard_and_written_down() {
    a_conversation(|exchange| exchange).await;
}

pub async fn words_of_the_caller_that_come_late_stand_where_they_were_spoken() {
    a_conversation(|exchange| exchange.heard_late(Duration::from_millis(900))).await;
}
