//! The catalogue and its tools against the lab's server, in all its manners.

use super::catalogue::{Catalogue, Gathered, WAIT};
use super::listed::{Listed, MOST_TOOLS, name_for_model, usable};
use crate::config::PrivateTargets;
use crate::outside::GuardedClient;
use callie_ai::tools::{Object, Tool, Work};
use callie_domain::user::{McpServer as Settings, input::UserInput};
use callie_domain::{MacAddress, User};
use callie_lab::mcp::{Manner, McpServer, tool};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const PATIENCE: Duration = Duration::from_secs(15);

fn user(servers: Value) -> User {
    let body = json!({"user_id": "alice", "display_name": "Alice", "sip_username": "alice", "sip_password": "p",
        "ai": {"tools": {"mcp": servers}}});
    UserInput::from_new_json(&body).expect("valid").create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("valid")
}

/// One that may reach loopback, or nothing but what is public.
struct World {
    catalogue: Catalogue,
    looks: TaskTracker,
}

impl World {
    fn new(nets: &[&str]) -> Self {
        let nets = nets.iter().map(|net| net.parse().expect("a net")).collect();
        let client = GuardedClient::new(PrivateTargets { nets, hosts: Vec::new() }).expect("a client");
        let looks = TaskTracker::new();
        Self { catalogue: Catalogue::new(client, looks.clone(), CancellationToken::new()), looks }
    }

    async fn gather(&self, user: &User) -> Gathered {
        self.catalogue.gather(user, None).expect("there are servers").await
    }

    /// As a call that begins when every look is over.
    async fn known(&self, user: &User) -> Gathered {
        self.gather(user).await;
        self.looks.close();
        tokio::time::timeout(PATIENCE, self.looks.wait()).await.expect("every look ends");
        self.looks.reopen();
        self.gather(user).await
    }
}

fn loopback() -> World {
    World::new(&["127.0.0.0/8"])
}

fn names(gathered: &Gathered) -> Vec<&str> {
    gathered.tools.iter().map(|tool| tool.name()).collect()
}

async fn used(gathered: &Gathered, name: &str, arguments: Value) -> Object {
    let Value::Object(arguments) = arguments else { panic!("an object") };
    let tool: &Arc<dyn Tool> = gathered.tools.iter().find(|tool| tool.name() == name).expect("it is offered");
    match tool.call(&arguments) {
        Work::Done(outcome) => outcome.result,
        Work::Later(work) => work.await.result,
    }
}

