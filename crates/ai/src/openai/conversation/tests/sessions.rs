//! One conversation in several sessions.

use super::*;

fn changed(world: &mut World) -> Option<(String, bool)> {
    let change = |event| match event {
        EngineEvent::SessionChanged { reason, resumed } => Some((reason, resumed)),
        _ => None,
    };
    world.events().into_iter().find_map(change)
}

/// A conversation of one exchange.
fn talked() -> World {
    let mut world = World::asked();
    world.transcribed("u1", "A table for two.");
    world.words("r1", "a1", "At what time? ");
    world.speaks("r1", "a1", 1_000);
    world.event(json!({"type": "response.output_audio.done", "response_id": "r1", "item_id": "a1"}));
    world.done("r1", "completed");
    world.conversation.playout_drained();
    world.events();
    world.messages();
    world
}

#[test]
fn a_lost_session_is_replaced_and_told_what_was_said() {
    let mut world = talked();
    world.loses_its_link();
    world.reconnects();
    let messages = world.messages();
    assert_eq!(texts(&messages), ["A table for two.", "At what time?"]);
    assert_eq!(kinds(&messages).len(), 2, "nothing is owed, and nobody is greeted");
    let reason = EngineError::new(EngineCause::ConnectionLost, "closed with 1006").to_string();
    assert_eq!(changed(&mut world), Some((reason, false)));
    world.pass(60 * SECOND);
    assert_eq!(world.messages(), [] as [Value; 0]);
}

#[test]
fn an_answer_that_was_owed_is_asked_for_again() {
    let mut world = World::asked();
    world.transcribed("u1", "A table for two.");
    world.loses_its_link();
    world.pass(SECOND);
    world.reconnects();
    let messages = world.messages();
    assert_eq!((texts(&messages), kinds(&messages).last()), (vec!["A table for two."], Some(&"response.create")));
}

#[test]
fn lost_words_are_asked_for() {
    let mut world = World::asked();
    world.loses_its_link();
    world.reconnects();
    let messages = world.messages();
    assert!(texts(&messages)[0].contains("last words were lost"));
    assert_eq!(kinds(&messages).last(), Some(&"response.create"));
}

#[test]
fn an_answer_that_broke_off_is_gone_on_with() {
    let mut world = World::asked();
    world.transcribed("u1", "A table for two.");
    world.words("r1", "a1", "We have a table at eight and another one at half past nine. ");
    world.speaks("r1", "a1", 1_300);
    world.loses_its_link();
    assert!(world.events().contains(&EngineEvent::TurnComplete), "what is there is played");
    world.reconnects();
    let messages = world.messages();
    assert_eq!(texts(&messages)[..2], ["A table for two.", "We have a table at …"]);
    assert!(texts(&messages)[2].contains("Go on from where you were cut off"));
}

#[test]
fn a_greeting_is_said_once_and_once_only() {
    let mut world = World::answered();
    world.loses_its_link();
    world.reconnects();
    let messages = world.messages();
    assert!(messages[0]["response"]["instructions"].as_str().is_some_and(|text| text.contains("Hello, this is Alice.")));
    world.speaks("r0", "a0", 900);
    world.done("r0", "completed");
    world.conversation.playout_drained();
    world.loses_its_link();
    world.reconnects();
    assert!(!world.messages().iter().any(|message| message.to_string().contains("Greet")));
}

#[test]
fn a_session_that_is_lost_before_the_line_is_open_costs_nothing() {
    let mut world = World::of("openai", &brief());
    world.loses_its_link();
    world.conversation.start(world.now);
    assert_eq!(world.messages(), [] as [Value; 0]);
    world.reconnects();
    assert_eq!(kinds(&world.messages()), ["response.create"]);
}

#[test]
fn what_the_line_wants_said_meanwhile_is_said_afterwards() {
    let mut world = talked();
    world.loses_its_link();
    world.conversation.dtmf('7', world.now);
    world.conversation.prompt(Prompt::TransferFailed { target: "sales".into(), reason: "busy".into() }, world.now);
    world.pass(2 * SECOND);
    assert_eq!(world.messages(), [] as [Value; 0]);
    world.reconnects();
    let messages = world.messages();
    assert!(texts(&messages).iter().any(|text| text.contains("could not be connected")), "{messages:?}");
    assert!(texts(&messages).contains(&"(The caller pressed 7.)"));
}

