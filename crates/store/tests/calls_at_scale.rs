//! A million calls of ten thousand users: every list that people ask for within 200 ms, and every sum within a second. It takes minutes to fill the
//! database, so it is run by name: `cargo test -p callie-store --test calls_at_scale -- --ignored --nocapture`.

use callie_domain::analytics::{Group, Span, groups, whole_quarters};
use callie_domain::record::{CallResult, Cdr, Direction, EndReason, Termination};
use callie_domain::{CallId, UserId};
use callie_store::{AnalyticsStore, CallFilter, Keyring, RecordStore, SqliteStore};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLS: i64 = 1_000_000;
const USERS: i64 = 10_000;
/// A year.
const SPAN_S: i64 = 365 * 24 * 3_600;
const BOUND: Duration = Duration::from_millis(200);
/// Of sums, over a year of all users.
const SUM_BOUND: Duration = Duration::from_secs(1);

fn begun(n: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + n * SPAN_S / CALLS).expect("a time")
}

fn user(n: i64) -> UserId {
    format!("user{}", n.rem_euclid(USERS)).parse().expect("valid")
}

fn id(n: i64) -> CallId {
    CallId::new(begun(n), u128::from(n.unsigned_abs()))
}

/// As `record.rs` writes them, in one transaction.
fn fill(path: &Path) {
    let mut conn = Connection::open(path).expect("opened");
    conn.pragma_update(None, "synchronous", "OFF").expect("set");
    conn.pragma_update(None, "cache_size", -200_000).expect("set");
    let tx = conn.transaction().expect("begun");
    for n in 0..CALLS {
        let (begun, user) = (begun(n), user(n * 7_919));
        let reason = match n % 100 {
            0..=79 => EndReason::RemoteHungUp,
            80..=89 => EndReason::NoAnswer,
            90..=98 => EndReason::CalleeBusy,
            _ => EndReason::RtpLost,
        };
        // Some few are much longer, and much slower, than all others.
        let length_s = if n % 50_000 == 17 { 7_200 } else { n * 31 % 900 };
        let latency_ms = if n % 20_000 == 23 { 9_000 } else { 400 + n * 17 % 1_200 };
        let direction = if n % 3 == 0 { Direction::Outbound } else { Direction::Inbound };
        let cdr = Cdr {
            from: format!("+43{n}"),
            to: user.to_string(),
            answered_at: Some(begun),
            ended_at: Some(begun + SignedDuration::from_secs(length_s)),
            termination: Some(Termination::new(reason)),
            ..Cdr::begun(id(n), user.clone(), direction, begun)
        };
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let direction = word(serde_json::to_value(direction).expect("a word"));
        let result = word(serde_json::to_value(reason.result()).expect("a word"));
        let sql = "INSERT INTO calls (id, user_id, direction, result, reason, started_ms, answered_ms, ended_ms, cdr, duration_ms, latency_ms)
            VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?5, ?6, ?7, ?8, ?9)";
        let start = begun.as_millisecond();
        let json = serde_json::to_string(&cdr).expect("JSON");
        let call = cdr.id.to_string();
        tx.prepare_cached(sql)
            .and_then(|mut insert| {
                insert.execute(params![
                    call,
                    user.as_str(),
                    direction,
                    result,
                    start,
                    start + length_s * 1_000,
                    json,
                    length_s * 1_000,
                    latency_ms
                ])
            })
            .expect("written");
        let slot = start - start % 900_000;
        for of in [user.as_str(), ""] {
            let sql = "INSERT INTO call_slots VALUES (?1, ?2, ?3, ?4, 1, 1, ?5, 1000, 2000)
                ON CONFLICT DO UPDATE SET calls = calls + 1, answered = answered + 1, duration_ms = duration_ms + ?5";
            let sum = params![of, slot, direction, result, length_s * 1_000];
            tx.prepare_cached(sql).and_then(|mut insert| insert.execute(sum)).expect("written");
            let sql =
                "INSERT INTO answer_slots VALUES (?1, ?2, 'gemini', ?3, 1, 0) ON CONFLICT DO UPDATE SET answers = answers + 1";
            tx.prepare_cached(sql)
                .and_then(|mut insert| insert.execute(params![of, slot, latency_ms / 100 % 19]))
                .expect("written");
        }
        let said = if n % 10_000 == 5 { "My boiler leaks, hello" } else { "Hello, I would like an appointment" };
        let turn = format!(r#"{{"index":0,"speaker":"caller","started_ms":0,"ended_ms":900,"text":"{said}"}}"#);
        let sql = "INSERT INTO call_texts (call_id, n, text, turn) VALUES (?1, 0, ?2, ?3)";
        tx.prepare_cached(sql).and_then(|mut insert| insert.execute(params![call, said, turn])).expect("written");
    }
    tx.commit().expect("written");
}

