//! The model uses tools in the middle of its turn.

use crate::speech::tone_seconds;
use crate::world::{Ended, Scene, converse, lines, listen};
use callie_domain::record::{CallFact, ClaimKind, ClaimStanding, Speaker, ToolEnd};
use callie_domain::{Contact, UserId};
use callie_lab::gemini::{Exchange, FakeGeminiOptions, Script, Sent, Speech, Step as Act, ToolCall};
use callie_lab::mcp::{Manner as McpManner, McpServer};
use callie_lab::phone::Step;
use callie_lab::receiver::{Manner, Receiver};
use callie_lab::samples::Line;
use callie_server::config::PrivateTargets;
use callie_store::{ContactStore, RecordStore};
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

const SECRET: &str = "s3cr3t-of-the-shop";

/// Asks `receiver` for an order.
fn find_order(receiver: &Receiver) -> Value {
    json!({"name": "find_order", "description": "Finds an order by its number.", "url": receiver.url("/orders/{number}"),
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"],
            "additionalProperties": false},
        "headers": {"Authorization": format!("Bearer {SECRET}")}, "timeout_s": 1, "filler": "One moment, I look that up."})
}

/// A scene in which the model uses these tools after the caller's first words, and speaks once they are answered.
async fn scene(calls: Vec<ToolCall>, tools: Value) -> Scene {
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(1));
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Call(calls), Act::Say(tone("There it is.", ANSWER_HZ))]);
    let script = Script::Converse(converse(tone("Hello.", GREETING_HZ), vec![exchange]));
    let options = FakeGeminiOptions { script, ..FakeGeminiOptions::default() };
    let loopback = PrivateTargets { nets: vec!["127.0.0.0/8".parse().expect("a net")], hosts: Vec::new() };
    Scene::start(options, json!({"ai": {"tools": tools}}), |config| config.private_targets = loopback).await
}

/// The caller says something once and hears the answer.
async fn talk(scene: &mut Scene) -> Ended {
    let ended = scene.call([Step::WaitAnswer, listen(), Step::Play(Line::Tom2.samples()), listen(), Step::HangUp]).await;
    let heard = tone_seconds(ended.report.heard(), ANSWER_HZ);
    assert!(heard > 0.9, "the answer was heard for {heard} s");
    ended
}

/// What the model was answered, by the tool.
fn answer(scene: &Scene, tool: &str) -> Value {
    let responses = scene.fake.latest().expect("a session").look(|log| log.tool_responses.clone());
    let mut of_tool = responses.into_iter().filter(|(_, response)| response["name"] == tool);
    let (_, response) = of_tool.next().unwrap_or_else(|| panic!("{tool} was not answered"));
    assert_eq!(of_tool.next(), None, "{tool} was answered twice");
    response["response"].clone()
}

fn ends(ended: &Ended) -> Vec<(String, ToolEnd)> {
    let end = |fact: &CallFact| match fact {
        CallFact::ToolUsed { name, outcome, .. } => Some((name.clone(), outcome.expect("there is one"))),
        _ => None,
    };
    let mut ends: Vec<_> = ended.facts.iter().filter_map(end).collect();
    ends.sort_by(|one, other| one.0.cmp(&other.0));
    ends
}

