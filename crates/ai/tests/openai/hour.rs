//! A call of more than an hour, over seven sessions: nobody notices.

use crate::caller::{Caller, brief, ms, options, script, tone};
use callie_ai::OpenAiOptions;
use callie_lab::analysis::is_voiced;
use callie_lab::openai::{Converse, Exchange, FakeOpenAi, FakeOpenAiOptions, Side, Speech};
use std::time::Duration;
use tokio::time::Instant;

const MINUTES: u64 = 65;
const SESSION: Duration = Duration::from_secs(800);
/// Different words for so many exchanges in a row; then they begin again.
const WORDS: usize = 17;
/// The silence that ends a turn, and a little.
const WELL: Duration = Duration::from_millis(600);
/// What an answer may take longer than that, and be silent in its middle.
const GAP: Duration = Duration::from_millis(300);
/// Some answer at once and leave no quiet moment.
const PAUSES_MS: [u64; 5] = [250, 400, 3_000, 150, 300];

fn answer(index: usize) -> Speech {
    tone(&format!("Answer {}.", index % WORDS), 700.0, 700 + 150 * (index % WORDS) as u64)
}

#[tokio::test(start_paused = true)]
async fn sixty_five_minutes_cross_six_sessions_and_nobody_notices() {
    let exchanges = (0..1_000).map(|index| Exchange::new(&format!("question {index}"), answer(index))).collect();
    let script = Converse { exchanges, ..script(&[]) };
    let options_of_fake = FakeOpenAiOptions { script, session_life: SESSION, ..FakeOpenAiOptions::default() };
    let fake = FakeOpenAi::start(options_of_fake).await.expect("a free port");
    let ours = OpenAiOptions { session_life: Some(SESSION), uplink_ms: 100, ..options(&fake) };
    let mut caller = Caller::with(ours, brief()).await.expect("a session").in_frames_of(ms(100));
    caller.session.start();
    caller.until("the greeting was heard", |caller| caller.voiced() > ms(600) && caller.is_quiet()).await;
    let begun = Instant::now();
    let question: Vec<i16> = (0..10_080).map(|sample| if sample % 16 < 8 { 3_000 } else { -3_000 }).collect();

    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(MINUTES * 60) {
        caller.passes(ms(PAUSES_MS[asked % PAUSES_MS.len()])).await;
        caller.say_samples(&question);
        caller.until("the question is over", Caller::is_quiet).await;
        caller.heard.clear();
        caller.until("the answer ends", |caller| caller.is_quiet() && caller.voiced() > Duration::ZERO).await;
        let frames: Vec<bool> = caller.heard.chunks(160).map(is_voiced).collect();
        let (first, last) =
            frames.iter().position(|voiced| *voiced).zip(frames.iter().rposition(|voiced| *voiced)).expect("heard");
        let took = ms(20 * first as u64);
        assert!(took <= WELL + GAP, "question {asked} after {:?}: {took:?}", begun.elapsed());
        let silent = frames[first..=last].iter().filter(|voiced| !**voiced).count();
        assert!(ms(20 * silent as u64) <= GAP, "{silent} silent frames within answer {asked}");
        asked += 1;
    }

    assert_eq!(caller.changes(), 6, "{:#?}", caller.notices());
    let expected: String = (0..asked).map(|index| format!("Answer {}.", index % WORDS)).collect();
    assert_eq!(
        caller.said(),
        format!("Hello, this is Alice.{expected}"),
        "no turn was lost, none repeated, nobody greeted twice"
    );
    let heard: Vec<String> = (0..asked).map(|index| format!("question {index}")).collect();
    assert_eq!(caller.words_heard(), heard);
    assert_eq!((caller.failure(), caller.notices()), (None, vec![]));
    for session in fake.sessions() {
        session.look(|log| {
            assert!(log.uplink.largest_gap < GAP, "{:?} without the caller's voice", log.uplink.largest_gap);
            let left_by_us = log.closed.as_ref().is_none_or(|closed| closed.by == Side::Client);
            assert!(left_by_us && log.errors().is_empty(), "{:?}", log.errors());
        });
    }
}
