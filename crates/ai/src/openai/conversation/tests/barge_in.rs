//! The caller speaks over the agent.

use super::*;

fn truncations(messages: &[Value]) -> Vec<(&str, u64)> {
    let truncations = messages.iter().filter(|message| message["type"] == "conversation.item.truncate");
    truncations.filter_map(|message| Some((message["item_id"].as_str()?, message["audio_end_ms"].as_u64()?))).collect()
}

fn speech_starts(world: &mut World) {
    world.event(json!({"type": "input_audio_buffer.speech_started", "item_id": "u9"}));
}

/// As the bridge does it.
fn bridge_flushes(world: &mut World, played: u64) {
    world.conversation.cut_off(ms(played), world.now);
    world.conversation.playout_drained();
}

#[test]
fn speech_over_a_response_interrupts_and_only_what_was_heard_stays() {
    let mut world = World::asked();
    world.words("r1", "a1", "One two three four five six seven eight nine ten. ");
    world.speaks("r1", "a1", 3_000);
    world.events();
    speech_starts(&mut world);
    assert_eq!(world.events(), [EngineEvent::Interrupted]);
    bridge_flushes(&mut world, 1_240);
    let messages = world.messages();
    assert_eq!(kinds(&messages), ["conversation.item.truncate"], "the service cancels by itself");
    assert_eq!(truncations(&messages), [("a1", 1_240)]);
    assert_eq!(messages[0]["content_index"], 0);
    assert_eq!(world.conversation.items.so_far(|samples| samples / 8), [Item::Agent("One two three four …".into())]);
}

#[test]
fn late_deltas_of_the_cut_response_are_dropped_and_the_next_one_is_heard() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 500);
    speech_starts(&mut world);
    bridge_flushes(&mut world, 200);
    world.events();
    world.delta("r1", "a1", 500);
    world.words("r1", "a1", "never heard");
    world.done("r1", "cancelled");
    world.delta("r1", "a1", 500);
    assert_eq!(world.events(), []);
    assert_eq!(truncations(&world.messages()), [("a1", 200)], "once");
    world.event(json!({"type": "input_audio_buffer.speech_stopped", "item_id": "u9"}));
    world.speaks("r2", "a2", 100);
    assert_eq!(world.events(), [audio(100)]);
}

#[test]
fn a_response_that_is_over_and_still_played_is_cut_too() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 4_000);
    world.done("r1", "completed");
    world.events();
    world.pass(SECOND);
    speech_starts(&mut world);
    assert_eq!(world.events(), [EngineEvent::Interrupted]);
    bridge_flushes(&mut world, 940);
    assert_eq!(truncations(&world.messages()), [("a1", 940)]);
}

#[test]
fn what_was_heard_to_its_end_is_not_truncated() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 1_000);
    world.done("r1", "completed");
    world.conversation.playout_drained();
    world.events();
    speech_starts(&mut world);
    assert_eq!((world.events(), world.messages()), (vec![], vec![]), "nothing was interrupted");

    let mut world = World::asked();
    world.speaks("r1", "a1", 1_000);
    world.done("r1", "completed");
    speech_starts(&mut world);
    bridge_flushes(&mut world, 5_000);
    assert_eq!(world.messages(), [] as [Value; 0], "more than there is cannot have been played");
}

#[test]
fn an_item_is_counted_from_its_beginning_even_if_its_first_half_was_played_before() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 1_000);
    world.conversation.playout_drained();
    world.delta("r1", "a1", 1_000);
    speech_starts(&mut world);
    bridge_flushes(&mut world, 300);
    assert_eq!(truncations(&world.messages()), [("a1", 1_300)]);
}

#[test]
fn items_that_were_never_reached_are_cut_at_nothing() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 1_000);
    world.delta("r1", "a2", 1_000);
    speech_starts(&mut world);
    bridge_flushes(&mut world, 400);
    assert_eq!(truncations(&world.messages()), [("a1", 400), ("a2", 0)]);
}

#[test]
fn audio_that_comes_only_after_the_cut_was_never_heard() {
    let mut world = World::asked();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    speech_starts(&mut world);
    assert_eq!(world.events(), [], "nothing was to be heard yet");
    world.delta("r1", "a1", 500);
    world.delta("r1", "a1", 500);
    assert_eq!((world.events(), truncations(&world.messages())), (vec![], vec![("a1", 0)]));
}

#[test]
fn all_that_came_was_played_but_more_was_made() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 600);
    world.conversation.playout_drained();
    speech_starts(&mut world);
    world.messages();
    world.delta("r1", "a1", 500);
    assert_eq!(truncations(&world.messages()), [("a1", 600)]);
}

#[test]
fn the_line_may_notice_before_the_service_does() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 2_000);
    world.events();
    bridge_flushes(&mut world, 700);
    let messages = world.messages();
    assert_eq!(kinds(&messages), ["response.cancel", "conversation.item.truncate"]);
    world.delta("r1", "a1", 500);
    assert_eq!(world.events(), []);
    world.error("invalid_request_error", "response_cancel_not_active", messages[0]["event_id"].as_str().expect("an id"));
    assert_eq!(world.events(), [], "both sides spoke at the same time");
}

#[test]
fn who_cannot_truncate_is_not_asked_to_but_the_history_is_true() {
    let mut world = World::of("xai", &brief());
    world.conversation.start(world.now);
    world.words("r1", "a1", "One two three four five six seven eight nine ten. ");
    world.speaks("r1", "a1", 3_000);
    world.messages();
    speech_starts(&mut world);
    bridge_flushes(&mut world, 1_240);
    assert_eq!(world.messages(), [] as [Value; 0]);
    assert_eq!(world.conversation.items.so_far(|samples| samples / 8), [Item::Agent("One two three four …".into())]);
}

#[test]
fn a_goodbye_is_not_cut_short() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 3_000);
    world.done_with_calls("r1", &[("c1", "end_call", "{}")]);
    assert!(world.events().contains(&EngineEvent::Goodbye));
    speech_starts(&mut world);
    assert_eq!(world.events(), []);
}
