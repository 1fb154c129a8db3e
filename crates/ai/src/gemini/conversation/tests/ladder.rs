//! An answer that does not come: asked again, another session, given up.

use super::*;
use crate::EngineCause;

const EMPTY: &str = r#"{"turnComplete":true}"#;
const SILENCE: &str = r#"{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm","data":"AQACAA=="}}]}}"#;

/// Ends of turns after `heard` words, and how far up they lead: 1 asks again, 2 wants another session.
fn check_empty(words: &str, endings: &[&str], rungs: usize) {
    let mut world = World::talking();
    if !words.is_empty() {
        world.heard(words);
    }
    endings.iter().for_each(|ending| world.content(ending));
    let asked = world.texts().len();
    let wants_renewal = world.conversation.take_renewal().is_some();
    assert_eq!(asked + usize::from(wants_renewal), rungs, "{words} {endings:?}");
    let told = world.events().into_iter().filter(|event| matches!(event, EngineEvent::Notice(_))).count();
    assert_eq!(told, asked, "{endings:?}");
}

#[test]
fn empty_turns_lead_up_the_ladder() {
    const REJECTED: &str = r#"{"turnComplete":true,"turnCompleteReason":"RESPONSE_REJECTED"}"#;
    check_empty("A table, please", &[EMPTY], 1);
    check_empty("A table, please", &[EMPTY, EMPTY], 2);
    check_empty("A table, please", &[SILENCE, EMPTY], 1);
    check_empty("", &[REJECTED, REJECTED], 2);
    check_empty("A table, please", &[EMPTY, AUDIO, EMPTY], 1);
    // A cough is not answered, nor is what the model wants to hear more of, or what it goes on thinking about.
    check_empty("", &[EMPTY], 0);
    check_empty("<noise>", &[EMPTY], 0);
    check_empty("A table", &[r#"{"turnComplete":true,"turnCompleteReason":"NEED_MORE_INPUT"}"#], 0);
    check_empty("A table", &[r#"{"turnComplete":true,"interactionStatus":"IN_PROGRESS"}"#], 0);
    check_empty("A table", &[r#"{"interrupted":true}"#, EMPTY], 0);
}

#[test]
fn who_is_not_answered_is_asked_for_by_name() {
    let mut world = World::talking();
    world.heard("A table, please");
    world.content(EMPTY);
    assert_eq!(world.texts(), [instruction::ANSWER]);
}

#[test]
fn an_empty_greeting_is_asked_for_again_at_once() {
    let mut world = World::answered();
    world.content(EMPTY);
    assert!(world.texts()[0].contains("Hello, this is Alice."));
    world.content(EMPTY);
    assert!(world.conversation.take_renewal().is_some());
}

/// The seconds of silence after which it is asked again, wants another session, and, with that, gives up.
fn check_stall(mut world: World, family: &str, seconds: [u64; 3]) {
    let [nudged, renewed, failed] = seconds;
    world.messages();
    world.events();
    let start = world.now;
    let at = |second: u64| start + Duration::from_secs(second);
    let until = |world: &mut World, second| world.pass(at(second).saturating_duration_since(world.now));
    world.pass(at(nudged) - start - ms(1));
    assert_eq!(world.texts(), [""; 0], "{family}");
    until(&mut world, nudged);
    assert_eq!(world.texts().len(), 1, "{family}");
    assert!(matches!(world.events()[..], [EngineEvent::Notice(_)]));
    world.pass(at(renewed) - world.now - ms(1));
    assert_eq!(world.conversation.take_renewal(), None, "{family}");
    until(&mut world, renewed);
    assert!(world.conversation.take_renewal().is_some(), "{family}");
    world.change_session(true);
    assert_eq!(world.texts().len(), 1, "{family}: the new session is asked");
    assert!(matches!(world.events()[..], [EngineEvent::SessionChanged { resumed: true, .. }]));
    world.pass(at(failed) - world.now - ms(1));
    assert_eq!(world.events(), [], "{family}");
    until(&mut world, failed);
    match &world.events()[..] {
        [EngineEvent::Failed(error)] => assert_eq!(error.cause, EngineCause::Stalled),
        other => panic!("{family}: {other:?}"),
    }
    assert_eq!(world.conversation.deadline(true), None);
    world.content(AUDIO);
    assert_eq!(world.events(), [], "nothing comes after the end");
}

#[test]
fn a_stall_is_asked_about_then_renewed_then_given_up() {
    let due = |family| {
        let mut world = World::new(family, false);
        world.conversation.start(world.now);
        world.content(AUDIO);
        world.content(EMPTY);
        world.heard("Are you open?");
        world
    };
    check_stall(due(Family::V38), "3.8", [4, 8, 12]);
    check_stall(due(Family::V38Thinking), "thinking", [8, 16, 24]);
}

#[test]
fn a_dead_service_is_found_out_soon_after_the_answer() {
    check_stall(World::answered(), "greeting", [3, 7, 11]);
}

/// It has been silent for long when the line asks, so that is its nudge.
#[test]
fn who_does_not_even_ask_whether_somebody_is_there_has_stalled() {
    let mut world = World::talking();
    world.conversation.prompt(Prompt::StillThere, world.now);
    world.pass(ms(3_999));
    assert_eq!(world.conversation.take_renewal(), None);
    world.pass(ms(1));
    assert!(world.conversation.take_renewal().is_some());
    world.change_session(true);
    assert_eq!(world.texts(), [instruction::STILL_THERE], "the new session is asked it too");
}

#[test]
fn a_caller_who_is_not_even_heard_is_answered_in_the_end() {
    let mut world = World::talking();
    world.caller_is_loud(ms(300));
    world.pass(ms(60_000));
    assert_eq!(world.texts(), [""; 0], "a cough");
    (0..40).for_each(|_| world.caller_is_loud(ms(20)));
    world.pass(ms(4_999));
    assert_eq!(world.texts(), [""; 0]);
    world.pass(ms(1));
    assert_eq!(world.texts(), [instruction::NUDGE]);
    world.pass(ms(4_000));
    assert!(world.conversation.take_renewal().is_some());
    world.change_session(true);
    assert_eq!(world.texts(), [instruction::renewal::MISSED]);
}

#[test]
fn silent_audio_is_no_sign_of_life() {
    let mut world = World::talking();
    world.heard("Are you open?");
    for _ in 0..39 {
        world.pass(ms(100));
        world.content(SILENCE);
    }
    assert_eq!(world.texts(), [""; 0]);
    world.pass(ms(100));
    assert_eq!(world.texts(), [instruction::ANSWER]);
    world.content(AUDIO);
    assert_eq!(world.conversation.rung, Rung::Ground);
}

#[test]
fn silence_after_an_answer_is_no_stall() {
    let mut world = World::talking();
    world.heard("Are you open?");
    world.content(AUDIO);
    world.heard(" today");
    world.content(EMPTY);
    world.events();
    world.pass(Duration::from_secs(600));
    assert_eq!((world.events(), world.texts().len()), (vec![], 0));
}

#[test]
fn without_a_session_nobody_is_asked() {
    let mut world = World::talking();
    world.heard("Are you open?");
    assert_eq!(world.conversation.deadline(false), None);
    world.conversation.on_deadline(false, world.now + ms(60_000));
    assert_eq!(world.texts(), [""; 0]);
    world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
    assert!(world.conversation.deadline(false).is_some(), "but the call can end");
}

#[test]
fn prompts_and_keys_are_told_as_texts() {
    let mut world = World::talking();
    world.conversation.prompt(Prompt::StillThere, world.now);
    world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
    world.conversation.dtmf('5', true);
    world.conversation.dtmf('\u{7}', true);
    assert_eq!(world.texts(), [instruction::STILL_THERE, instruction::SILENCE_GOODBYE, "(The caller pressed 5.)"]);
}
