//! A process that commits in a loop is killed (SIGKILL): nothing that it acknowledged may be lost.
//!
//! The test starts itself again as the victim; the victim prints a line after each answer of the store.

use callie_domain::record::{CallEvent, CallFact, Cdr, Direction};
use callie_domain::user::HookEvent;
use callie_domain::user::input::UserInput;
use callie_domain::{CallId, DeliveryId, MacAddress, UserId};
use callie_store::delivery::{Announcer, DeliveryFilter, DeliveryStore, NewDelivery, Written};
use callie_store::{CallFilter, ConfigStore, Keyring, RecordStore, SqliteStore};
use jiff::Timestamp;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const FOLDER: &str = "CALLIE_KILL_TEST_FOLDER";
const ROUNDS: u32 = 6;
/// Lines of the victim before it is killed; the round is added, so that the kill falls at different places.
const LINES: u32 = 20;

fn open(folder: &Path) -> SqliteStore {
    let keyring = Keyring::load_or_create(&folder.join("keyring.json"), Timestamp::UNIX_EPOCH).expect("keys");
    SqliteStore::open(&folder.join("callie.db"), Arc::new(keyring)).expect("opened")
}

/// Not a test of its own: the process that is killed. Without its folder it does nothing.
#[tokio::test]
async fn victim() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = open(Path::new(&folder));
    store.announce_with(Arc::new(Beginnings)).await.expect("set");
    let mut out = std::io::stdout();
    for n in 0u32.. {
        let call = a_call(n);
        store.begin(&call).await.expect("begun");
        let event = CallEvent { at: call.started_at, offset_ms: 0, fact: CallFact::Answered };
        store.append(call.id, &[event]).await.expect("appended");
        writeln!(out, "ack call {}", call.id).expect("the parent listens");
        let name = format!("u{}-{n}", std::process::id());
        store.create(&a_user(&name)).await.expect("created");
        writeln!(out, "ack user {name}").expect("the parent listens");
    }
}

fn a_call(n: u32) -> Cdr {
    let started_at = Timestamp::now();
    Cdr {
        from: "+431234".to_owned(),
        to: "alice".to_owned(),
        config_revision: 1,
        ..Cdr::begun(
            CallId::new(started_at, (u128::from(std::process::id()) << 32) | u128::from(n)),
            "alice".parse().expect("valid"),
            Direction::Inbound,
            started_at,
        )
    }
}

fn a_user(name: &str) -> callie_domain::User {
    let body = json!({"user_id": name, "display_name": "Alice", "sip_username": "alice", "sip_password": "p"});
    let input = UserInput::from_json(&body).expect("valid");
    input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([0; 3])).expect("valid")
}

/// Tells of each call that it began.
struct Beginnings;

impl Announcer for Beginnings {
    fn is_wanted(&self, _: &UserId) -> bool {
        true
    }

    fn announce(&self, written: Written<'_>) -> Vec<NewDelivery> {
        let Written::Begun(cdr) = written else { return Vec::new() };
        let lane = cdr.id.to_string();
        vec![NewDelivery {
            id: DeliveryId::new(cdr.started_at, lane.bytes().fold(7, |sum, byte| (sum * 31 + u128::from(byte)) % (1 << 70))),
            user_id: cdr.user_id.clone(),
            url: "u".to_owned(),
            event: HookEvent::CallStarted,
            lane,
            body: "{}".to_owned(),
            created_at: cdr.started_at,
        }]
    }
}

/// Every call is told of once, and nothing else is.
async fn each_call_is_told_of(store: &SqliteStore) {
    let user_id: UserId = "alice".parse().expect("valid");
    let calls = store.list(&CallFilter { limit: 1_000, ..CallFilter::default() }).await.expect("listed").calls;
    let filter = DeliveryFilter { user_id, state: None, event: None, before: None, limit: 500 };
    let mut told: Vec<_> = store.deliveries(&filter).await.expect("read").into_iter().map(|delivery| delivery.lane).collect();
    let mut want: Vec<_> = calls.iter().map(|call| call.id.to_string()).collect();
    told.sort_unstable();
    want.sort_unstable();
    assert_eq!(told, want);
}

/// Starts the victim, kills it in the midst of its work, and returns all that it had acknowledged. A line is one write to
/// the pipe, so it comes whole or not at all.
fn kill_one(folder: &Path, after_lines: u32) -> Vec<String> {
    let mut victim = Command::new(std::env::current_exe().expect("known"))
        .args(["--exact", "victim", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(victim.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let is_ack = |line: String| line.split_once("ack ").map(|(_, rest)| rest.to_owned());
    let mut acknowledged: Vec<_> = lines.by_ref().filter_map(is_ack).take(after_lines as usize).collect();
    victim.kill().expect("killed");
    acknowledged.extend(lines.filter_map(is_ack));
    victim.wait().expect("gone");
    assert!(acknowledged.len() >= after_lines as usize, "the victim ended by itself");
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..ROUNDS {
        let acknowledged = kill_one(folder.path(), LINES + round);
        let store = open(folder.path());
        each_call_is_told_of(&store).await;
        for line in &acknowledged {
            match line.split_once(' ') {
                Some(("call", id)) => {
                    let id: CallId = id.parse().expect("an id");
                    assert!(RecordStore::get(&store, id).await.expect("answered").is_some(), "{line}");
                    assert_eq!(store.events(id).await.expect("answered").len(), 1, "{line}");
                }
                Some(("user", name)) => {
                    let id: UserId = name.parse().expect("an id");
                    assert!(ConfigStore::get(&store, &id).await.expect("answered").is_some(), "{line}");
                }
                _ => panic!("unknown line: {line}"),
            }
        }
        let closed = store.close_orphans(Timestamp::now()).await.expect("closed");
        assert!(closed.len() >= acknowledged.len() / 2, "every call of the victim was up");
        let still_open = store.list(&CallFilter::default()).await.expect("listed").calls.iter().any(|c| c.ended_at.is_none());
        assert!(!still_open);
        store.close().await;
        let conn = rusqlite::Connection::open(folder.path().join("callie.db")).expect("opened");
        let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
        assert_eq!(verdict, "ok");
    }
}
