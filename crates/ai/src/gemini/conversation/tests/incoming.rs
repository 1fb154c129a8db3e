//! What the service sends, and what becomes of it.

use super::*;
use crate::Usage;

/// Frames of `serverContent` after the greeting, and the events they make.
fn check(contents: &[&str], expected: &[EngineEvent]) {
    let mut world = World::talking();
    contents.iter().for_each(|content| world.content(content));
    assert_eq!(world.events(), expected, "{contents:?}");
}

#[test]
fn contents_become_events_in_order() {
    let complete = EngineEvent::TurnComplete;
    let two_parts = r#"{"modelTurn":{"parts":[
        {"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"QB/A4A=="}}, {"text":"a thought","thought":true},
        {"inlineData":{"mimeType":"audio/pcm","data":"QB/A4A=="}}]},
        "outputTranscription":{"text":"Good "},"inputTranscription":{"text":"Hi"},"turnComplete":true}"#;
    check(&[two_parts], &[audio(), audio(), said("Good "), heard("Hi"), complete.clone()]);
    check(&[AUDIO, r#"{"generationComplete":true}"#, r#"{"turnComplete":true}"#], &[audio(), complete.clone()]);
    check(
        &[AUDIO, r#"{"generationComplete":true}"#, AUDIO, r#"{"turnComplete":true}"#],
        &[audio(), complete.clone(), audio(), complete],
    );
    check(&[r#"{"inputTranscription":{"text":"<noise>"}}"#, r#"{"interimInputTranscription":{"text":"bo"}}"#], &[]);
    check(&[r#"{"modelTurn":{"parts":[{"text":"only thoughts","thought":true}]}}"#, r#"{"generationComplete":true}"#], &[]);
}

#[test]
fn an_interrupted_turn_is_cut_at_once_and_its_late_audio_dropped() {
    let interrupted = || EngineEvent::Interrupted;
    let late_words = r#"{"outputTranscription":{"text":"unheard"}}"#;
    // The end of the turn ends it …
    check(
        &[AUDIO, r#"{"interrupted":true}"#, AUDIO, late_words, r#"{"turnComplete":true}"#, AUDIO],
        &[audio(), interrupted(), audio()],
    );
    // … also when all of it is in one message, …
    check(
        &[&AUDIO.replace("{\"modelTurn", "{\"interrupted\":true,\"turnComplete\":true,\"modelTurn"), AUDIO],
        &[interrupted(), audio()],
    );
    // … and when it is missing a second does.
    let mut world = World::talking();
    world.content(r#"{"interrupted":true}"#);
    world.pass(ms(999));
    world.content(AUDIO);
    assert_eq!(world.events(), [interrupted()]);
    world.pass(ms(1));
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    assert_eq!(world.events(), [audio(), EngineEvent::TurnComplete]);
}

const SILENCE: &str = r#"{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm","data":"AQACAA=="}}]}}"#;

#[test]
fn silence_is_played_within_speech_only() {
    let silence = EngineEvent::Audio(vec![1, 2]);
    let complete = r#"{"turnComplete":true}"#;
    check(&[SILENCE, AUDIO, SILENCE, AUDIO, complete, SILENCE], &[audio(), silence, audio(), EngineEvent::TurnComplete]);
}

#[test]
fn usage_is_told_and_news_of_the_session_are_handed_on() {
    let mut world = World::talking();
    let news = world.frame(
        r#"{"usageMetadata":{"promptTokenCount":10,"responseTokenCount":5,"totalTokenCount":15},
            "sessionResumptionUpdate":{"newHandle":"h-1","resumable":true},"goAway":{"timeLeft":"50s\r\n"}}"#,
    );
    let usage = Usage { input_tokens: 10, output_tokens: 5, total_tokens: 15, ..Usage::default() };
    let notice = EngineEvent::Notice("the service will end this session in 50 s".into());
    assert_eq!(world.events(), [EngineEvent::Usage(usage), notice]);
    let time_left = Some(Duration::from_secs(50));
    assert_eq!(news, News { handle: Some("h-1".into()), time_left, ..News::default() });
    for nothing in [r#"{"sessionResumptionUpdate":{}}"#, r#"{"sessionResumptionUpdate":{"newHandle":"h-2","resumable":false}}"#] {
        assert_eq!(world.frame(nothing), News::default());
    }
}

#[test]
fn what_the_context_holds_is_told_from_what_it_does_not() {
    let mut world = World::talking();
    let content = |content: &str| format!(r#"{{"serverContent":{content}}}"#);
    let answer = News { has_content: true, is_answer: true, ..News::default() };
    let sound = News { is_sound: true, ..News::default() };
    let tool = r#"{"toolCall":{"functionCalls":[{"id":"a","name":"current_time"}]}}"#.to_owned();
    for (frame, news) in [
        (content(AUDIO), answer.clone()),
        (content(r#"{"turnComplete":true}"#), sound),
        (content(r#"{"turnComplete":true}"#), News::default()),
        (content(r#"{"inputTranscription":{"text":"Hi"}}"#), News::default()),
        (content(r#"{"interrupted":true}"#), News { has_content: true, ..News::default() }),
        (tool, answer),
        (r#"{"usageMetadata":{"totalTokenCount":1}}"#.to_owned(), News::default()),
    ] {
        assert_eq!(world.frame(&frame), news, "{frame}");
    }
}

#[test]
fn junk_is_counted_told_once_and_survived() {
    let mut world = World::talking();
    for _ in 0..3 {
        world.frame(r#"{"ofNextYear": {}}"#);
        world.frame("nonsense");
        world.frame(b"\xff\x00");
        world.content(r#"{"interrupted":"perhaps","outputTranscription":{"text":"Yes."}}"#);
        world.content(&AUDIO.replace("24000", "44100"));
        world.content(&AUDIO.replace("QB/A4A==", "?"));
    }
    let (notices, others): (Vec<_>, Vec<_>) =
        world.events().into_iter().partition(|event| matches!(event, EngineEvent::Notice(_)));
    assert_eq!((notices.len(), others), (3, vec![said("Yes."), said("Yes."), said("Yes.")]));
    let oddities = &world.conversation.oddities;
    assert_eq!((oddities.junk, oddities.unreadable, oddities.unknown, oddities.audio_faults), (6, 3, 3, 6));
}

proptest::proptest! {
    #[test]
    fn no_frame_makes_it_panic(frame in r#"\{"(serverContent|toolCall|goAway|usageMetadata|setupComplete)":[ -~]{0,60}\}"#) {
        World::talking().frame(frame);
    }
}
