//! A call as a collector of traces sees it, and collectors that are no good.

use crate::speech::tone_seconds;
use crate::world::{Scene, call, converse, listen, reason};
use callie_domain::record::EndReason;
use callie_lab::collector::{Collector, Seen, drawn};
use callie_lab::gemini::{Act as Fail, Exchange, FakeGeminiOptions, Fault, Moment, Script, Speech, Step as Act, ToolCall};
use callie_lab::mcp::McpServer;
use callie_lab::phone::Step;
use callie_lab::receiver::{Manner, Receiver};
use callie_lab::samples::Line;
use callie_server::config::{Config, PrivateTargets, Sampler, TraceSettings};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ANSWER_HZ: f64 = 700.0;
const WAIT: Duration = Duration::from_secs(20);

fn traced(endpoint: String) -> impl FnOnce(&mut Config) {
    move |config: &mut Config| {
        config.private_targets = PrivateTargets { nets: vec!["127.0.0.0/8".parse().expect("a net")], hosts: Vec::new() };
        config.traces = Some(TraceSettings {
            endpoint: format!("{endpoint}/v1/traces").parse().expect("an address"),
            headers: Vec::new(),
            resource: vec![("service.name".to_owned(), "callie".to_owned())],
            sampler: Sampler::AlwaysOn,
        });
    }
}

async fn scene(endpoint: String, calls: Vec<ToolCall>, settings: Value) -> Scene {
    let tone = |words, hz| Speech::tone(words, hz, Duration::from_secs(1));
    let exchange = Exchange::of(Line::Tom2.words(), vec![Act::Call(calls), Act::Say(tone("There it is.", ANSWER_HZ))]);
    let script = Script::Converse(converse(tone("Hello.", 500.0), vec![exchange]));
    let options = FakeGeminiOptions { script, ..FakeGeminiOptions::default() };
    Scene::start(options, settings, traced(endpoint)).await
}

/// Names of spans, each once, in the order of the tree.
fn outline(spans: &[Seen]) -> Vec<String> {
    let mut lines: Vec<String> = drawn(spans).lines().map(str::to_owned).collect();
    lines.dedup();
    lines
}

fn named<'a>(spans: &'a [Seen], name: &str) -> &'a Seen {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in\n{}", drawn(spans)))
}

