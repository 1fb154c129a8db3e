//! Lists, searches and sums of many users and calls, asked for over HTTP from the whole server on loopback: time to the last byte of
//! the body. It ends with 1 when a median is not below the bound.
//!
//! ```text
//! cargo bench -p callie-server --bench lists [-- --users N] [--calls N] [--runs N]
//! ```
//!
//! Users and calls are written by the product's own store, and most of the lines are registered at the lab's carrier, so that their
//! states are looked up as they would be. It takes minutes to fill the database.
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

mod asking;
mod calls;
#[path = "../whole_calls/engine.rs"]
mod engine;
mod questions;
mod users;

use asking::Desk;
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use callie_server::app::App;
use callie_server::call::Engines;
use callie_server::config::{self, sources::Sources};
use callie_store::{Keyring, SqliteStore};
use jiff::Timestamp;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of a median.
const BOUND: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How much there is.
#[derive(Debug, Clone, Copy)]
struct Size {
    users: usize,
    calls: usize,
    runs: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(size(&arguments)))
}

fn size(arguments: &[String]) -> Size {
    let mut size = Size { users: 10_000, calls: 1_000_000, runs: 21 };
    for pair in arguments.chunks(2) {
        let number = pair.get(1).and_then(|text| text.parse().ok());
        match (pair[0].as_str(), number) {
            ("--users", Some(users)) => size.users = users,
            ("--calls", Some(calls)) => size.calls = calls,
            ("--runs", Some(runs)) => size.runs = runs,
            _ => panic!("--users N, --calls N, --runs N"),
        }
    }
    size
}

async fn measure(size: Size) -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let subscribers = users::registered(size.users).map(|n| Subscriber::new(&users::name(n), users::PASSWORD)).collect();
    let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port");
    let begun = Instant::now();
    fill(folder.path(), size, &carrier.address().to_string()).await;
    println!("{} users and {} calls, written in {:.0?}", size.users, size.calls, begun.elapsed());

    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.path().to_owned();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    let app = App::start(&config, Engines::new(Arc::new(engine::Endless))).await.expect("starts");
    let desk = Desk::new(app.http_address, size.runs);
    settle(&carrier, &desk, size.users).await;

    println!("{}", asking::HEAD);
    let mut late = Vec::new();
    for question in questions::all(size) {
        let taken = desk.ask(&question).await;
        println!("{}", taken.row(&question));
        if question.is_bound && taken.median() >= BOUND {
            late.push(question.what);
        }
    }
    app.stop().await;
    if late.is_empty() {
        println!("all medians are below {BOUND:?}");
        return ExitCode::SUCCESS;
    }
    println!("not below {BOUND:?}: {late:?}");
    ExitCode::FAILURE
}

async fn fill(folder: &Path, size: Size, carrier: &str) {
    let keyring = Keyring::load_or_create(&folder.join("keyring.json"), Timestamp::now()).expect("a key");
    let store = SqliteStore::open(&folder.join("callie.db"), Arc::new(keyring)).expect("a database");
    users::write(&store, size.users, carrier).await;
    calls::write(&store, size).await;
    store.close().await;
}

/// Until each line stands where it will, and every user's document has its version: then the server has nothing else to do.
async fn settle(carrier: &Carrier, desk: &Desk, users: usize) {
    let failing = users::refused(users).count();
    let settled = async {
        loop {
            let counts = desk.json("/users?limit=1&form=short").await["counts"].clone();
            let last = format!("/users/{}/versions", users::name(users - 1));
            let versions = desk.json(&last).await["versions"].as_array().map_or(0, Vec::len);
            if counts["failing"] == failing && carrier.bindings().len() == users::registered(users).count() && versions > 0 {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("in time");
}