/// The median of seven, after one that warms the cache as any list does.
async fn timed<T>(mut ask: impl AsyncFnMut() -> T) -> (T, Duration, Duration) {
    let mut last = ask().await;
    let mut took = Vec::new();
    for _ in 0..7 {
        let begun = Instant::now();
        last = ask().await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    (last, took[3], took[6])
}

#[tokio::test]
#[ignore = "fills a database of a gigabyte"]
async fn a_million_calls_are_listed_filtered_and_added_up_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("callie.db");
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    let store = SqliteStore::open(&path, Arc::new(keyring)).expect("opened");
    let filling = Instant::now();
    fill(&path);
    println!("filled in {:.0?}", filling.elapsed());

    let all = CallFilter::default();
    let one = Some(user(4_711));
    let text = |text: &str| Some(text.to_owned());
    let mut late = Vec::new();
    for (what, filter) in [
        ("the newest", all.clone()),
        ("a page in the middle", CallFilter { before: Some(id(CALLS / 2)), ..all.clone() }),
        ("of one user", CallFilter { user_id: one.clone(), ..all.clone() }),
        ("of a user without calls", CallFilter { user_id: Some("nobody".parse().expect("valid")), ..all.clone() }),
        ("of a day", CallFilter { from: Some(begun(CALLS / 2)), until: Some(begun(CALLS / 2 + 2_740)), ..all.clone() }),
        ("busy", CallFilter { result: Some(CallResult::Busy), ..all.clone() }),
        ("of a result that never was", CallFilter { result: Some(CallResult::Lost), ..all.clone() }),
        (
            "outbound that failed",
            CallFilter { direction: Some(Direction::Outbound), result: Some(CallResult::Failed), ..all.clone() },
        ),
        ("longer than a minute", CallFilter { min_duration_ms: Some(60_000), ..all.clone() }),
        ("longer than an hour, of which there are 20", CallFilter { min_duration_ms: Some(3_600_000), ..all.clone() }),
        ("slower than 5 s, of which there are 50", CallFilter { min_latency_ms: Some(5_000), ..all.clone() }),
        (
            "nothing that could be, of common things",
            CallFilter {
                max_duration_ms: Some(400_000),
                min_duration_ms: Some(300_000),
                max_latency_ms: Some(399),
                ..all.clone()
            },
        ),
        ("of a rare word", CallFilter { text: text("boiler"), ..all.clone() }),
        ("of a word in every call", CallFilter { text: text("hello"), ..all.clone() }),
        ("of a user, a common word", CallFilter { user_id: one.clone(), text: text("hello"), ..all.clone() }),
        ("of 500", CallFilter { limit: 500, ..all.clone() }),
    ] {
        let (page, median, worst) = timed(async || store.list(&filter).await.expect("read")).await;
        println!("{what}: {} calls, median {median:.1?}, worst {worst:.1?}", page.calls.len());
        if median > BOUND {
            late.push(what);
        }
    }
    let year = whole_quarters((begun(0), begun(CALLS)));
    let month = whole_quarters((begun(CALLS * 11 / 12), begun(CALLS)));
    let vienna = TimeZone::get("Europe/Vienna").expect("a zone");
    for (what, of, span, group) in [
        ("a year of all by day", None, year, Group::Day),
        ("a year of all in one", None, year, Group::All),
        ("a month of all by hour", None, month, Group::Hour),
        ("a year of one user by week", one, year, Group::Week),
    ] {
        let spans: Vec<Span> = groups(span, group, &vienna).expect("not too many");
        let (sums, median, worst) = timed(async || store.sums(of.as_ref(), &spans).await.expect("read")).await;
        let calls: i64 = sums.iter().flat_map(|sums| &sums.calls).map(|sum| sum.calls).sum();
        println!("{what}: {calls} calls in {} groups, median {median:.1?}, worst {worst:.1?}", spans.len());
        if median > SUM_BOUND {
            late.push(what);
        }
    }
    assert!(late.is_empty(), "later than {BOUND:?}, or {SUM_BOUND:?}: {late:?}");
}
