//! Health that tells why.

use super::world::World;
use crate::api::Phase;
use crate::health::Verdict;
use jiff::Timestamp;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;

#[tokio::test]
async fn each_check_is_told_with_reason_remedy_and_time() {
    let world = World::new();
    let since: Timestamp = "2026-01-15T09:00:00Z".parse().expect("a time");
    world.health.put("media", Verdict::PASSED, since);
    world.health.put("disk", Verdict::warning("almost full", "make room"), since);
    let ready = world.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    let found = ready.json();
    assert_eq!((&found["status"], &found["reasons"]), (&json!("degraded"), &json!(["almost full"])));
    let disk = json!({"name": "disk", "status": "warning", "since": "2026-01-15T09:00:00Z", "reason": "almost full", "remedy": "make room"});
    assert_eq!(found["checks"][0], disk);
    let names: Vec<_> = found["checks"].as_array().expect("a list").iter().map(|check| check["name"].clone()).collect();
    assert_eq!(names, ["disk", "media", "server", "store"]);
    assert_eq!(world.get("/health").await.json()["checks"], found["checks"]);
    let status = world.get("/admin/status").await.json();
    assert_eq!((&status["system_status"], &status["problems"]), (&json!("degraded"), &json!(["almost full"])));
}

#[tokio::test]
async fn one_part_that_fails_keeps_calls_away_and_is_named() {
    let world = World::new();
    world.health.put("media", Verdict::failed("1 of 2 media threads stand still", "restart"), Timestamp::UNIX_EPOCH);
    for (path, word) in [("/health/ready", "not_ready"), ("/health", "unhealthy")] {
        let found = world.get(path).await;
        assert_eq!((found.status, &found.json()["status"]), (503, &json!(word)), "{path}");
        assert_eq!(found.json()["reasons"], json!(["1 of 2 media threads stand still"]));
    }
    assert_eq!(world.get("/health/live").await.status, 200, "a restart is for whoever reads the reason");
}

#[tokio::test]
async fn a_store_that_is_away_is_told_since_when_and_takes_nobody_out() {
    let world = World::new();
    world.store.down.store(true, Relaxed);
    let found = world.get("/health/ready").await;
    assert_eq!((found.status, &found.json()["status"]), (200, &json!("degraded")));
    let store = |found: &serde_json::Value| {
        found["checks"].as_array().and_then(|checks| checks.iter().find(|check| check["name"] == "store").cloned())
    };
    let check = store(&found.json()).expect("there is one");
    assert_eq!((&check["status"], &check["since"]), (&json!("warning"), &json!(super::world::NOW)));
    assert!(check["remedy"].as_str().is_some_and(|remedy| remedy.contains("calls go on")), "{check}");
    world.phase.send_replace(Phase::Stopping);
    assert_eq!(world.get("/health/ready").await.status, 503, "the worst of them counts");
}
