//! What was dialled and spent, and whom not to call.

use callie_domain::prices::bill::Placed;
use callie_domain::prices::{Cost, Modality, PriceTable, Unit, Use};
use callie_domain::record::{Cdr, Direction, EndReason, LegSummary, Termination, TokenCounts};
use callie_domain::user::limits::Micros;
use callie_domain::{CallId, UserId};
use callie_store::toll::{DoNotCall, TollStore};
use callie_store::{Keyring, RecordStore, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).expect("a time")
}

fn user(name: &str) -> UserId {
    name.parse().expect("valid")
}

fn open(folder: &TempDir) -> SqliteStore {
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened")
}

fn a_cost(model: &str, seconds: u64) -> Option<Cost> {
    let text = r#"{"currency": "EUR", "models": [{"engine": "e", "models": ["m"], "per_million": {"text_input": 2}, "date": "", "source": ""}],
        "carrier": [{"prefix": "+", "per_minute": 0.6, "date": "", "source": ""}]}"#;
    let table = PriceTable::parse(text).expect("a table");
    let tokens = TokenCounts { input_tokens: 1_000, ..TokenCounts::default() };
    let used = Use { engine: "e".to_owned(), model: model.to_owned(), tokens };
    let leg = Placed { to: "x".to_owned(), number: Some("49".to_owned()), seconds };
    Cost::of(&[used], &[leg], &table)
}

/// A call of ten seconds that began at `second`.
fn a_call(name: &str, second: i64, direction: Direction, reason: EndReason, cost: Option<Cost>) -> Cdr {
    Cdr {
        from: "a".to_owned(),
        to: "b".to_owned(),
        answered_at: (reason == EndReason::RemoteHungUp).then(|| at(second + 5)),
        ended_at: Some(at(second + 15)),
        termination: Some(Termination::new(reason)),
        config_revision: 1,
        cost,
        ..Cdr::begun(CallId::new(at(second), 1), user(name), direction, at(second))
    }
}

#[tokio::test]
async fn what_was_dialled_and_spent_is_added_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder);
    let (inbound, outbound, done) = (Direction::Inbound, Direction::Outbound, EndReason::RemoteHungUp);
    let human = LegSummary { to: "+49".to_owned(), sip_call_id: String::new(), answered_at: Some(at(42)), media: None };
    let handed_over = Cdr { legs: vec![human], ..a_call("alice", 30, inbound, done, a_cost("m", 3)) };
    for cdr in [
        a_call("alice", 0, outbound, done, a_cost("m", 10)),
        a_call("alice", 10, outbound, EndReason::NoAnswer, None),
        a_call("alice", 20, outbound, EndReason::DestinationNotAllowed, None),
        handed_over,
        a_call("alice", 40, inbound, done, None),
        a_call("alice", 50, inbound, done, a_cost("unknown", 0)),
        a_call("bob", 55, outbound, done, None),
        a_call("alice", 60, outbound, done, a_cost("m", 10)),
    ] {
        store.begin(&cdr).await.expect("begun");
        store.finish(&cdr, &[]).await.expect("written");
    }
    let spent = store.spent_since(at(1)).await.expect("read");
    let shown: Vec<_> = spent.iter().map(|(user, s)| (user.as_str(), s.started_at, s.dialled, s.talk_ms, s.cost.0)).collect();
    let want = [
        ("alice", at(10), 1, 0, 0),
        ("alice", at(30), 1, 3_000, 32_000),
        ("bob", at(55), 1, 10_000, 0),
        ("alice", at(60), 1, 10_000, 102_000),
    ];
    assert_eq!(shown, want);
    assert_eq!(Micros(102_000).to_string(), "0.10");

    let costs = store.costs(&user("alice"), at(0), at(60)).await.expect("read");
    assert_eq!((costs.calls, costs.talk_ms), (6, 40_000));
    let sums: Vec<_> = costs
        .sums
        .iter()
        .map(|s| (s.engine.as_str(), s.model.as_str(), s.modality, s.unit, s.quantity, s.amount_micros, s.priced))
        .collect();
    let want = [
        ("carrier", "", None, Unit::Seconds, 13, 130_000, 13),
        ("e", "m", Some(Modality::TextInput), Unit::Tokens, 2_000, 4_000, 2_000),
        ("e", "unknown", Some(Modality::TextInput), Unit::Tokens, 1_000, 0, 0),
    ];
    assert_eq!(sums, want);
    assert!(costs.sums.iter().all(|sum| sum.currency == "EUR"));
    assert_eq!(store.costs(&user("carol"), at(0), at(60)).await.expect("read").calls, 0);
}

fn entry(number: &str, note: Option<&str>) -> DoNotCall {
    DoNotCall { number: number.to_owned(), note: note.map(str::to_owned), added_at: at(0) }
}

#[tokio::test]
async fn a_list_is_kept_and_followed_whoever_changes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (alice, bob) = (user("alice"), user("bob"));
    let mut store = open(&folder);
    let listed = |store: &SqliteStore, numbers: &[&str]| {
        store.is_listed(&alice, &numbers.iter().map(|number| (*number).to_owned()).collect::<Vec<_>>())
    };
    let three = [entry("+491", Some("asked not to")), entry("+492", None), entry("bob", None)];
    assert_eq!(store.add_do_not_call(&alice, &three).await.expect("added"), 3);
    assert_eq!(store.add_do_not_call(&alice, &[entry("+491", Some("again")), entry("+493", None)]).await.expect("added"), 1);
    assert!(listed(&store, &["+499", "+492"]) && !listed(&store, &["+499"]) && !store.is_listed(&bob, &["+491".to_owned()]));
    store.close().await;
    store = open(&folder);
    assert!(listed(&store, &["bob"]), "after a restart");
    let page = store.do_not_call(&alice, Some("+491"), 2).await.expect("read");
    assert_eq!(page.iter().map(|entry| entry.number.as_str()).collect::<Vec<_>>(), ["+492", "+493"]);
    assert_eq!(store.do_not_call(&alice, None, 1).await.expect("read"), [entry("+491", Some("again"))]);
    assert_eq!(store.remove_do_not_call(&alice, &["+492".to_owned(), "+499".to_owned()]).await.expect("removed"), 1);
    assert!(!listed(&store, &["+492"]));
    // Another program.
    let other = rusqlite::Connection::open(folder.path().join("callie.db")).expect("opened");
    other.execute("INSERT INTO do_not_call (user_id, number, added_ms) VALUES ('alice', '+497', 0)", []).expect("written");
    let seen = async {
        while !listed(&store, &["+497"]) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), seen).await.is_ok(), "its edits are seen");
}
