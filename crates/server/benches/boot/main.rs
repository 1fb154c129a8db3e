//! A start with many users in Firestore: time to the complete view, CPU, memory; with lines that all register, and from what was
//! kept while Firestore is away. The server is a process of its own; Firestore and the carrier are the lab's, in this one.
//!
//! ```text
//! cargo bench -p callie-server --bench boot [-- --users N] [--runs N]
//! ```
#![expect(clippy::print_stdout, reason = "the result of a bench is what it prints")]

mod documents;
#[path = "../whole_calls/engine.rs"]
mod engine;
mod process;
mod server;

use callie_lab::{
    carrier::{Carrier, CarrierOptions, Subscriber},
    firestore::{Data, Firestore, FirestoreOptions},
};
use documents::Kind;
use process::{Server, Taken};
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const COLUMNS: &str = "start | view complete s | all registered s | CPU s | resident MB (most)";

struct Wanted {
    users: usize,
    runs: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match arguments.split_first() {
        Some((first, rest)) if first == "server" => runtime.block_on(server::run(rest)),
        _ => runtime.block_on(measure(&wanted(&arguments))),
    }
}

fn wanted(arguments: &[String]) -> Wanted {
    let mut wanted = Wanted { users: 10_000, runs: 3 };
    for pair in arguments.chunks(2) {
        let number = pair.get(1).and_then(|text| text.parse().ok());
        match (pair[0].as_str(), number) {
            ("--users", Some(users)) => wanted.users = users,
            ("--runs", Some(runs)) => wanted.runs = runs,
            _ => panic!("--users N, --runs N"),
        }
    }
    wanted
}

struct World {
    firestore: Firestore,
    carrier: Carrier,
    folder: tempfile::TempDir,
    users: usize,
}

async fn measure(wanted: &Wanted) {
    let users = wanted.users;
    let firestore = Firestore::start(FirestoreOptions::default()).await.expect("a free port");
    let subscribers = (0..users).map(|n| Subscriber::new(&documents::user(n), documents::PASSWORD)).collect();
    let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("a free port");
    let world = World { firestore, carrier, folder: tempfile::tempdir().expect("a folder"), users };
    for kind in [Kind::Idle, Kind::Connected] {
        documents::write(&world.firestore, kind, users, &world.carrier.address().to_string(), &world.keys()).await;
    }
    println!("{users} users\n{COLUMNS}");
    for run in 1..=wanted.runs {
        world.run(run).await;
    }
}

impl World {
    fn keys(&self) -> std::path::PathBuf {
        self.folder.path().join("keyring.json")
    }

    async fn run(&self, run: usize) {
        let data = |name: &str| self.folder.path().join(format!("{name}{run}"));
        self.start(Kind::Nobody, &data("nobody")).await.print("no users");
        self.start(Kind::Idle, &data("idle")).await.print("no lines");
        self.start(Kind::Connected, &data("connected")).await.print("all lines");
        self.firestore.faults().down().await.expect("down");
        self.start(Kind::Idle, &data("idle")).await.print("no lines, Firestore away");
        self.start(Kind::Connected, &data("connected")).await.print("all lines, Firestore away");
        self.firestore.faults().up(Data::Kept).await.expect("up");
    }

    async fn start(&self, kind: Kind, data: &Path) -> Taken {
        let server = Server::start(&[data, &self.keys()], &self.firestore.address().to_string(), kind.project()).await;
        let mut taken = server.taken();
        if kind == Kind::Connected {
            self.bindings(self.users).await;
            taken = server.taken().since(taken.view, Some(server.running()));
        }
        // What is kept is written behind.
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.stop().await;
        self.bindings(0).await;
        taken
    }

    /// Waits until the carrier has so many; it is asked seldom, since it has other work.
    async fn bindings(&self, wanted: usize) {
        let waiting = async {
            while self.carrier.bindings().len() != wanted {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("in time");
    }
}
