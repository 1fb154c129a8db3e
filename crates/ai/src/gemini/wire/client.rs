//! What goes up beside audio: each is a whole message with exactly one of the protocol's fields.

use crate::{Utterance, gemini::family::Family, tools::Object};
use serde_json::{Value, json};

/// Text for the model, as if it were typed by the user; the model answers it.
pub fn text(family: Family, text: &str) -> String {
    let message = if family.takes_realtime_text() {
        json!({"realtimeInput": {"text": text}})
    } else {
        json!({"clientContent": {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": true}})
    };
    message.to_string()
}

/// What was said before, for a session that awaits its history; it is not answered. A conversation begins with the user's
/// side, so the first words of an agent have something before them.
pub fn history(utterances: &[Utterance]) -> String {
    let first_is_agents = utterances.first().is_some_and(|first| first.by_agent);
    let opening = first_is_agents.then(|| turn(false, "(The call was answered.)"));
    turns(opening.into_iter().chain(said(utterances)).collect())
}

/// What was said meanwhile, for a session under way. Families that take texts as realtime input do not answer to it.
pub fn context(utterances: &[Utterance]) -> String {
    turns(said(utterances).collect())
}

fn said(utterances: &[Utterance]) -> impl Iterator<Item = Value> {
    utterances.iter().map(|utterance| turn(utterance.by_agent, &utterance.text))
}

fn turn(by_agent: bool, text: &str) -> Value {
    let role = if by_agent { "model" } else { "user" };
    json!({"role": role, "parts": [{"text": text}]})
}

fn turns(turns: Vec<Value>) -> String {
    json!({"clientContent": {"turns": turns, "turnComplete": true}}).to_string()
}

/// The answer to one function call; `id` and `name` are the call's own.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionResponse {
    pub id: Option<String>,
    pub name: String,
    pub response: Object,
}

/// Answers to the function calls of one message, together.
pub fn tool_response(responses: Vec<FunctionResponse>) -> String {
    let responses: Vec<Value> = responses
        .into_iter()
        .map(|FunctionResponse { id, name, response }| match id {
            Some(id) => json!({"id": id, "name": name, "response": response}),
            None => json!({"name": name, "response": response}),
        })
        .collect();
    json!({"toolResponse": {"functionResponses": responses}}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Outcome;

    #[test]
    fn text_by_family() {
        insta::assert_snapshot!(text(Family::V38, "Say \"hi\"."), @r#"{"realtimeInput":{"text":"Say \"hi\"."}}"#);
        insta::assert_snapshot!(
            text(Family::V25, "Greet."),
            @r#"{"clientContent":{"turnComplete":true,"turns":[{"parts":[{"text":"Greet."}],"role":"user"}]}}"#
        );
    }

    #[test]
    fn history_begins_with_the_user() {
        let utterance = |by_agent, text: &str| Utterance { by_agent, text: text.into() };
        insta::assert_snapshot!(
            history(&[utterance(true, "Hello."), utterance(false, "Hi.")]),
            @r#"{"clientContent":{"turnComplete":true,"turns":[{"parts":[{"text":"(The call was answered.)"}],"role":"user"},{"parts":[{"text":"Hello."}],"role":"model"},{"parts":[{"text":"Hi."}],"role":"user"}]}}"#
        );
        assert!(!history(&[utterance(false, "Hi.")]).contains("answered"));
    }

    #[test]
    fn responses_keep_id_and_name() {
        let response = |id: Option<&str>| FunctionResponse {
            id: id.map(str::to_owned),
            name: "end_call".into(),
            response: Outcome::output("done").result,
        };
        insta::assert_snapshot!(
            tool_response(vec![response(Some("a-1")), response(None)]),
            @r#"{"toolResponse":{"functionResponses":[{"id":"a-1","name":"end_call","response":{"output":"done"}},{"name":"end_call","response":{"output":"done"}}]}}"#
        );
    }
}
