//! Figures of calls and lines, and lists of calls as CSV.

use super::world::{NOW, World};
use callie_domain::record::{Cdr, Direction, EndReason, EngineAnswers, Histogram, TalkSummary, Termination};
use callie_domain::{CallId, UserId};
use callie_store::analytics::Watched;
use callie_store::{AnalyticsStore, RecordStore};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn before_now(minutes: i64) -> Timestamp {
    NOW.parse::<Timestamp>().expect("valid") - SignedDuration::from_mins(minutes)
}

fn call(user: &str, minutes: i64, direction: Direction, reason: EndReason) -> Cdr {
    let begun = before_now(minutes);
    let is_answered = reason == EndReason::RemoteHungUp;
    let mut latency = Histogram::default();
    latency.add(700);
    let talk = TalkSummary {
        turns: 3,
        caller_ms: 1_000,
        agent_ms: 3_000,
        answers: 1,
        latency_p50_ms: Some(700),
        latency_p95_ms: Some(700),
        engines: vec![EngineAnswers { engine: "gemini".to_owned(), latency }],
        ..TalkSummary::default()
    };
    Cdr {
        from: "=cmd".to_owned(),
        to: "+43 1 234".to_owned(),
        answered_at: is_answered.then_some(begun),
        ended_at: Some(begun + SignedDuration::from_secs(60)),
        termination: Some(Termination::new(reason)),
        talk: is_answered.then_some(talk),
        ..Cdr::begun(CallId::new(begun, u128::from(minutes.unsigned_abs())), user.parse().expect("valid"), direction, begun)
    }
}

/// Four calls of two users, and a line of alice's that was up for an hour of two.
async fn world() -> World {
    let world = World::with_alice().await;
    for cdr in [
        call("alice", 30, Direction::Inbound, EndReason::RemoteHungUp),
        call("alice", 40, Direction::Outbound, EndReason::CalleeBusy),
        call("alice", 60 * 24, Direction::Inbound, EndReason::RemoteHungUp),
        call("bob", 31, Direction::Inbound, EndReason::CallerCancelled),
    ] {
        world.queue.finish(&cdr, &[]).await.expect("kept");
        world.store.finish(&cdr, &[]).await.expect("kept");
    }
    let user_id: UserId = "alice".parse().expect("valid");
    let watched = |from, until, is_registered| Watched {
        user_id: user_id.clone(),
        from: before_now(from),
        until: before_now(until),
        is_registered,
    };
    world.queue.keep_line_spans(vec![watched(120, 60, false), watched(60, 0, true)]).await.expect("kept");
    world
}

#[tokio::test]
async fn calls_and_lines_are_shown_in_figures() {
    let world = world().await;
    let report = world.get("/users/alice/analytics?from=2026-01-14T00:00:00Z&time_zone=Europe/Vienna").await.json();
    let total = &report["total"];
    assert_eq!((total["calls"].clone(), total["inbound"].clone(), total["answered"].clone()), (json!(3), json!(2), json!(2)));
    assert_eq!(total["outcomes"]["busy"], 1);
    assert_eq!((total["talk_seconds"].as_f64(), total["average_duration_seconds"].as_f64()), (Some(120.0), Some(60.0)));
    assert_eq!(total["speech"]["agent_share"].as_f64(), Some(0.75));
    assert_eq!((total["engines"][0]["engine"].as_str(), total["latency"]["answers"].as_u64()), (Some("gemini"), Some(2)));
    assert_eq!(total["lines"]["uptime"].as_f64(), Some(0.5));
    let days: Vec<_> = report["groups"].as_array().expect("groups").iter().map(|day| day["calls"].clone()).collect();
    assert_eq!((report["group"].as_str(), days), (Some("day"), vec![json!(1), json!(2)]), "by the days of Vienna");
    assert_eq!(report["groups"][1]["from"], "2026-01-14T23:00:00Z");

    let all = world.get("/analytics?group=none").await.json();
    assert_eq!(
        (all["user_id"].clone(), all["total"]["calls"].clone(), all["groups"].clone()),
        (json!(null), json!(4), json!([]))
    );
    assert_eq!(all["from"], "2025-12-16T10:30:00Z", "thirty days");
    let nothing = world.get("/analytics?from=2020-01-01T00:00:00Z&to=2020-01-01T00:00:00Z").await.json();
    assert_eq!((nothing["total"]["answer_rate"].clone(), nothing["total"]["latency"].clone()), (json!(null), json!(null)));
}

#[tokio::test]
async fn figures_are_given_as_a_table() {
    let world = world().await;
    let reply = world.get("/analytics?from=2026-01-15T09:00:00Z&group=hour&format=csv").await;
    assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
    let text = String::from_utf8(reply.bytes).expect("text");
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert!(rows.iter().all(|row| row.split(',').count() == 26), "{text}");
    assert!(rows[1].starts_with("2026-01-15T09:00:00Z,2026-01-15T10:00:00Z,2,1,1,0,"), "{text}");
    assert!(rows[2].starts_with("2026-01-15T10:00:00Z,2026-01-15T10:30:00Z,1,1,0,1,1.0000,1,0,"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_grouped_is_refused() {
    let world = world().await;
    for (query, fields) in [
        ("group=month", vec!["group"]),
        ("time_zone=Mars/Base", vec!["time_zone"]),
        ("from=yesterday&format=xml", vec!["format", "from"]),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", vec!["from"]),
        ("from=2020-01-01T00:00:00Z&group=hour", vec!["group"]),
    ] {
        let reply = world.get(&format!("/analytics?{query}")).await;
        assert_eq!((reply.status, reply.fields()), (422, fields.into_iter().map(str::to_owned).collect::<Vec<_>>()), "{query}");
    }
    assert_eq!(world.get("/users/nobody/analytics").await.status, 404);
}

#[tokio::test]
async fn calls_are_filtered_by_length_and_exported() {
    let world = world().await;
    let list = world.get("/calls?min_duration=59.5&max_duration=60").await.json();
    assert_eq!(list["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["calls"][0]["talk"]["agent_share"].as_f64(), Some(0.75));
    assert_eq!(world.get("/calls?min_duration=-1").await.fields(), ["min_duration"]);
    let reply = world.send("GET", "/calls?user_id=alice", &[("accept", "text/csv")], "").await;
    let text = String::from_utf8(reply.bytes).expect("text");
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 4, "{text}");
    assert!(rows[0].starts_with("id,user_id,direction,from,to,"), "{text}");
    assert!(rows[1].contains(",alice,inbound,\"'=cmd\",+43 1 234,"), "no formula: {text}");
    assert!(rows[1].contains(",60.000,completed,remote_hung_up,"), "{text}");
    let two = world.get("/calls?format=csv&limit=2").await;
    assert_eq!(String::from_utf8_lossy(&two.bytes).matches("\r\n").count(), 3);
}
