//! Who is let in, what is said at doors that are none, and what is written in the log.

use super::guide::ALICE;
use super::world::World;
use crate::api::Phase;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[tokio::test]
async fn strangers_are_refused_at_every_door() {
    let world = World::with_alice().await;
    for (headers, want) in [
        (vec![("host", "evil.example")], 421),
        (vec![("host", "localhost:9999")], 421),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("origin", "null"), ("content-type", "text/plain")], 403),
    ] {
        for (method, path) in [
            ("GET", "/users"),
            ("POST", "/users"),
            ("DELETE", "/users/alice"),
            ("GET", "/events"),
            ("GET", "/docs/"),
            ("GET", "/openapi.json"),
            ("GET", "/nowhere"),
        ] {
            assert_eq!(world.send(method, path, &headers, ALICE).await.status, want, "{method} {path} {headers:?}");
        }
    }
    assert!(world.store.user("alice").is_some(), "nothing was deleted");
}

#[tokio::test]
async fn our_own_pages_may_ask() {
    let world = World::new();
    let headers = [("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")];
    assert_eq!(world.send("POST", "/users", &headers, ALICE).await.status, 201);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::with_alice().await;
    for (method, path, want) in [
        ("GET", "/nowhere", 404),
        ("GET", "/docs/nowhere", 404),
        ("GET", "/users/alice/nowhere", 404),
        ("POST", "/users/alice/sip/reconnect", 404),
        ("DELETE", "/users", 405),
        ("PATCH", "/users/alice", 405),
        ("GET", "/users/alice/call", 405),
        ("POST", "/admin/status", 405),
        ("POST", "/", 405),
    ] {
        let reply = world.send(method, path, &[], "").await;
        assert_eq!(reply.status, want, "{method} {path}");
    }
    let refused = world.send("PATCH", "/users/alice", &[], "").await;
    for method in ["GET", "PUT", "DELETE"] {
        assert!(refused.header("allow").contains(method), "Allow: {}", refused.header("allow"));
    }
}

#[tokio::test]
async fn a_bug_in_a_handler_is_a_500_and_no_more() {
    let world = World::new();
    world.exchange.panics.store(true, Relaxed);
    let reply = world.get("/calls/active").await;
    assert_eq!(reply.status, 500);
    assert!(!reply.text().contains("on cue"), "the panic's text stays in the log");
    world.exchange.panics.store(false, Relaxed);
    assert_eq!(world.get("/calls/active").await.status, 200);
}

#[tokio::test]
async fn readiness_follows_the_phase() {
    let world = World::new();
    for (phase, status, word) in
        [(Phase::Starting, 503, "starting"), (Phase::Running, 200, "ready"), (Phase::Stopping, 503, "stopping")]
    {
        world.phase.send_replace(phase);
        for path in ["/health/ready", "/health"] {
            assert_eq!(world.get(path).await.status, status, "{path} {phase:?}");
        }
        assert!(world.get("/health/ready").await.text().contains(word), "{phase:?}");
        assert_eq!(world.get("/health/live").await.status, 200, "{phase:?}");
    }
}

#[tokio::test]
async fn the_front_door_names_the_others() {
    let world = World::new();
    let root = world.get("/").await.json();
    assert_eq!((&root["name"], &root["version"], &root["docs"]), (&json!("callie"), &json!("9.9.9"), &json!("/docs")));
    assert_eq!(world.get("/docs").await.status, 303);
    let page = world.get("/docs/").await;
    assert!(page.status == 200 && page.text().contains("swagger"));
    assert_eq!(world.get("/openapi.json").await.json()["info"]["title"], "Callie Caller");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn talk() {
    let world = World::with_alice().await;
    world.post("/users/alice/sip/connect", "").await;
    world.post("/users/alice/call", r#"{"number": "+1234567890", "message": "psst"}"#).await;
    world.put("/users/alice", r#"{"sip_password": "new_secure_password", "sip_port": "x"}"#).await;
    world.post("/users", r#"{"sip_password": "pass1001""#).await;
    world.get("/calls?user_id=hush").await;
}

#[tokio::test]
async fn the_log_has_a_line_for_each_request_and_no_body() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_max_level(tracing::Level::TRACE).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // Other tests without a subscriber may have silenced these log lines for the whole process; the second round is heard.
    talk().await;
    tracing::callsite::rebuild_interest_cache();
    talk().await;
    let log = String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("text");
    for line in ["POST /users gave 201", "POST /users/alice/call gave 202", "PUT /users/alice gave 422", "GET /calls gave 200"] {
        assert!(log.contains(line), "{line} is missing in {log}");
    }
    for hidden in ["secure_password", "pass1001", "1234567890", "psst", "hush"] {
        assert!(!log.contains(hidden), "{hidden} is in the log: {log}");
    }
}
