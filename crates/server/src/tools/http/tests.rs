//! Web tools against a receiver of every manner, and models that were talked into things.

use super::*;
use crate::config::PrivateTargets;
use crate::outside::GuardedClient;
use callie_domain::user::input::UserInput;
use callie_domain::user::tools::HttpTool;
use callie_domain::{MacAddress, User};
use callie_lab::receiver::{Manner, Receiver};
use jiff::Timestamp;
use serde_json::json;
use std::time::Instant;

/// The user with this tool, as a client would describe it.
fn user(tool: Value) -> User {
    let body = json!({"user_id": "alice", "display_name": "Alice", "sip_username": "alice", "sip_password": "p",
        "ai": {"tools": {"http": [tool]}}});
    UserInput::from_new_json(&body).expect("valid").create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("valid")
}

fn settings(change: Value) -> HttpTool {
    let mut tool = json!({"name": "find_order", "description": "Finds an order.", "url": "https://crm.example/orders/{id}",
        "parameters": {"type": "object", "additionalProperties": false, "required": ["id"], "properties": {
            "id": {"type": "string"}, "full": {"type": "boolean"}, "tags": {"type": "array", "items": {"type": "string"}}}}});
    tool.as_object_mut().expect("a map").extend(change.as_object().expect("a map").clone());
    user(tool).tools.http.remove(0)
}

fn object(value: Value) -> Object {
    let Value::Object(object) = value else { panic!("an object") };
    object
}

fn allowing(nets: &[&str]) -> GuardedClient {
    let nets = nets.iter().map(|net| net.parse().expect("a net")).collect();
    GuardedClient::new(PrivateTargets { nets, hosts: Vec::new() }).expect("a client")
}

/// The tool at the receiver, and what it gives for these arguments.
async fn used(receiver: &Receiver, change: Value, arguments: Value) -> Object {
    let mut change = change;
    if change.get("url").is_none() {
        change["url"] = json!(receiver.url("/orders/{id}"));
    }
    let tool = WebTool::new(&settings(change), allowing(&["127.0.0.0/8"])).expect("a tool");
    outcome(&tool, arguments).await.result
}

async fn outcome(tool: &WebTool, arguments: Value) -> Outcome {
    match tool.call(&object(arguments)) {
        Work::Done(outcome) => outcome,
        Work::Later(work) => work.await,
    }
}

fn request(change: Value, arguments: Value) -> Result<(String, Value), String> {
    let request = request::of(&settings(change), &object(arguments))?;
    let body = request.body.map(|body| serde_json::from_slice(&body).expect("JSON")).unwrap_or_default();
    Ok((request.url.to_string(), body))
}

#[test]
fn arguments_go_where_the_document_says() {
    let arguments = json!({"id": "A 7", "full": true, "tags": ["x&y", "z"]});
    let (url, body) = request(json!({}), arguments.clone()).expect("a request");
    assert_eq!((url.as_str(), body), ("https://crm.example/orders/A%207?full=true&tags=x%26y&tags=z", json!(null)));
    let (url, body) = request(json!({"method": "POST"}), arguments.clone()).expect("a request");
    assert_eq!((url.as_str(), body), ("https://crm.example/orders/A%207", json!({"full": true, "tags": ["x&y", "z"]})));
    let with_query = json!({"url": "https://crm.example/find?q={id}&kind=order"});
    let (url, _) = request(with_query, json!({"id": "a&kind=all"})).expect("a request");
    assert_eq!(url, "https://crm.example/find?q=a%26kind%3Dall&kind=order");
}