fn error(result: &Object) -> (&str, bool) {
    (result["error"].as_str().unwrap_or_default(), result["retryable"] == true)
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_tools_of_a_server_are_offered_and_used_in_a_session_of_the_calls_own() {
    for manner in [Manner::Json, Manner::Stream] {
        let (server, world) = (McpServer::start().await.expect("a server"), loopback());
        server.behave(manner.clone());
        let alice = user(json!([{"name": "cal", "url": server.url(), "headers": {"Authorization": "Bearer s3cr3t-token"}}]));
        let call = world.known(&alice).await;
        assert_eq!(names(&call), ["cal_list_events", "cal_book", "cal_wait", "cal_whoami"], "{manner:?}: all pages");
        assert_eq!(call.complaints, Vec::<String>::new());
        let looked = server.begun();

        let events = used(&call, "cal_list_events", json!({"day": "Monday"})).await;
        assert_eq!(events["output"], json!({"day": "Monday", "events": ["Dentist at nine"]}));
        assert_eq!(error(&used(&call, "cal_book", json!({"day": "Monday"})).await), ("The calendar is full.", true));
        let waited = used(&call, "cal_wait", json!({})).await;
        assert_eq!(waited["output"], "Waited.\n(an image, which cannot be shown in a call)");
        let who = used(&call, "cal_whoami", json!({})).await;
        assert_eq!(who["output"], "***", "it was sent, and does not come back");
        assert_eq!(server.begun(), looked + 1, "one session for the whole call");
        drop(call);
        until("the session is closed", || server.sessions() == 0).await;
    }
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_not_sent() {
    let (server, world) = (McpServer::start().await.expect("a server"), loopback());
    let call = world.known(&user(json!([{"name": "cal", "url": server.url()}]))).await;
    for arguments in [json!({}), json!({"day": 7})] {
        let result = used(&call, "cal_list_events", arguments).await;
        assert!(error(&result).0.starts_with("the arguments are not as they must be") && error(&result).1, "{result:?}");
    }
    assert!(!server.methods().iter().any(|method| method.starts_with("tools/call")), "{:?}", server.methods());
}

#[tokio::test]
async fn a_server_that_is_down_or_hangs_delays_a_call_once_and_by_little() {
    let (hangs, closed) = (McpServer::start().await.expect("a server"), McpServer::start().await.expect("a server").url());
    hangs.behave(Manner::Hang);
    let world = loopback();
    let alice = user(json!([{"name": "hangs", "url": hangs.url()}, {"name": "down", "url": closed}]));
    let begun = Instant::now();
    let call = world.gather(&alice).await;
    assert!(begun.elapsed() < WAIT + Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(call.tools.len(), 0);
    assert_eq!(call.complaints[0], "the server hangs has not said yet which tools it has");

    let call = world.known(&alice).await;
    let complaints = call.complaints.join("; ");
    assert!(
        complaints.contains("hangs gives no tools: no answer within 8 s") && complaints.contains("down gives no tools"),
        "{complaints}"
    );
    let begun = Instant::now();
    assert_eq!(world.gather(&alice).await.tools.len(), 0);
    assert!(begun.elapsed() < Duration::from_millis(100), "it is known by now: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_no_server_for_us() {
    for (manner, wanted) in [(Manner::WhoAreYou, "check its headers"), (Manner::Page, "no session")] {
        let (server, world) = (McpServer::start().await.expect("a server"), loopback());
        server.behave(manner.clone());
        let url = format!("{}?key=s3cr3t-token", server.url());
        let call = world.known(&user(json!([{"name": "cal", "url": url}]))).await;
        let complaint = call.complaints.join("; ");
        assert!(complaint.contains(wanted) && !complaint.contains("s3cr3t"), "{manner:?}: {complaint}");
    }
}

#[tokio::test]
async fn what_is_behind_the_firewall_is_not_reached() {
    let server = McpServer::start().await.expect("a server");
    let port = server.url().rsplit(':').next().expect("a port").to_owned();
    for url in [server.url(), format!("http://localhost:{port}"), "http://169.254.169.254/mcp".to_owned()] {
        let call = World::new(&[]).known(&user(json!([{"name": "cal", "url": url}]))).await;
        let complaint = call.complaints.join("; ");
        assert!(complaint.contains("no public address"), "{url}: {complaint}");
    }
    assert_eq!(server.methods(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tool_that_takes_too_long_is_answered_and_a_lost_session_replaced() {
    let (server, world) = (McpServer::start().await.expect("a server"), loopback());
    let alice = user(json!([{"name": "cal", "url": server.url(), "timeout_s": 1}]));
    let call = world.known(&alice).await;
    let begun = Instant::now();
    let slow = used(&call, "cal_wait", json!({"ms": 5_000})).await;
    assert_eq!(error(&slow), ("the server did not answer within 1 s", true));
    assert!(begun.elapsed() < Duration::from_millis(1_400), "{:?}", begun.elapsed());
    assert!(used(&call, "cal_wait", json!({"ms": 1})).await["output"].is_string(), "the session goes on");
    server.forget_sessions();
    assert!(used(&call, "cal_wait", json!({"ms": 1})).await["output"].is_string(), "another session");
}

#[tokio::test]
async fn a_changed_document_is_looked_at_anew_and_a_known_server_is_not() {
    let (server, world) = (McpServer::start().await.expect("a server"), loopback());
    let all = world.known(&user(json!([{"name": "cal", "url": server.url()}]))).await;
    assert_eq!(all.tools.len(), 4);
    let looks = server.begun();
    let some = world.known(&user(json!([{"name": "cal", "url": server.url(), "allow": ["book"]}]))).await;
    assert_eq!(names(&some), ["cal_book"]);
    assert_eq!(server.begun(), looks + 1);
    let again = world.gather(&user(json!([{"name": "cal", "url": server.url(), "allow": ["book"]}]))).await;
    assert_eq!((names(&again), server.begun()), (vec!["cal_book"], looks + 1), "what is known is not asked for again");
}

#[test]
fn what_a_server_says_of_its_tools_is_not_believed() {
    let server: Settings = user(json!([{"name": "cal", "url": "https://cal.example/mcp"}])).tools.mcp.remove(0);
    let listed = |name: &str, parameters: Value| {
        let described = tool(name, parameters);
        Listed {
            name: name.to_owned(),
            description: "Does\u{7}\nthings. ".repeat(200),
            parameters: described["inputSchema"].clone(),
        }
    };
    let object = || json!({"type": "object"});
    for (name, parameters, complaint) in [
        ("ok", object(), None),
        ("with-dash.and/slash", object(), None),
        ("", object(), Some("no name")),
        (&*"x".repeat(64), object(), Some("no name")),
        ("list", json!([]), Some("no schema of an object")),
        ("text", json!({"type": "string"}), Some("no schema of an object")),
        ("fish", json!({"type": "object", "properties": {"a": {"type": "fish"}}}), Some("no JSON Schema")),
        ("far", json!({"type": "object", "properties": {"a": {"$ref": "https://evil.example/x"}}}), Some("no JSON Schema")),
        ("long", json!({"type": "object", "x": "y".repeat(20_000)}), Some("more than 16384 bytes")),
    ] {
        let (usable, complaints) = usable(&server, vec![listed(name, parameters)]);
        match complaint {
            None => {
                assert_eq!((usable.len(), complaints.len()), (1, 0), "{name}");
                let description = &usable[0].description;
                assert!(description.chars().count() <= 1_000 && !description.contains(char::is_control));
            }
            Some(wanted) => assert!(usable.is_empty() && complaints[0].contains(wanted), "{name}: {complaints:?}"),
        }
    }
    assert_eq!(name_for_model(&server, "with-dash.and/slash").as_deref(), Some("cal_with_dash_and_slash"));
    let (kept, complaints) = usable(&server, vec![listed("a-b", object()), listed("a.b", object())]);
    assert!(kept.len() == 1 && complaints[0].contains("the name of another one"), "{complaints:?}");
    let many = (0..100).map(|n| listed(&format!("t{n}"), object())).collect();
    let (kept, complaints) = usable(&server, many);
    assert!(kept.len() == MOST_TOOLS && complaints.len() == 1, "{complaints:?}");
}
