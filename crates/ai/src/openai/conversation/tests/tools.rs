//! Tools: every call of a response is answered, then the service is asked to go on, once.

use super::*;
use crate::tools::{Behaviour, Outcome, testkit::Slow};
use std::task::{Context, Waker};

fn outputs(messages: &[Value]) -> Vec<(&str, &str)> {
    let items = messages.iter().map(|message| &message["item"]).filter(|item| item["type"] == "function_call_output");
    items.filter_map(|item| Some((item["call_id"].as_str()?, item["output"].as_str()?))).collect()
}

#[test]
fn all_calls_are_answered_then_one_answer_is_asked_for() {
    let mut world = World::asked();
    let calls =
        [("c1", "current_time", r#"{"time_zone":"UTC"}"#), ("c2", "fly", "{}"), ("c3", "current_time", "{\"time_zone\":")];
    for (id, name, arguments) in calls {
        let event = "response.function_call_arguments.done";
        world.event(
            json!({"type": event, "response_id": "r1", "item_id": id, "call_id": id, "name": name, "arguments": arguments}),
        );
        assert_eq!(world.messages(), [] as [Value; 0], "the response is not over");
    }
    world.done_with_calls("r1", &calls);
    let messages = world.messages();
    let outputs = outputs(&messages);
    assert_eq!(outputs.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["c1", "c2", "c3"]);
    assert!(outputs[0].1.contains("(UTC)") && outputs[1].1.contains("no such tool") && outputs[2].1.contains("no JSON"));
    assert_eq!(kinds(&messages).iter().filter(|kind| **kind == "response.create").count(), 1);
    assert_eq!(kinds(&messages).last(), Some(&"response.create"));
    let used = world.events().into_iter().filter(|event| matches!(event, EngineEvent::ToolUsed { .. })).count();
    assert_eq!(used, 3);
}

#[test]
fn calls_of_a_cancelled_response_are_answered_and_not_done() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 500);
    world.event(json!({"type": "response.output_item.done", "response_id": "r1",
        "item": {"type": "function_call", "status": "completed", "call_id": "c1", "name": "end_call", "arguments": "{}"}}));
    world.event(json!({"type": "input_audio_buffer.speech_started", "item_id": "u2"}));
    world.event(json!({"type": "response.done", "response": {"id": "r1", "status": "cancelled",
        "output": [{"type": "function_call", "status": "incomplete", "call_id": "c2", "name": "end_call", "arguments": "{\"re"}]}}));
    let messages = world.messages();
    assert_eq!(outputs(&messages).len(), 1);
    assert!(outputs(&messages)[0].1.contains("not done"));
    assert!(!kinds(&messages).contains(&"response.create"), "the service answers the caller by itself");
    assert!(!world.events().contains(&EngineEvent::Goodbye));
}

