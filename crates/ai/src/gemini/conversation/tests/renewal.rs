//! Another session takes over: what it is told.

use super::*;

/// What the next session is asked, after `happens` since the greeting.
fn asked(happens: impl FnOnce(&mut World), resumed: bool) -> Vec<Value> {
    let mut world = World::talking();
    world.conversation.is_remembered();
    happens(&mut world);
    world.messages();
    world.change_session(resumed);
    world.messages()
}

fn text(message: &Value) -> &str {
    message["realtimeInput"]["text"].as_str().unwrap_or_default()
}

#[test]
fn who_is_owed_nothing_is_told_nothing() {
    for resumed in [true, false] {
        assert_eq!(asked(|_| (), resumed), [Value::Null; 0]);
        // Answered, and the handle knows of it.
        let answered = |world: &mut World| {
            world.heard("Are you open?");
            world.content(AUDIO);
            world.content(r#"{"generationComplete":true}"#);
            world.content(r#"{"turnComplete":true}"#);
            world.conversation.is_remembered();
        };
        assert_eq!(asked(answered, resumed), [Value::Null; 0]);
    }
}

#[test]
fn a_caller_who_waits_is_answered() {
    let messages = asked(|world| world.heard("A table for two"), true);
    assert!(messages.len() == 1 && text(&messages[0]).contains("\"A table for two\". Answer"), "{messages:?}");
    // What the line asked goes before.
    let messages = asked(|world| world.conversation.prompt(Prompt::StillThere, world.now), true);
    assert!(messages.len() == 1 && text(&messages[0]) == instruction::STILL_THERE, "{messages:?}");
}

#[test]
fn an_answer_that_was_cut_off_is_gone_on_with() {
    let cut_off = |world: &mut World| {
        world.heard("What does it cost?");
        world.content(AUDIO);
        world.content(r#"{"outputTranscription":{"text":"It costs"}}"#);
    };
    let messages = asked(cut_off, true);
    assert_eq!(messages.len(), 2);
    let turns = messages[0]["clientContent"]["turns"].as_array().expect("what the handle does not know of");
    assert_eq!(
        (&turns[0]["parts"][0]["text"], &turns[1]["parts"][0]["text"]),
        (&json!("What does it cost?"), &json!("It costs"))
    );
    assert!(text(&messages[1]).contains("has heard: \"It costs\". Go on"), "{messages:?}");
    // A session without the context has been told all of it already.
    assert_eq!(asked(cut_off, false).len(), 1);
    // All of it was here: it is played to its end, and nothing is owed.
    let whole = |world: &mut World| {
        cut_off(world);
        world.content(r#"{"generationComplete":true}"#);
    };
    assert_eq!(asked(whole, false), [Value::Null; 0]);
}

#[test]
fn a_tool_is_not_used_twice() {
    let used = |world: &mut World| {
        world.heard("What time is it?");
        world.call("current_time");
    };
    let messages = asked(used, true);
    assert_eq!(messages[0]["clientContent"]["turns"][0]["parts"][0]["text"], "What time is it?");
    assert!(text(&messages[1]).contains("already used the tool current_time"), "{messages:?}");
    assert!(messages.iter().all(|message| message.get("toolResponse").is_none()), "nobody there has asked");
}

#[test]
fn a_greeting_is_asked_for_again_only_while_nothing_of_it_was_heard() {
    let mut world = World::answered();
    world.change_session(false);
    let texts = world.texts();
    assert!(texts.len() == 1 && texts[0].contains("Greet the other side now"), "{texts:?}");
    world.content(AUDIO);
    world.change_session(true);
    let texts = world.texts();
    assert!(texts.len() == 1 && texts[0].contains("Go on from there") && !texts[0].contains("Greet"), "{texts:?}");

    // Before the call is answered nothing is asked for.
    let mut world = World::new(Family::V38, false);
    world.change_session(false);
    assert_eq!(world.texts(), [""; 0]);
    world.conversation.start(world.now);
    assert_eq!(world.texts().len(), 1);
}

#[test]
fn old_audio_is_not_waited_for_and_the_turn_is_closed() {
    let mut world = World::talking();
    world.content(AUDIO);
    world.content(r#"{"interrupted":true}"#);
    world.events();
    world.change_session(true);
    world.content(AUDIO);
    let change = EngineEvent::SessionChanged { reason: "broken".into(), resumed: true };
    assert_eq!(world.events(), [change.clone(), audio()], "the interrupted turn was the other session's");
    world.change_session(true);
    assert_eq!(world.events(), [change, EngineEvent::TurnComplete], "what is here of it is all there is");
}

#[test]
fn keys_pressed_meanwhile_are_told() {
    let mut world = World::talking();
    world.conversation.dtmf('4', false);
    world.conversation.dtmf('2', false);
    world.messages();
    world.change_session(true);
    assert_eq!(world.texts(), ["(The caller pressed 4.) (The caller pressed 2.)"]);
}

#[test]
fn a_goodbye_needs_no_other_session() {
    let mut world = World::talking();
    assert!(!world.conversation.ends_without_service());
    world.content(AUDIO);
    world.call("end_call");
    world.events();
    assert!(world.conversation.ends_without_service());
    assert_eq!(world.events(), [EngineEvent::Goodbye]);
    assert!(world.conversation.ends_without_service());
    assert_eq!(world.events(), [], "once");
}

#[test]
fn rest_is_when_nobody_speaks_or_is_to_speak() {
    let mut world = World::new(Family::V38, false);
    assert!(world.conversation.is_at_rest());
    world.conversation.start(world.now);
    assert!(!world.conversation.is_at_rest(), "the greeting is to come");
    world.content(AUDIO);
    assert!(!world.conversation.is_at_rest());
    world.content(r#"{"generationComplete":true}"#);
    assert!(world.conversation.is_at_rest());
    world.content(r#"{"turnComplete":true}"#);
    world.heard("Hm");
    assert!(!world.conversation.is_at_rest(), "an answer is due");
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    assert!(world.conversation.is_at_rest());
    world.call("end_call");
    assert!(!world.conversation.is_at_rest(), "goodbye");
}
