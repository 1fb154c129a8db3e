//! `/metrics` and `/latency`.

use super::world::World;
use serde_json::json;

#[tokio::test]
async fn prometheus_and_people_are_told_what_was_counted() {
    let world = World::with_alice().await;
    let metrics = world.get("/metrics").await;
    let text = metrics.text();
    assert_eq!(metrics.status, 200);
    assert!(text.contains("# TYPE callie_calls_active gauge\ncallie_calls_active 0\n"), "{text}");
    assert!(text.lines().all(|line| line.starts_with('#') || line.split(' ').count() == 2), "{text}");
    for line in
        ["callie_health_status{check=\"server\"} 0", "callie_health_status{check=\"store\"} 0", "callie_media_ticks_total 200"]
    {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    for path in ["/latency", "/latency?user_id=alice"] {
        let latency = world.get(path).await;
        assert_eq!((latency.status, latency.json()), (200, json!({"engines": []})), "{path}");
    }
    let refused = world.get("/latency?user_id=a%20b").await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["user_id".to_owned()]));
}
