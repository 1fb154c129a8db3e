//! The first words.

use super::*;

#[test]
fn the_greeting_is_asked_for_in_the_familys_way_and_once_more_after_three_seconds() {
    let mut world = World::new(Family::V25, false);
    world.conversation.start(world.now);
    let first = &world.messages()[0]["clientContent"];
    assert!(first["turns"][0]["parts"][0]["text"].as_str().is_some_and(|text| text.contains("Hello, this is Alice.")));

    let mut world = World::answered();
    world.pass(ms(2_999));
    assert_eq!(world.texts(), [""; 0]);
    world.pass(ms(1));
    let again = world.texts();
    assert!(again.len() == 1 && again[0].contains("Hello, this is Alice."), "{again:?}");
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    world.pass(ms(60_000));
    assert_eq!(world.texts(), [""; 0]);
}

#[test]
fn a_called_side_says_hello_first() {
    let mut world = World::new(Family::V38, true);
    world.conversation.start(world.now);
    world.pass(ms(1_000));
    world.caller_is_loud(ms(20));
    world.heard("Hello?");
    world.pass(ms(600));
    world.content(AUDIO);
    world.pass(ms(7_000));
    assert_eq!(world.texts(), [""; 0], "the model answered the hello");

    let mut world = World::new(Family::V38, true);
    world.conversation.start(world.now);
    world.pass(ms(1_500));
    assert!(world.texts()[0].contains("picked up"));
}

/// Another engine has talked before.
fn taking_over(outbound: bool) -> World {
    let said = |by_agent, text: &str| Utterance { by_agent, text: text.into() };
    let history = vec![said(true, "Hello, this is Alice."), said(false, "A table, please.")];
    World::of(&Brief { greeting: "I am back.".into(), history, ..brief(outbound) }, Family::V38)
}

#[test]
fn who_takes_over_bridges_the_gap_and_does_not_greet() {
    for outbound in [false, true] {
        let mut world = taking_over(outbound);
        assert_eq!(world.conversation.said_so_far().len(), 2);
        world.conversation.start(world.now);
        let texts = world.texts();
        assert!(texts.len() == 1 && texts[0].contains("I am back.") && texts[0].contains("Do not greet"), "{texts:?}");
        world.pass(ms(3_000));
        assert_eq!(world.texts(), [instruction::NUDGE]);
    }
}
