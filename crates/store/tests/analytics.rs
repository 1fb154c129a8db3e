//! Calls are added up as they end, once each, by quarters; and found by how long and how slow they were.

use callie_domain::analytics::Span;
use callie_domain::prices::{Cost, CostLine, Unit};
use callie_domain::record::{
    AfterCallReport, AfterCallState, CallResult, Cdr, Direction, EndReason, EngineAnswers, Histogram, TalkSummary, Termination,
};
use callie_domain::{CallId, UserId};
use callie_store::after_call::Step;
use callie_store::analytics::{Sums, Watched};
use callie_store::{AfterCallStore, AnalyticsStore, CallFilter, Keyring, RecordStore, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::TempDir;

const HOUR: i64 = 3_600;

fn at(second: i64) -> Timestamp {
    // The beginning of an hour.
    Timestamp::from_second(1_760_000_400 + second).expect("a time")
}

fn user(name: &str) -> UserId {
    name.parse().expect("valid")
}

fn open(folder: &TempDir) -> SqliteStore {
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened")
}

fn euros(amount_micros: i64, is_complete: bool) -> Cost {
    let line = CostLine {
        engine: "e".to_owned(),
        model: "m".to_owned(),
        modality: None,
        quantity: 1,
        unit: Unit::Tokens,
        price: is_complete.then_some(1.0),
        price_date: None,
        amount_micros,
    };
    Cost { currency: "EUR".to_owned(), total_micros: amount_micros, is_complete, lines: vec![line] }
}

/// A call that was answered and lasted so long, with answers after these milliseconds.
fn a_call(name: &str, second: i64, length_s: i64, answers: &[u32], cost: Option<Cost>) -> Cdr {
    let mut latency = Histogram::default();
    answers.iter().for_each(|ms| latency.add(*ms));
    let talk = TalkSummary {
        turns: 2,
        caller_ms: 1_000,
        agent_ms: 3_000,
        answers: u32::try_from(answers.len()).expect("few"),
        latency_p95_ms: answers.iter().max().copied(),
        engines: vec![EngineAnswers { engine: "gemini".to_owned(), latency }],
        ..TalkSummary::default()
    };
    Cdr {
        answered_at: Some(at(second)),
        ended_at: Some(at(second + length_s)),
        termination: Some(Termination::new(EndReason::RemoteHungUp)),
        talk: Some(talk),
        cost,
        ..Cdr::begun(CallId::new(at(second), second.unsigned_abs().into()), user(name), Direction::Inbound, at(second))
    }
}

async fn keep(store: &SqliteStore, cdr: &Cdr) {
    store.begin(&Cdr { termination: None, ended_at: None, ..cdr.clone() }).await.expect("begun");
    store.finish(cdr, &[]).await.expect("finished");
}

/// Calls, answered, seconds, answers and cents of each group.
fn shown(sums: &[Sums]) -> Vec<(i64, i64, i64, u64, i64)> {
    let of = |sums: &Sums| {
        let add = |field: fn(&callie_store::analytics::CallSum) -> i64| sums.calls.iter().map(field).sum::<i64>();
        let answers = sums.answers.values().map(Histogram::count).sum();
        let cost = sums.costs.values().map(|cost| cost.amount_micros / 10_000).sum();
        (add(|s| s.calls), add(|s| s.answered), add(|s| s.duration_ms) / 1_000, answers, cost)
    };
    sums.iter().map(of).collect()
}

#[tokio::test]
async fn calls_are_added_up_once_each_by_user_and_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let refused =
        Cdr { answered_at: None, termination: Some(Termination::new(EndReason::CalleeBusy)), ..a_call("bob", 10, 0, &[], None) };
    for cdr in [
        a_call("alice", 1, 60, &[400, 700], Some(euros(50_000, true))),
        a_call("alice", HOUR - 1, 30, &[], None),
        a_call("alice", HOUR, 10, &[9_000], Some(euros(20_000, false))),
        refused,
    ] {
        keep(&store, &cdr).await;
    }
    // An end that is written again changes the record, not the sums.
    store.finish(&a_call("alice", 1, 60, &[400, 700], Some(euros(50_000, true))), &[]).await.expect("finished");

    let hours: Vec<Span> = (0..3).map(|n| (at(n * HOUR), at((n + 1) * HOUR))).collect();
    let alice = user("alice");
    let of_alice = store.sums(Some(&alice), &hours).await.expect("read");
    assert_eq!(shown(&of_alice), [(2, 2, 90, 2, 5), (1, 1, 10, 1, 2), (0, 0, 0, 0, 0)]);
    assert_eq!(of_alice[0].answers["gemini"].sum_ms, 1_100);
    assert_eq!((of_alice[0].costs["EUR"].incomplete, of_alice[1].costs["EUR"].incomplete), (0, 1));
    assert_eq!(of_alice[0].calls[0].agent_ms, 6_000);
    let of_all = store.sums(None, &hours).await.expect("read");
    assert_eq!(shown(&of_all), [(3, 2, 90, 2, 5), (1, 1, 10, 1, 2), (0, 0, 0, 0, 0)]);
    let busy: Vec<_> = of_all[0].calls.iter().filter(|sum| sum.result == CallResult::Busy).collect();
    assert_eq!((busy.len(), busy[0].calls), (1, 1));
    assert_eq!(shown(&store.sums(Some(&user("carol")), &hours).await.expect("read")), [(0, 0, 0, 0, 0); 3]);
    assert_eq!(store.sums(None, &[]).await.expect("read"), []);
}

