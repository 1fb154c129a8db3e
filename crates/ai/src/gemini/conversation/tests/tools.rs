//! Tools, and what they do to the call.

use super::*;
use crate::tools::{Behaviour, Outcome, testkit::Slow};
use callie_domain::record::ToolEnd;
use std::task::{Context, Waker};

#[test]
fn tools_are_answered_in_parallel_also_unknown_ones_but_not_cancelled_ones() {
    let mut world = World::talking();
    world.frame(
        r#"{"toolCall":{"functionCalls":[
            {"id":"a","name":"current_time","args":{"time_zone":"UTC"}}, {"id":"b","name":"fly"},
            {"id":"c","name":"current_time"}, {"name":"fly","args":null}]},
            "toolCallCancellation":{"ids":["c"]}}"#,
    );
    let messages = world.messages();
    let responses = messages[0]["toolResponse"]["functionResponses"].as_array().expect("responses");
    let ids: Vec<_> = responses.iter().map(|r| (r["id"].as_str(), r["name"].as_str())).collect();
    assert_eq!(messages.len(), 1);
    assert_eq!(ids, [(Some("a"), Some("current_time")), (Some("b"), Some("fly")), (None, Some("fly"))]);
    assert!(responses[0]["response"]["output"].as_str().is_some_and(|text| text.ends_with("(UTC)")));
    assert!(responses[1]["response"]["error"].is_string());
    let used: Vec<_> = world
        .events()
        .into_iter()
        .map(|event| match event {
            EngineEvent::ToolUsed(tool) => (tool.name, tool.arguments),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(used[0], ("current_time".into(), r#"{"time_zone":"UTC"}"#.into()));
    assert_eq!(used[1], ("fly".into(), "{}".into()));

    world.frame(r#"{"toolCallCancellation":{"ids":["a"]}}"#);
    world.content(r#"{"turnComplete":true}"#);
    assert_eq!((world.messages().len(), world.events()), (0, vec![]), "too late to take back, and no empty turn");
}

#[test]
fn a_transfer_is_the_calls_to_make() {
    let mut world = World::with_targets(&["sales"]);
    let call = |target: &str| {
        format!(r#"{{"toolCall":{{"functionCalls":[{{"id":"1","name":"transfer_call","args":{{"target":"{target}"}}}}]}}}}"#)
    };
    world.frame(call("+4990012345"));
    assert!(!world.events().iter().any(|event| matches!(event, EngineEvent::Transfer { .. })));
    assert!(world.messages()[0].to_string().contains("nobody of that name"));
    world.frame(call("Sales"));
    assert!(world.events().contains(&EngineEvent::Transfer { target: "sales".into() }));
    assert_eq!(world.messages().len(), 1, "the tool is answered");
    world.pass(ms(60_000));
    assert!(world.texts().is_empty(), "who waits to be connected is not nudged");
    world.conversation.prompt(Prompt::BriefHuman { target: "sales".into(), message: None }, world.now);
    assert!(world.texts()[0].contains("speaking with \"sales\""));
    world.frame(r#"{"toolCall":{"functionCalls":[{"id":"2","name":"complete_transfer","args":{"accepted":true}}]}}"#);
    assert!(world.events().contains(&EngineEvent::TransferDecision { accepted: true }));
}

/// The model has called a tool that takes its time.
fn looking_up() -> (World, Slow) {
    let slow = Slow::new(Behaviour::TalksOn);
    let mut world = World::talking();
    world.conversation.tools = Bench::new(slow.toolbox());
    world.frame(r#"{"toolCall":{"functionCalls":[{"id":"q","name":"current_time"},{"id":"a","name":"lookup"}]}}"#);
    let messages = world.messages();
    assert!(messages.len() == 1 && messages[0].to_string().contains(r#""id":"q""#), "{messages:?}");
    assert_eq!(world.events().len(), 1);
    (world, slow)
}

fn poll_tools(world: &mut World) -> bool {
    world.conversation.poll_tools(true, world.now, &mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_slow_tool_is_answered_when_it_is_done_and_the_wait_is_covered() {
    let (mut world, slow) = looking_up();
    world.pass(ms(1_000));
    assert!(world.texts().is_empty() && !poll_tools(&mut world));
    world.pass(ms(500));
    assert!(world.texts()[0].contains("Say exactly: One moment, please."));
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    world.heard("okay");
    assert!(slow.end_first(Outcome::output("table 7")));
    assert!(poll_tools(&mut world) && !poll_tools(&mut world));
    let response = world.messages()[0]["toolResponse"]["functionResponses"][0].clone();
    assert_eq!(response, json!({"id": "a", "name": "lookup", "response": {"output": "table 7"}}));
    let used =
        world.events().into_iter().find_map(|event| if let EngineEvent::ToolUsed(tool) = event { Some(tool) } else { None });
    assert_eq!(used.map(|tool| (tool.end, tool.took)), Some((ToolEnd::Result, ms(1_500))));
    world.pass(ms(4_000));
    assert_eq!(world.texts(), [instruction::NUDGE], "the result wants an answer");
}

#[test]
fn a_slow_tool_may_take_too_long_or_be_taken_back() {
    let (mut world, slow) = looking_up();
    world.pass(ms(10_000));
    let response = world.messages().into_iter().find(|message| message["toolResponse"].is_object()).expect("answered");
    assert!(response.to_string().contains("no answer within 10 s"), "{response}");
    assert!(!slow.end_first(Outcome::output("too late")) && !poll_tools(&mut world));

    let (mut world, slow) = looking_up();
    world.frame(r#"{"toolCallCancellation":{"ids":["a"]}}"#);
    assert!(!slow.end_first(Outcome::output("too late")) && world.messages().is_empty());
    let ends: Vec<_> =
        world.events().iter().map(|e| if let EngineEvent::ToolUsed(tool) = e { Some(tool.end) } else { None }).collect();
    assert_eq!(ends, [Some(ToolEnd::Cancelled)]);
    world.pass(ms(30_000));
    assert!(world.texts().is_empty(), "nobody waits for it");
}

#[test]
fn what_is_at_work_when_the_session_changes_is_told_the_next() {
    let (mut world, slow) = looking_up();
    assert!(!world.conversation.is_at_rest(), "nobody changes sessions now without need");
    world.change_session(true);
    // What was done at once, and not answered.
    let texts = world.texts();
    assert!(texts.len() == 1 && texts[0].contains("already used the tool current_time"), "{texts:?}");
    // The next session has names of its own, and they may be the same.
    world.frame(r#"{"toolCall":{"functionCalls":[{"id":"a","name":"fly"}]}}"#);
    assert_eq!(world.messages()[0]["toolResponse"]["functionResponses"][0]["id"], "a");
    assert!(slow.end_first(Outcome::output("table 7")));
    assert!(poll_tools(&mut world) && !poll_tools(&mut world));
    let texts = world.texts();
    assert!(texts.len() == 1 && texts[0].contains("tool lookup") && texts[0].contains("table 7"), "{texts:?}");
    world.content(AUDIO);
    world.content(r#"{"turnComplete":true}"#);
    assert!(world.conversation.is_at_rest());

    // Done while there is no session.
    let (mut world, slow) = looking_up();
    assert!(slow.end_first(Outcome::output("table 7")));
    assert!(world.conversation.poll_tools(false, world.now, &mut Context::from_waker(Waker::noop())));
    assert!(world.messages().is_empty(), "there is nobody to answer");
    world.change_session(true);
    let texts = world.texts();
    assert!(texts.len() == 1 && texts[0].contains("table 7") && texts[0].contains("current_time"), "{texts:?}");
}