#[test]
fn a_session_whose_time_is_nearly_over_is_replaced_when_nobody_speaks() {
    let mut world = talked();
    world.pass(3_600 * SECOND - 170 * SECOND);
    assert_eq!(world.step(), Some(LinkStep::Connect));
    world.caller_speaks("u2", "a1");
    world.conversation.link_is_ready();
    assert_eq!(world.step(), None, "an answer is due");
    world.transcribed("u2", "At eight.");
    world.speaks("r2", "a2", 1_000);
    world.done("r2", "completed");
    assert_eq!(world.step(), None, "it is being played");
    world.conversation.playout_drained();
    world.conversation.caller_is_loud(ms(20), world.now);
    assert_eq!(world.step(), None, "somebody is heard");
    world.now += SECOND;
    world.events();
    world.messages();
    assert_eq!(world.step(), Some(LinkStep::Switch));
    world.conversation.switched(Some(3_600 * SECOND), world.now);
    assert_eq!(changed(&mut world), Some(("its time is nearly over".into(), false)));
    let messages = world.messages();
    assert_eq!(kinds(&messages).iter().filter(|kind| **kind == "response.create").count(), 0);
    assert_eq!(texts(&messages)[..2], ["A table for two.", "At what time?"]);
}

#[test]
fn a_session_that_expires_in_the_middle_of_a_sentence_is_replaced_at_once() {
    let mut world = World::asked();
    world.error("invalid_request_error", "session_expired", "");
    assert_eq!(world.step(), Some(LinkStep::Leave));
    world.reconnects();
    assert!(changed(&mut world).is_some_and(|(reason, _)| reason.starts_with("session_expired")));
}

#[test]
fn what_cannot_be_had_again_is_not_asked_for_for_ever() {
    let mut world = talked();
    world.loses_its_link();
    assert_eq!(world.step(), Some(LinkStep::Connect));
    world.conversation.link_failed(EngineError::new(EngineCause::KeyRefused, "HTTP 401"), false, world.now);
    assert_eq!(cause(&world.events()), Some(EngineCause::KeyRefused));

    let mut world = talked();
    world.loses_its_link();
    let mut tries = 0;
    while !world.conversation.is_over() {
        if world.step() == Some(LinkStep::Connect) {
            tries += 1;
            world.conversation.link_failed(EngineError::new(EngineCause::Unreachable, "refused"), true, world.now);
        }
        world.now += ms(100);
    }
    assert!((5..20).contains(&tries), "{tries}");
    assert_eq!(cause(&world.events()), Some(EngineCause::ConnectionLost), "the first cause tells the most");
}

#[test]
fn a_successor_that_is_refused_does_not_end_what_still_works() {
    let mut world = talked();
    world.pass(3_600 * SECOND - 170 * SECOND);
    assert_eq!(world.step(), Some(LinkStep::Connect));
    world.conversation.link_failed(EngineError::new(EngineCause::QuotaExceeded, "HTTP 429"), false, world.now);
    assert!(world.notices()[0].contains("no other session"));
    assert!(!world.conversation.is_over());
}

#[test]
fn a_dialect_without_items_is_told_by_its_instructions() {
    let history = vec![Utterance { by_agent: false, text: "A table for two.".into() }];
    let mut world = World::of("qwen", &Brief { history, ..brief() });
    let messages = world.messages();
    assert_eq!(kinds(&messages), ["session.update"]);
    let instructions = messages[0]["session"]["instructions"].as_str().expect("instructions");
    assert!(instructions.starts_with("You answer the phone.") && instructions.ends_with("The other side: A table for two."));
}

#[test]
fn old_audio_that_is_cut_off_after_the_change_is_none_of_the_new_session() {
    let mut world = World::asked();
    world.words("r1", "a1", "One two three four five six. ");
    world.speaks("r1", "a1", 2_000);
    world.loses_its_link();
    world.reconnects();
    world.messages();
    world.event(json!({"type": "input_audio_buffer.speech_started", "item_id": "u2"}));
    assert!(world.events().contains(&EngineEvent::Interrupted));
    world.conversation.cut_off(ms(500), world.now);
    assert_eq!(world.messages(), [] as [Value; 0]);
}

/// Whatever fits into an hour: six sessions, no turn lost, nobody greeted twice.
#[test]
fn an_hour_in_six_sessions() {
    let mut world = World::answered();
    world.speaks("r", "a", 500);
    world.done("r", "completed");
    world.conversation.playout_drained();
    world.messages();
    let mut told = Vec::new();
    for session in 0..6 {
        for turn in 0..10 {
            let (user, agent, response) =
                (format!("u{session}.{turn}"), format!("a{session}.{turn}"), format!("r{session}.{turn}"));
            world.caller_speaks(&user, "");
            world.transcribed(&user, &format!("question {session}.{turn}"));
            world.words(&response, &agent, &format!("answer {session}.{turn} "));
            world.speaks(&response, &agent, 1_500);
            world.done(&response, "completed");
            world.conversation.playout_drained();
            world.now += 60 * SECOND;
            told.push(format!("question {session}.{turn}"));
            told.push(format!("answer {session}.{turn}"));
        }
        assert!(!world.messages().iter().any(|message| message.to_string().contains("Greet")));
        world.loses_its_link();
        world.reconnects();
        let messages = world.messages();
        let expected: Vec<&str> = told.iter().map(String::as_str).collect();
        assert_eq!(texts(&messages), expected, "session {session}");
    }
}
