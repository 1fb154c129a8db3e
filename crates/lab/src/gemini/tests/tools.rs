//! Tool calls on cue.

use super::*;
use crate::samples::Line;

/// The greeting is followed by these steps.
async fn begin(steps: Vec<Step>) -> (FakeGemini, Client) {
    let script = Script::Converse(Converse {
        texts: vec![("go".to_owned(), Exchange::of("", steps))],
        beyond: Some(tone("Yes?", 100)),
        ..Converse::default()
    });
    let fake = fake(script).await;
    let mut client = Client::set_up(&fake, setup()).await;
    client.text("go").await;
    (fake, client)
}

fn call(name: &str) -> ToolCall {
    ToolCall::new(name, json!({"why": "asked"}))
}

fn response(id: &Value, name: &str) -> Value {
    json!({"id": id, "name": name, "response": {"output": "done"}})
}

async fn answer(client: &mut Client, responses: Vec<Value>) {
    client.send(json!({"toolResponse": {"functionResponses": responses}})).await;
}

#[tokio::test]
async fn the_turn_waits_for_the_answer_of_a_blocking_tool() {
    let (fake, mut client) = begin(vec![Step::Say(tone("Goodbye!", 100)), Step::Call(vec![call("end_call")])]).await;
    let asked = client.until("/toolCall").await;
    assert_eq!((asked.said().as_str(), asked.count("/serverContent/turnComplete")), ("Goodbye!", 0));
    assert_eq!(asked.get("/toolCall/functionCalls/0/args"), json!({"why": "asked"}));
    let id = asked.get("/toolCall/functionCalls/0/id");
    answer(&mut client, vec![response(&id, "end_call")]).await;
    client.turn().await;
    let answers = fake.latest().map(|session| session.look(|log| log.tool_responses.len()));
    assert_eq!(answers, Some(1));
    fake.stop().await;
}

#[tokio::test]
async fn parallel_and_unknown_tools_come_in_one_message() {
    let calls = vec![call("end_call"), call("no_such_tool"), call("current_time")];
    let (fake, mut client) = begin(vec![Step::Call(calls), Step::Say(tone("It is noon.", 100))]).await;
    let asked = client.until("/toolCall/functionCalls/2").await;
    let id = |index| asked.get(&format!("/toolCall/functionCalls/{index}/id"));
    answer(&mut client, vec![response(&id(2), "current_time"), response(&id(0), "end_call")]).await;
    answer(&mut client, vec![json!({"id": id(1), "name": "no_such_tool", "response": {"error": "unknown"}})]).await;
    assert_eq!(client.turn().await.said(), "It is noon.");
    // All are answered: another answer is a mistake.
    answer(&mut client, vec![response(&id(0), "end_call")]).await;
    assert!(matches!(client.end().await, Event::Closed(1007, _)));
    fake.stop().await;
}

#[tokio::test]
async fn a_call_is_cancelled_by_the_script_or_by_the_caller() {
    let steps = vec![Step::CallAside(vec![call("current_time")]), Step::Cancel, Step::Say(tone("Never mind.", 100))];
    let (fake, mut client) = begin(steps).await;
    let heard = client.turn().await;
    let id = heard.get("/toolCall/functionCalls/0/id");
    assert_eq!(heard.get("/toolCallCancellation/ids"), json!([id]));
    // An answer that crossed the cancellation does no harm.
    answer(&mut client, vec![response(&id, "current_time")]).await;
    client.text("still there?").await;
    assert_eq!(client.turn().await.said(), "Yes?");
    fake.stop().await;

    let (fake, mut client) = begin(vec![Step::Call(vec![call("end_call")])]).await;
    client.until("/toolCall").await;
    client.say(&caller(Line::Tom3)).await;
    let heard = client.turn().await;
    assert_eq!((heard.count("/toolCallCancellation"), heard.count("/serverContent/interrupted")), (1, 1));
    assert_eq!(client.turn().await.said(), "Yes?");
    fake.stop().await;
}