/// A web service, the user's contacts, the keys, a message and a sum, in one message of the model.
pub async fn what_the_document_names_is_used_and_its_secret_is_nowhere() {
    let receiver = Receiver::start().await.expect("a receiver");
    let body = json!({"state": "sent", "echo": format!("Bearer {SECRET}")}).to_string();
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    receiver.behave(Manner::Answer { status: 200, headers, body });
    let calls = vec![
        ToolCall::new("find_order", json!({"number": "A 7"})),
        ToolCall::new("lookup_contact", json!({"who": "maria"})),
        ToolCall::new("send_dtmf", json!({"digits": "12#"})),
        ToolCall::new("take_message", json!({"message": "Call me back.", "name": "Tom"})),
        ToolCall::new("calculate", json!({"expression": "17*3"})),
    ];
    let enabled = ["end_call", "lookup_contact", "send_dtmf", "take_message", "calculate"];
    let mut scene = scene(calls, json!({"enabled": enabled, "http": [find_order(&receiver)]})).await;
    let alice: UserId = "alice".parse().expect("an id");
    let maria = Contact { name: "Maria Lopez".into(), numbers: vec!["+43 1 2345678".into()], note: None };
    scene.world.app.stores.records.put_contacts(&alice, vec![maria]).await.expect("stored");
    let ended = talk(&mut scene).await;

    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let bearer = format!("Bearer {SECRET}");
    assert_eq!((received[0].line.as_str(), received[0].header("authorization")), ("GET /orders/A%207", Some(bearer.as_str())));
    assert_eq!(answer(&scene, "find_order"), json!({"output": {"state": "sent", "echo": "***"}, "status": 200}));
    assert_eq!(answer(&scene, "lookup_contact")["output"][0]["numbers"][0], "+43 1 2345678");
    assert!(answer(&scene, "calculate").to_string().contains("51"));
    assert!(answer(&scene, "send_dtmf")["output"].is_string() && answer(&scene, "take_message")["output"].is_string());
    assert_eq!(ended.report.keys, "12#");
    let message = ended.facts.iter().find_map(|fact| match fact {
        CallFact::MessageTaken { message } => Some((message.name.as_deref(), message.text.as_str())),
        _ => None,
    });
    assert_eq!(message, Some((Some("Tom"), "Call me back.")));
    let names = ["calculate", "find_order", "lookup_contact", "send_dtmf", "take_message"];
    assert_eq!(ends(&ended), names.map(|name| (name.to_owned(), ToolEnd::Result)));

    let offered = scene.fake.latest().expect("a session").look(|log| format!("{log:?}"));
    assert!(offered.contains("find_order") && !offered.contains("transfer_call") && !offered.contains("current_time"));
    let events = RecordStore::events(&*scene.world.app.stores.records, ended.cdr.id).await.expect("read");
    let record = format!("{} {events:?} {:?}", serde_json::to_string(&events).expect("JSON"), ended.cdr);
    for (what, text) in [("the record", record), ("the model's session", offered)] {
        assert!(!text.contains(SECRET), "the secret is in {what}");
    }
}

/// One that hangs, one behind the firewall and one that is no service, each for itself.
pub async fn a_web_service_that_fails_is_told_and_the_conversation_goes_on() {
    let (hangs, dies) = (Receiver::start().await.expect("a receiver"), Receiver::start().await.expect("a receiver"));
    hangs.behave(Manner::Hang);
    dies.behave(Manner::Die);
    let named = |name: &str, mut tool: Value| {
        tool["name"] = json!(name);
        tool
    };
    let inside = json!({"description": "Reads the cloud's secrets.", "url": "http://169.254.169.254/latest"});
    let tools = json!({"http": [named("hangs", find_order(&hangs)), named("dies", find_order(&dies)), named("inside", inside)]});
    let number = json!({"number": "7"});
    let calls = vec![
        ToolCall::new("hangs", number.clone()),
        ToolCall::new("dies", number.clone()),
        ToolCall::new("inside", json!({})),
        ToolCall::new("dies_not", number),
    ];
    let mut scene = scene(calls, tools).await;
    let ended = talk(&mut scene).await;
    for (tool, retryable, words) in [
        ("hangs", true, "within 1.0 s"),
        ("dies", true, "broke"),
        ("inside", false, "no public address"),
        ("dies_not", false, "no such tool"),
    ] {
        let answer = answer(&scene, tool);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(words) && answer["retryable"] == retryable, "{tool}: {answer}");
    }
    assert_eq!(ends(&ended), ["dies", "dies_not", "hangs", "inside"].map(|name| (name.to_owned(), ToolEnd::Error)));
    assert_eq!((hangs.received().len(), dies.received().len()), (1, 1));
    let log = serde_json::to_string(&ended.facts).expect("JSON");
    assert!(!log.contains(SECRET));
}

