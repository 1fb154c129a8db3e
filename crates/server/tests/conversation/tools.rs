//! The model uses tools in the middle of its turn.

use crate::speech::tone_seconds;
use crate::world::{Scene, converse, lines, listen};
use callie_domain::record::{CallFact, Speaker};
use callie_lab::gemini::{Exchange, Sent, Speech, Step as Act, ToolCall};
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use serde_json::{Value, json};
use std::time::Duration;

const GREETING_HZ: f64 = 500.0;
const ANSWER_HZ: f64 = 700.0;

/// One that every agent has and one that nobody has, in one message. The service goes on once both are answered.
pub async fn every_call_of_a_tool_is_answered() {
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(1));
    let calls = vec![ToolCall::new("current_time", json!({})), ToolCall::new("open_the_door", json!({"door": "front"}))];
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Call(calls), Act::Say(tone("It is noon.", ANSWER_HZ))]);
    let mut scene = Scene::of(converse(tone("Hello.", GREETING_HZ), vec![exchange])).await;
    let ended = scene.call([Step::WaitAnswer, listen(), Step::Play(Line::Tom2.samples()), listen(), Step::HangUp]).await;

    let (asked, responses) = scene.fake.latest().expect("a session").look(|log| {
        let asked = log.sent.iter().find_map(|(_, sent)| match sent {
            Sent::ToolCall(calls) => Some(calls.clone()),
            _ => None,
        });
        let responses: Vec<Value> = log.tool_responses.iter().map(|(_, response)| response.clone()).collect();
        (asked.expect("tools were asked for"), responses)
    });
    let named = |response: &Value| (response["name"].as_str().map(str::to_owned), response["id"].as_str().map(str::to_owned));
    let wanted: Vec<_> = asked.into_iter().map(|(name, id)| (Some(name), Some(id))).collect();
    assert_eq!(responses.iter().map(named).collect::<Vec<_>>(), wanted, "{responses:#?}");
    let has = |index: usize, key: &str| responses[index]["response"].get(key).is_some();
    assert!(!has(0, "error") && has(1, "error"), "{responses:#?}");

    let used = |fact: &CallFact| match fact {
        CallFact::ToolUsed { name, .. } => Some(name.clone()),
        _ => None,
    };
    assert_eq!(ended.facts.iter().filter_map(used).collect::<Vec<_>>(), ["current_time", "open_the_door"]);
    let wanted = [(Speaker::Agent, "Hello."), (Speaker::Caller, Line::Tom2.words()), (Speaker::Agent, "It is noon.")];
    assert_eq!(lines(&ended.turns), wanted);
    let heard = tone_seconds(ended.report.heard(), ANSWER_HZ);
    assert!(heard > 0.9, "the answer was heard for {heard} s");
    scene.everything_is_freed_at_once().await;
}
