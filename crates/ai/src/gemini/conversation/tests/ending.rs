//! Goodbyes.

use super::*;

/// What happens after the greeting, and how long after it Goodbye comes.
fn check_goodbye(happens: fn(&mut World), expected: Option<u64>) {
    let mut world = World::talking();
    let start = world.now;
    happens(&mut world);
    let goodbye_after = (0..20_000).step_by(100).find(|_| {
        let is_goodbye = world.events().contains(&EngineEvent::Goodbye);
        if !is_goodbye {
            world.pass(ms(100));
        }
        is_goodbye
    });
    assert_eq!(goodbye_after.map(|_| (world.now - start).as_millis() as u64), expected);
    world.content(AUDIO);
    assert_eq!(world.events().contains(&audio()), expected.is_none(), "after the goodbye nothing is played");
}

#[test]
fn goodbye_comes_once_the_last_words_are_here() {
    // Goodbye, then the tool, then an empty rest of the turn.
    check_goodbye(
        |world| {
            world.content(AUDIO);
            world.call("end_call");
            world.content(r#"{"turnComplete":true}"#);
        },
        Some(0),
    );
    // The tool first, then the goodbye; what counts is that all of it is here, not that it has been spoken.
    check_goodbye(
        |world| {
            world.call("end_call");
            world.pass(ms(500));
            world.content(AUDIO);
            assert!(!world.events().contains(&EngineEvent::Goodbye));
            world.content(r#"{"generationComplete":true}"#);
        },
        Some(500),
    );
    // The tool, and then nothing.
    check_goodbye(|world| world.call("end_call"), Some(3_000));
    // The caller's own bye over it changes nothing, and cuts nothing.
    check_goodbye(
        |world| {
            world.call("end_call");
            world.content(AUDIO);
            world.content(r#"{"interrupted":true}"#);
            let events = world.conversation.events.clone();
            assert!(!events.contains(&EngineEvent::Interrupted), "{events:?}");
        },
        Some(0),
    );
    // The line asks for it, and the model says it without the tool.
    check_goodbye(
        |world| {
            world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
            world.content(AUDIO);
            world.content(r#"{"turnComplete":true}"#);
        },
        Some(0),
    );
    // The line asks for it, and the model says nothing.
    check_goodbye(|world| world.conversation.prompt(Prompt::SilenceGoodbye, world.now), Some(10_000));
    // The caller is back.
    check_goodbye(
        |world| {
            world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
            world.heard("I am here");
            world.content(AUDIO);
            world.content(r#"{"turnComplete":true}"#);
        },
        None,
    );
}

#[test]
fn more_to_come_is_not_the_end() {
    let mut world = World::talking();
    world.call("end_call");
    world.content(r#"{"turnComplete":true,"interactionStatus":"IN_PROGRESS"}"#);
    assert!(!world.events().contains(&EngineEvent::Goodbye));
    world.content(r#"{"turnComplete":true,"interactionStatus":"IDLE"}"#);
    assert!(world.events().contains(&EngineEvent::Goodbye));
}
