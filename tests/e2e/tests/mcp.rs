//! The tools of a server by the official SDK for Python, in a call of the real binary. Who talks is the lab's stand-in for Gemini.

use callie_e2e::peers::mcp::McpServer;
use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use callie_lab::gemini::{Converse, Exchange, FakeGemini, FakeGeminiOptions, Script, Speech, Step as Act, ToolCall};
use callie_lab::phone::{self, Phone, PhoneOptions, Step};
use callie_lab::samples::Line;
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_tools_of_a_server_of_the_official_sdk_are_used_in_a_call() {
    if !McpServer::present() {
        return;
    }
    let tone = |words| Speech::tone(words, 500.0, Duration::from_secs(1));
    let number = json!({"number": "A-7"});
    let calls = vec![ToolCall::new("orders_find_order", number.clone()), ToolCall::new("orders_cancel_order", number)];
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Call(calls), Act::Say(tone("It was sent."))]);
    let script = Converse { greeting: Some(tone("Hello.")), exchanges: vec![exchange], ..Converse::default() };
    let options = FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() };
    let (key, model) = (options.api_key.clone(), options.models[0].clone());
    let fake = FakeGemini::start(options).await.expect("a stand-in");
    let subscribers = vec![Subscriber::new("alice", "secret-alice")];
    let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a carrier");
    let mut setup = Callie::setup().env("CALLIE_ALLOW_PRIVATE_TARGETS", "127.0.0.1");
    let server = McpServer::start(setup.ports()).await;
    let setup = setup.env("GEMINI_API_KEY", key).env("GEMINI_MODEL", model).env("GEMINI_BASE_URL", fake.base_url());
    let callie = setup.start().await.expect("callie starts");
    let servers = json!([{"name": "orders", "url": server.url()}]);
    callie.create_user("alice", carrier.address(), json!({"sip_username": "alice", "ai": {"tools": {"mcp": servers}}})).await;
    callie.register("alice").await;

    // It is asked what it is, then for its tools.
    let looked_at = || async { (server.log().matches("POST /mcp").count() >= 2).then_some(()) };
    eventually("the server was looked at ahead", WITHIN, looked_at).await;
    let listen = Step::WaitSilence { after: Duration::from_secs(1) };
    let steps = [Step::WaitAnswer, listen.clone(), Step::Play(Line::Tom2.samples()), listen, Step::HangUp];
    let options = PhoneOptions::new(carrier.address(), "maria");
    let call = Phone::call(&options, "alice", phone::Script::new(steps)).await.expect("a telephone");
    call.finished().await.expect("a report");
    let ended = callie.ended_call("alice", WITHIN).await;
    let (_, record) = callie.get(&format!("/calls/{}", ended["id"].as_str().expect("an id"))).await;

    let events = record["events"].as_array().cloned().unwrap_or_default();
    let used: Vec<&Value> = events.iter().filter(|event| event["event"] == "tool_used").collect();
    let result = |name: &str| {
        let used =
            used.iter().find(|event| event["name"] == name).unwrap_or_else(|| panic!("{name}: {record:#}\n{}", server.log()));
        (used["outcome"].clone(), used["result"].as_str().unwrap_or_default().to_owned())
    };
    let (outcome, found) = result("orders_find_order");
    assert!(outcome == "result" && found.contains("sent on Monday"), "{found}");
    let (outcome, refused) = result("orders_cancel_order");
    assert!(outcome == "error" && refused.contains("order A-7 was sent on Monday"), "{refused}");
    assert!(!events.iter().any(|event| event["event"] == "warning"), "{record:#}");
}