#[test]
fn the_call_ends_after_the_goodbye_whenever_that_is_said() {
    // In the same response …
    let mut world = World::asked();
    world.speaks("r1", "a1", 500);
    world.done_with_calls("r1", &[("c1", "end_call", r#"{"reason":"done"}"#)]);
    let events = world.events();
    assert!(events.contains(&EngineEvent::Goodbye));
    assert!(!kinds(&world.messages()).contains(&"response.create"), "nothing more is wanted");

    // … or in the next one.
    let mut world = World::asked();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.done_with_calls("r1", &[("c1", "end_call", r#"{"reason":"done"}"#)]);
    assert_eq!(kinds(&world.messages()), ["conversation.item.create", "response.create"]);
    assert!(!world.events().contains(&EngineEvent::Goodbye));
    world.speaks("r2", "a2", 500);
    world.done("r2", "completed");
    assert!(world.events().contains(&EngineEvent::Goodbye));

    // … or never.
    let mut world = World::asked();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.done_with_calls("r1", &[("c1", "end_call", "")]);
    world.pass(4 * SECOND);
    assert!(world.events().contains(&EngineEvent::Goodbye));
}

#[test]
fn a_goodbye_that_the_line_asked_for_ends_the_call_unless_the_caller_is_back() {
    let mut world = World::talking();
    world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
    world.speaks("r1", "a1", 500);
    world.done("r1", "completed");
    assert!(world.events().contains(&EngineEvent::Goodbye));

    let mut world = World::talking();
    world.conversation.prompt(Prompt::SilenceGoodbye, world.now);
    world.speaks("r1", "a1", 500);
    world.event(json!({"type": "input_audio_buffer.speech_started", "item_id": "u1"}));
    world.done("r1", "cancelled");
    world.pass(20 * SECOND);
    assert!(!world.events().contains(&EngineEvent::Goodbye));
}

#[test]
fn a_transfer_is_announced_before_the_end_of_the_words_that_announce_it() {
    let targets = vec!["sales".into()];
    let brief = Brief { tools: Toolbox::default().for_call(&targets), transfer_targets: targets, ..brief() };
    let transfer = EngineEvent::Transfer { target: "sales".into() };
    let call = [("c1", "transfer_call", r#"{"target":"sales"}"#)];
    let mut world = World::of("openai", &brief);
    world.conversation.start(world.now);
    world.speaks("r1", "a1", 500);
    world.messages();
    world.done_with_calls("r1", &call);
    let events = world.events();
    let place = |wanted: &EngineEvent| events.iter().position(|event| event == wanted);
    assert!(place(&transfer) < place(&EngineEvent::TurnComplete) && place(&transfer).is_some(), "{events:?}");
    assert!(!kinds(&world.messages()).contains(&"response.create"));

    // Without words it is asked for them, and if there are none that is an end too.
    world.event(json!({"type": "response.created", "response": {"id": "r2"}}));
    world.done_with_calls("r2", &call);
    assert!(kinds(&world.messages()).contains(&"response.create"));
    world.events();
    world.event(json!({"type": "response.created", "response": {"id": "r3"}}));
    world.done("r3", "completed");
    assert_eq!(world.events(), [EngineEvent::TurnComplete]);
}

/// The model has called a quick tool and one that takes its time.
fn looking_up() -> (World, Slow) {
    let slow = Slow::new(Behaviour::TalksOn);
    let mut world = World::of("openai", &Brief { tools: slow.toolbox(), ..brief() });
    world.conversation.start(world.now);
    world.speaks("r0", "a0", 800);
    world.done("r0", "completed");
    world.conversation.playout_drained();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.messages();
    world.events();
    world.done_with_calls("r1", &[("c1", Slow::NAME, "{}")]);
    assert!(world.messages().is_empty() && world.events().is_empty());
    (world, slow)
}

fn poll_tools(world: &mut World) -> bool {
    world.conversation.poll_tools(world.now, &mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_slow_tool_is_answered_when_it_is_done_and_the_wait_is_covered() {
    let (mut world, slow) = looking_up();
    world.pass(2 * SECOND);
    let messages = world.messages();
    assert_eq!(kinds(&messages), ["response.create"]);
    assert!(messages[0].to_string().contains("Say exactly: One moment, please."));
    world.speaks("r2", "a2", 500);
    world.done("r2", "completed");
    assert!(!poll_tools(&mut world) && slow.end_first(Outcome::output("table 7")) && poll_tools(&mut world));
    let messages = world.messages();
    assert_eq!(outputs(&messages), [("c1", r#"{"output":"table 7"}"#)]);
    assert_eq!(kinds(&messages), ["conversation.item.create", "response.create"]);
    let took =
        world.events().into_iter().find_map(|event| if let EngineEvent::ToolUsed(tool) = event { Some(tool.took) } else { None });
    assert_eq!(took, Some(2 * SECOND));
}

#[test]
fn a_slow_tool_that_ends_between_two_sessions_is_told_to_the_next() {
    let (mut world, slow) = looking_up();
    world.loses_its_link();
    slow.end_first(Outcome::output("table 7"));
    assert!(poll_tools(&mut world) && world.messages().is_empty());
    world.reconnects();
    let messages = world.messages();
    assert_eq!(outputs(&messages), [("c1", r#"{"output":"table 7"}"#)]);
    assert_eq!(kinds(&messages).last(), Some(&"response.create"));
}

#[test]
fn a_slow_tool_that_ends_in_another_session_is_an_answer_to_a_call_that_is_known_there() {
    let (mut world, slow) = looking_up();
    world.loses_its_link();
    world.reconnects();
    let call = |message: &Value| message["item"]["type"] == "function_call" && message["item"]["call_id"] == "c1";
    assert!(world.messages().iter().any(call));
    assert!(slow.end_first(Outcome::output("table 7")) && poll_tools(&mut world));
    assert_eq!(outputs(&world.messages()).len(), 1);
}

#[test]
fn the_caller_is_answered_while_a_slow_tool_is_at_work_and_it_may_take_too_long() {
    let (mut world, slow) = looking_up();
    world.caller_speaks("u1", "a0");
    world.speaks("r2", "a2", 500);
    world.done("r2", "completed");
    world.pass(10 * SECOND);
    let messages = world.messages();
    assert!(outputs(&messages)[0].1.contains("no answer within 10 s"), "{messages:?}");
    assert!(!slow.end_first(Outcome::output("too late")) && !poll_tools(&mut world));
}