/// One server has tools, another one hangs while it is looked at.
pub async fn the_tools_of_a_server_are_used_and_one_that_hangs_delays_nothing() {
    let [cal, hangs] = [McpServer::start().await.expect("a server"), McpServer::start().await.expect("a server")];
    hangs.behave(McpManner::Hang);
    let servers =
        json!([{"name": "hangs", "url": hangs.url()}, {"name": "cal", "url": cal.url(), "allow": ["list_events", "book"]}]);
    let day = json!({"day": "Monday"});
    let calls = vec![
        ToolCall::new("cal_list_events", day.clone()),
        ToolCall::new("cal_book", day),
        ToolCall::new("cal_whoami", json!({})),
    ];
    let mut scene = scene(calls, json!({ "mcp": servers })).await;
    crate::support::until("the server was looked at ahead", async || cal.sessions() == 0 && cal.begun() == 1).await;
    let ended = talk(&mut scene).await;

    assert_eq!(answer(&scene, "cal_list_events")["output"], json!({"day": "Monday", "events": ["Dentist at nine"]}));
    assert_eq!(answer(&scene, "cal_book")["error"], "The calendar is full.");
    assert!(
        answer(&scene, "cal_whoami")["error"].as_str().is_some_and(|error| error.contains("no such tool")),
        "it is not allowed"
    );
    let complaint = "the server hangs has not said yet which tools it has";
    assert!(ended.facts.iter().any(|fact| matches!(fact, CallFact::Warning { text } if text == complaint)), "{:#?}", ended.facts);
    let answered_in = ended.cdr.answered_at.expect("it was answered").duration_since(ended.cdr.started_at);
    assert!(answered_in < jiff::SignedDuration::from_millis(1_500), "answered after {answered_in}");
    crate::support::until("the session of the call is closed", async || cal.sessions() == 0).await;
    assert_eq!(cal.begun(), 2, "one look, and one call");
}

/// It says that it puts the caller through, and that it has noted something; a tool did the one and none did the other.
pub async fn what_the_agent_says_it_did_is_checked_against_its_tools() {
    let said = "I have noted your number. I'm transferring you to sales now. Shall I send you an e-mail?";
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(1));
    let calls = vec![ToolCall::new("take_message", json!({"message": "Call back.", "name": "Tom"}))];
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Call(calls), Act::Say(tone(said, ANSWER_HZ))]);
    let mut scene = Scene::of(converse(tone("Hello.", GREETING_HZ), vec![exchange])).await;
    let ended = talk(&mut scene).await;

    let shown: Vec<_> = ended.cdr.claims.iter().map(|c| (c.kind, c.standing, c.tool.as_deref(), c.text.as_str())).collect();
    let wanted = [
        (ClaimKind::Note, ClaimStanding::Supported, Some("take_message"), "I have noted your number."),
        (ClaimKind::Transfer, ClaimStanding::Unsupported, None, "I'm transferring you to sales now."),
    ];
    assert_eq!(shown, wanted);
    let told: Vec<_> = ended.facts.iter().filter(|fact| matches!(fact, CallFact::ClaimUnsupported { .. })).collect();
    assert!(matches!(told[..], [CallFact::ClaimUnsupported { claim }] if claim.kind == ClaimKind::Transfer), "{told:?}");
    let counted = "callie_claims_total{kind=\"transfer\",standing=\"unsupported\"} 1";
    crate::support::until("it is counted", async || scene.get("/metrics").await.contains(counted)).await;
    let shown = scene.get(&format!("/calls/{}", ended.cdr.id)).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["claims"][1]["standing"], "unsupported", "{}", shown["claims"]);
}

/// The model asks to be connected with a number, which the caller has told it; and what time it is where its user is.
pub async fn an_agent_that_was_talked_into_it_reaches_nobody_whom_its_user_has_not_named() {
    let calls = ["+4990012345", "sip:thief@evil.example", "carol"]
        .map(|target| ToolCall::new("transfer_call", json!({"target": target})));
    let calls = calls.into_iter().chain([ToolCall::new("current_time", json!({}))]).collect();
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(1));
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Call(calls), Act::Say(tone("I cannot.", ANSWER_HZ))]);
    let script = converse(tone("Hello.", GREETING_HZ), vec![exchange]);
    let settings = json!({"ai": {"time_zone": "Pacific/Auckland"},
        "routing": {"transfer_targets": [{"name": "sales", "target": "carol"}]}});
    let mut scene = Scene::of_alice(script, settings).await;
    let ended = talk(&mut scene).await;
    let responses = scene.fake.latest().expect("a session").look(|log| log.tool_responses.clone());
    let refused = responses.iter().filter(|(_, response)| {
        let error = response["response"]["error"].as_str();
        response["name"] == "transfer_call" && error.is_some_and(|error| error.contains("nobody of that name"))
    });
    assert_eq!(refused.count(), 3, "{responses:#?}");
    let time = answer(&scene, "current_time").to_string();
    assert!(time.contains("(Pacific/Auckland)"), "{time}");
    let transfers = |fact: &CallFact| matches!(fact, CallFact::TransferStarted { .. } | CallFact::Dialled { .. });
    assert!(!ended.facts.iter().any(transfers) && ended.cdr.legs.is_empty(), "{:#?}", ended.facts);
    scene.everything_is_freed_at_once().await;
}