#[tokio::test]
async fn sums_of_all_are_those_of_the_users_wherever_groups_begin() {
    const QUARTER: i64 = HOUR / 4;
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    for n in 0..40 {
        let cost = Some(euros(10_000 * n, true));
        keep(&store, &a_call("alice", n * (QUARTER + 7), n, &[400, 9_000], cost)).await;
    }
    let groups: Vec<Span> = [(0, 4), (4, 5), (5, 19), (19, 20), (20, 22), (22, 26), (26, 41)]
        .map(|(from, until)| (at(from * QUARTER), at(until * QUARTER)))
        .to_vec();
    let of_alice = shown(&store.sums(Some(&user("alice")), &groups).await.expect("read"));
    assert_eq!(of_alice.iter().map(|sums| sums.0).sum::<i64>(), 40);
    assert_eq!(shown(&store.sums(None, &groups).await.expect("read")), of_alice);

    // A database from before there were sums by the hour.
    let raw = rusqlite::Connection::open(folder.path().join("callie.db")).expect("opened");
    for table in ["call_slots", "answer_slots", "cost_slots"] {
        raw.execute(&format!("DELETE FROM {table} WHERE user_id = '*'"), []).expect("written");
    }
    assert_ne!(shown(&store.sums(None, &groups).await.expect("read")), of_alice, "they are what is read");
    raw.execute_batch(include_str!("../src/sqlite/migrations/0014_sums_by_hour.sql")).expect("migrated");
    assert_eq!(shown(&store.sums(None, &groups).await.expect("read")), of_alice);
}

#[tokio::test]
async fn what_a_call_costs_afterwards_is_added() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let call = Cdr { after_call: Some(AfterCallReport::waiting()), ..a_call("alice", 1, 60, &[], Some(euros(50_000, true))) };
    keep(&store, &call).await;
    let report = AfterCallReport { state: AfterCallState::Done, ..AfterCallReport::waiting() };
    let step = Step { report, cost: Some(euros(30_000, false)), again_at: None };
    assert!(store.settle_after_call(call.id, &step).await.expect("written").is_some());
    assert!(store.settle_after_call(call.id, &step).await.expect("written").is_none(), "it waits no more");
    let sums = store.sums(None, &[(at(0), at(HOUR))]).await.expect("read");
    assert_eq!((sums[0].costs["EUR"].amount_micros, sums[0].costs["EUR"].incomplete), (80_000, 1));
}

#[tokio::test]
async fn a_call_that_died_with_the_server_is_added_when_it_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    store.begin(&Cdr { termination: None, ended_at: None, ..a_call("alice", 1, 60, &[], None) }).await.expect("begun");
    RecordStore::close_orphans(&store, at(90)).await.expect("closed");
    let sums = store.sums(None, &[(at(0), at(HOUR))]).await.expect("read");
    assert_eq!(sums[0].calls.iter().map(|sum| (sum.result, sum.calls)).collect::<Vec<_>>(), [(CallResult::Lost, 1)]);
}

#[tokio::test]
async fn calls_are_found_by_length_and_latency() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    for n in 0..40 {
        keep(&store, &a_call(if n % 2 == 0 { "alice" } else { "bob" }, n, n, &[u32::try_from(n).expect("small") * 10], None))
            .await;
    }
    let list = async |filter: CallFilter| -> Vec<i64> {
        let page = store.list(&filter).await.expect("read");
        page.calls.iter().map(|cdr| cdr.talk_ms().expect("answered") / 1_000).collect()
    };
    let all = CallFilter::default();
    assert_eq!(list(CallFilter { min_duration_ms: Some(37_000), ..all.clone() }).await, [39, 38, 37]);
    assert_eq!(list(CallFilter { max_duration_ms: Some(1_000), ..all.clone() }).await, [1, 0]);
    assert_eq!(list(CallFilter { min_latency_ms: Some(381), ..all.clone() }).await, [39]);
    let both = CallFilter { min_duration_ms: Some(10_000), max_latency_ms: Some(120), ..all.clone() };
    assert_eq!(list(both.clone()).await, [12, 11, 10]);
    assert_eq!(list(CallFilter { user_id: Some(user("alice")), ..both }).await, [12, 10]);
    let page = CallFilter { min_duration_ms: Some(30_000), limit: 4, ..all };
    let first = store.list(&page).await.expect("read");
    let second = store.list(&CallFilter { before: first.next, ..page }).await.expect("read");
    assert_eq!(second.calls[0].talk_ms(), Some(35_000));
}

#[tokio::test]
async fn times_of_lines_are_kept_and_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let watched =
        |name: &str, from, until, is_registered| Watched { user_id: user(name), from: at(from), until: at(until), is_registered };
    let spans = vec![watched("alice", 0, 10, true), watched("alice", 10, 20, false), watched("bob", 0, 5, true)];
    store.keep_line_spans(spans).await.expect("kept");
    store.keep_line_spans(vec![watched("bob", 0, 30, true)]).await.expect("kept");
    let lengths = async |name: Option<UserId>, span: Span| -> Vec<i64> {
        let spans = store.line_spans(name.as_ref(), span).await.expect("read");
        let mut lengths: Vec<i64> = spans.iter().map(|span| (span.until_ms - span.from_ms) / 1_000).collect();
        lengths.sort_unstable();
        lengths
    };
    assert_eq!(lengths(None, (at(0), at(100))).await, [10, 10, 30]);
    assert_eq!(lengths(Some(user("alice")), (at(10), at(100))).await, [10]);
    assert_eq!(lengths(Some(user("bob")), (at(30), at(100))).await, Vec::<i64>::new());
    assert_eq!(store.prune_line_spans(at(20)).await.expect("pruned"), 1);
    assert_eq!(lengths(None, (at(0), at(100))).await, [10, 30]);
}