/// A web service and an MCP server are asked, then the first engine fails; a receiver is told of the end.
pub async fn a_call_with_tools_and_a_failover_is_one_trace() {
    let (collector, service) = (Collector::start().await.expect("a port"), Receiver::start().await.expect("a receiver"));
    let (hook, server) = (Receiver::start().await.expect("a receiver"), McpServer::start().await.expect("a server"));
    let none = json!({"type": "object", "properties": {}});
    let tools = json!({
        "http": [{"name": "find_order", "description": "Finds it.", "url": service.url("/orders"), "parameters": none}],
        "mcp": [{"name": "cal", "url": server.url()}],
    });
    let hooks = json!([{"url": hook.url("/hook"), "secret": "whsec_0123456789", "events": ["call.ended"]}]);
    let calls = vec![ToolCall::new("find_order", json!({})), ToolCall::new("cal_list_events", json!({"day": "Monday"}))];
    let mut scene = scene(collector.endpoint(), calls, json!({"ai": {"tools": tools}, "webhooks": hooks})).await;
    crate::support::until("the server was looked at ahead", async || server.sessions() == 0 && server.begun() == 1).await;
    let Scene { world, fake } = &mut scene;
    let fail = async {
        let asked = service.wait_for(1, WAIT).await;
        crate::support::until("the server was asked", async || server.parents().len() == 1).await;
        fake.fault(Fault::new(Moment::Utterance, Fail::close(1011, "Resource has been exhausted (e.g. check quota).")));
        asked
    };
    let steps = [
        Step::WaitAnswer,
        listen(),
        Step::Play(Line::Tom2.samples()),
        listen(),
        Step::Play(Line::Maria1.samples()),
        listen(),
        Step::HangUp,
    ];
    let (ended, asked) = tokio::join!(call(world, steps), fail);
    assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp);

    let shown: Value = serde_json::from_str(&scene.get(&format!("/calls/{}", ended.cdr.id)).await).expect("JSON");
    let trace = shown["trace_id"].as_str().expect("a trace").to_owned();
    let wanted = ["call", "webhook call.ended"];
    let is_whole = |seen: &[Seen]| wanted.iter().all(|name| seen.iter().any(|span| span.name == *name));
    let spans = collector.wait_until(is_whole, WAIT).await;
    assert!(spans.iter().all(|span| span.trace == trace), "one call, one trace: {trace}\n{spans:#?}");
    assert_eq!(spans.iter().filter(|span| span.parent.is_empty()).count(), 1, "{}", drawn(&spans));
    let lines = outline(&spans);
    for line in [
        "call",
        "  signalling",
        "    INVITE",
        "    BYE",
        "  media",
        "  engine",
        "    connect gemini",
        "    session gemini ! quota_exceeded",
        "      turn caller",
        "      turn agent",
        "        ear",
        "        uplink",
        "        engine",
        "        playout",
        "      execute_tool find_order",
        "        GET",
        "      execute_tool cal_list_events",
        "        tools/call",
        "    connect local",
        "    session local",
        "  webhook call.ended",
    ] {
        assert!(lines.iter().any(|found| found == line), "no {line:?} in\n{}", lines.join("\n"));
    }
    let root = named(&spans, "call");
    assert_eq!(
        (root.kind.as_str(), root.attribute("callie.call.reason"), root.is_error),
        ("Server", Some("remote_hung_up"), false)
    );
    assert!(named(&spans, "media").attribute("callie.media.packets_received").is_some_and(|count| count != "0"));
    // The other sides know what they belong to.
    let parent = |of: &str| Some(format!("00-{trace}-{}-01", named(&spans, of).id));
    assert_eq!(asked[0].header("traceparent").map(str::to_owned), parent("GET"));
    assert_eq!(server.parents(), [[parent("call"), parent("tools/call")]]);
    let told = hook.received();
    assert_eq!(told[0].header("traceparent").map(str::to_owned), parent("webhook call.ended"));
    let all = format!("{spans:?}");
    assert!(!all.contains("Monday") && !all.contains(Line::Tom2.words()) && !all.contains("There it is"), "{all}");
}

/// Down, hanging, slow, saying no: the caller hears the answer all the same, at the same time, and what is lost is counted.
pub async fn a_collector_that_is_no_good_costs_no_call_anything() {
    let cases = [None, Some(Manner::Hang), Some(Manner::Drip(Duration::from_millis(200))), Some(Manner::status(503))];
    let check = |manner: Option<Manner>| async move {
        let collector = Collector::start().await.expect("a port");
        let endpoint = collector.endpoint();
        let collector = manner.clone().map(|manner| {
            collector.behave(manner);
            collector
        });
        let mut scene = scene(endpoint, vec![ToolCall::new("current_time", json!({}))], json!({})).await;
        let steps = [Step::WaitAnswer, listen(), Step::Play(Line::Tom2.samples()), listen(), Step::HangUp];
        let ended = scene.call(steps).await;
        assert_eq!(reason(&ended.cdr), EndReason::RemoteHungUp, "{manner:?}");
        assert!(tone_seconds(ended.report.heard(), ANSWER_HZ) > 0.9, "{manner:?}: the answer is heard");
        scene.everything_is_freed_at_once().await;
        let begun = Instant::now();
        scene.world.app.stop().await;
        // Spans are given up after two seconds, and nothing else takes as long.
        assert!(begun.elapsed() < Duration::from_secs(6), "{manner:?}: stopped after {:?}", begun.elapsed());
        drop(collector);
    };
    futures::future::join_all(cases.map(check)).await;
}
