//! A caller who says nothing.

use crate::speech::tone_seconds;
use crate::world::{Scene, converse, reason};
use callie_domain::record::EndReason;
use callie_lab::gemini::{Converse, Exchange, FakeGeminiOptions, Script, Speech};
use callie_lab::phone::{Ending, Step};
use std::time::Duration;

pub async fn who_says_nothing_is_asked_then_said_goodbye_to() {
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(1));
    let asked = Exchange::new("", tone("Are you still there?", 700.0));
    let goodbye = Exchange::new("", tone("Goodbye.", 900.0)).then_end_call();
    let texts = vec![("still there".to_owned(), asked), ("Say goodbye".to_owned(), goodbye)];
    let script = Converse { texts, ..converse(tone("Hello.", 500.0), Vec::new()) };
    let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
    let mut scene = Scene::with(options, |config| config.limits.silence_prompt = Duration::from_secs(1)).await;
    let ended = scene.call([Step::WaitAnswer, Step::WaitHangUp]).await;

    assert_eq!((ended.report.ending, reason(&ended.cdr)), (Ending::RemoteHungUp, EndReason::CallerSilent));
    let words: Vec<&str> = ended.turns.iter().map(|turn| turn.text.trim()).collect();
    assert_eq!(words.join(" "), "Hello. Are you still there? Goodbye.");
    for hz in [500.0, 700.0, 900.0] {
        let heard = tone_seconds(ended.report.heard(), hz);
        assert!((0.9..1.1).contains(&heard), "{hz} Hz was heard for {heard} s");
    }
    let prompts = scene.fake.latest().expect("a session").look(|log| log.texts.len());
    assert_eq!(prompts, 3, "the greeting, the question, the goodbye");
    scene.world.nothing_is_held().await;
}