#[test]
fn no_argument_leads_to_another_place() {
    for id in [
        "..",
        ".",
        "",
        "../admin",
        "..%2fadmin",
        "/etc",
        "a/b",
        "a?b",
        "a#b",
        "@evil.example",
        "\\\\evil",
        "%2e%2e",
        "a\r\nHost: b",
    ] {
        match request(json!({"url": "https://crm.example/orders/{id}/items"}), json!({"id": id})) {
            Ok((url, _)) => {
                let url = url::Url::parse(&url).expect("a URL");
                assert_eq!(
                    (url.host_str(), url.path_segments().map(Iterator::count)),
                    (Some("crm.example"), Some(3)),
                    "{id}: {url}"
                );
                assert!(
                    url.path().starts_with("/orders/") && url.path().ends_with("/items") && url.query().is_none(),
                    "{id}: {url}"
                );
            }
            Err(why) => assert!(why.contains("must not be empty"), "{id}: {why}"),
        }
    }
    for missing in [json!({}), json!({"id": null})] {
        assert_eq!(request(json!({}), missing), Err("id is required".to_owned()));
    }
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_not_sent() {
    let receiver = Receiver::start().await.expect("a receiver");
    for arguments in [json!({}), json!({"id": 7}), json!({"id": "7", "colour": 1}), json!({"id": "7", "full": "yes"})] {
        let result = used(&receiver, json!({}), arguments.clone()).await;
        let error = result["error"].as_str().expect("an error");
        assert!(
            error.starts_with("the arguments are not as they must be") && result["retryable"] == true,
            "{arguments}: {error}"
        );
    }
    assert_eq!(receiver.received(), []);
    let settings = settings(json!({"parameters": {"type": "object", "properties": {"id": {"type": "fish"}}}}));
    assert!(WebTool::new(&settings, allowing(&[])).expect_err("no schema").contains("no JSON Schema"));
    let remote = json!({"parameters": {"type": "object", "properties": {"id": {"$ref": "https://evil.example/schema"}}}});
    assert!(WebTool::new(&self::settings(remote), allowing(&[])).is_err(), "nothing is fetched for a schema");
}

#[tokio::test]
async fn a_service_is_asked_and_its_answer_told() {
    let receiver = Receiver::start().await.expect("a receiver");
    let body = r#"{"status":"sent","key":"s3cr3t-token"}"#.to_owned();
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    receiver.behave(Manner::Answer { status: 200, headers, body });
    let change = json!({"method": "POST", "headers": {"Authorization": "Bearer s3cr3t-token"}});
    let result = used(&receiver, change, json!({"id": "7", "full": true})).await;
    assert_eq!(Value::Object(result), json!({"output": {"status": "sent", "key": "***"}, "status": 200}));
    let received = &receiver.received()[0];
    assert_eq!((received.line.as_str(), received.json()), ("POST /orders/7", json!({"full": true})));
    assert_eq!(received.header("authorization"), Some("Bearer s3cr3t-token"));
    assert_eq!(received.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn only_what_does_no_harm_is_asked_again() {
    let count = async |method: &str, manner: Manner| {
        let receiver = Receiver::start().await.expect("a receiver");
        receiver.behave(manner);
        let result = used(&receiver, json!({"method": method, "retries": 2, "timeout_s": 5}), json!({"id": "7"})).await;
        (receiver.received().len(), result["retryable"].as_bool())
    };
    for (method, manner, asked, retryable) in [
        ("GET", Manner::status(503), 3, Some(true)),
        ("PUT", Manner::status(503), 3, Some(true)),
        ("POST", Manner::status(503), 1, Some(true)),
        ("PATCH", Manner::Die, 1, Some(true)),
        ("GET", Manner::Die, 3, Some(true)),
        ("GET", Manner::status(404), 1, Some(false)),
    ] {
        assert_eq!(count(method, manner.clone()).await, (asked, retryable), "{method} {manner:?}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_given_up_in_time() {
    let receiver = Receiver::start().await.expect("a receiver");
    for manner in [Manner::Hang, Manner::Drip(Duration::from_millis(200))] {
        receiver.behave(manner.clone());
        let begun = Instant::now();
        let result = used(&receiver, json!({"timeout_s": 1, "retries": 3}), json!({"id": "7"})).await;
        assert!(begun.elapsed() < Duration::from_millis(1_900), "{manner:?} {:?}", begun.elapsed());
        assert!(result.contains_key("error") || result["shortened"] == true, "{manner:?} {result:?}");
    }
}

#[tokio::test]
async fn a_redirect_leads_only_where_the_document_allows_and_takes_no_secret_there() {
    let (home, other) = (Receiver::start().await.expect("a receiver"), Receiver::start().await.expect("a receiver"));
    let to = |url: String| Manner::with_header(302, "Location", &url);
    let change =
        |hosts: Value| json!({"headers": {"X-Key": "0123456789"}, "allow_hosts": hosts, "url": home.url("/orders/{id}")});

    home.behave(to(other.url("/x").replace("127.0.0.1", "127.0.0.2")));
    let result = used(&home, change(json!([])), json!({"id": "7"})).await;
    assert_eq!((result["status"].as_u64(), other.received().len()), (Some(302), 0), "another host");

    home.behave(to(other.url("/x")));
    let result = used(&home, change(json!([])), json!({"id": "7"})).await;
    assert_eq!((result["status"].as_u64(), other.received().len()), (Some(200), 1), "the same host");
    assert_eq!(other.received()[0].header("x-key"), None, "but another server");

    home.behave(to(home.url("/round")));
    let before = home.received().len();
    let result = used(&home, change(json!([])), json!({"id": "7"})).await;
    assert_eq!((result["status"].as_u64(), home.received().len() - before), (Some(302), 4), "round and round");
    assert_eq!(home.received().last().and_then(|last| last.header("x-key").map(str::to_owned)), Some("0123456789".into()));

    let mut post = change(json!([]));
    post["method"] = json!("POST");
    home.behave(to(other.url("/x")));
    assert_eq!(used(&home, post, json!({"id": "7"})).await["status"], 302, "what changes something is not sent on");
    assert_eq!(other.received().len(), 1);
}

#[tokio::test]
async fn what_is_behind_the_firewall_is_not_reached_whatever_leads_there() {
    let receiver = Receiver::start().await.expect("a receiver");
    let inside = json!({"url": receiver.url("/orders/{id}"), "headers": {"X-Key": "0123456789"}});
    let tool = WebTool::new(&settings(inside), allowing(&[])).expect("a tool");
    let refused = outcome(&tool, json!({"id": "7"})).await.result;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("no public address")), "{refused:?}");
    assert_eq!((refused["retryable"].as_bool(), receiver.received().len()), (Some(false), 0));

    // By a redirect to the metadata of a cloud.
    receiver.behave(Manner::with_header(302, "Location", "http://169.254.169.254/latest/"));
    let allowed = json!({"url": receiver.url("/orders/{id}"), "allow_hosts": ["169.254.169.254"]});
    let refused = used(&receiver, allowed, json!({"id": "7"})).await;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("no public address")), "{refused:?}");
}

#[test]
fn no_secret_is_in_what_is_printed() {
    let tool = WebTool::new(&settings(json!({"headers": {"X-Key": "0123456789"}})), allowing(&[])).expect("a tool");
    assert!(!format!("{tool:?}").contains("0123456789"));
}
