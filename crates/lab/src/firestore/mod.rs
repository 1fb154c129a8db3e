//! Firestore in a box: a gRPC server with its documents in memory, with faults on cue and counters of every call.
//!
//! ```text
//!   TCP ─▶ socket ─▶ calls (path ─▶ call) ─▶ reading, writing ─▶ documents, transaction (pure)
//!                      │                       query, filter, aggregate, writes, transforms, value (pure)
//!                      └─▶ listen: sessions with targets      state: what they share; faults: the handle
//! ```
//!
//! Clients find it by `FIRESTORE_EMULATOR_HOST`, as they find Google's emulator ([`emulator`] starts that one where it is
//! installed). It has what the product and its tests use. What it lacks is refused by UNIMPLEMENTED, not ignored: PartitionQuery,
//! pipelines, vector search, reading the past. It knows no security rules and asks for no composite indexes.

mod aggregate;
mod calls;
mod documents;
pub mod emulator;
mod faults;
mod filter;
mod listen;
mod query;
mod reading;
mod rpc;
mod socket;
mod state;
mod transaction;
mod transforms;
mod value;
mod writes;
mod writing;

pub use faults::{Data, Faults, ListenStyle, Refusal};
pub use gcloud_sdk::google::firestore::v1::{ArrayValue, Document, MapValue, Value, value::ValueType};
pub use rpc::Rpc;

use crate::waiting::{self, TooLate};
use faults::Plan;
use gcloud_sdk::google::firestore::v1::{Write, write::Operation};
use socket::Socket;
use state::State;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct FirestoreOptions {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The project of the documents that [`Firestore::put`] and its like name by short paths. Clients may use any.
    pub project: String,
    pub listen_style: ListenStyle,
}

impl Default for FirestoreOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            project: "callie-lab".to_owned(),
            listen_style: ListenStyle::Deltas,
        }
    }
}

/// A running server. Dropping it ends its tasks; [`Firestore::stop`] also waits for them.
#[derive(Debug)]
pub struct Firestore {
    address: SocketAddr,
    project: String,
    faults: Faults,
    tracker: TaskTracker,
    _running: DropGuard,
}

impl Firestore {
    /// Binds and begins to serve, with no documents.
    pub async fn start(options: FirestoreOptions) -> io::Result<Self> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let state = Arc::new(State::new(Plan { style: options.listen_style, ..Plan::default() }));
        let socket = Socket::bind(options.listen, Arc::clone(&state), token.clone())?;
        let address = socket.address();
        // Each order is waited for by who gave it: the bound only says how many may give one at a time.
        let (orders, orders_taken) = mpsc::channel(4);
        tracker.spawn(socket.serve(orders_taken));
        Ok(Self { address, project: options.project, faults: Faults { state, orders }, tracker, _running: token.drop_guard() })
    }

    /// Ends every task and socket.
    pub async fn stop(self) {
        let Self { tracker, _running, .. } = self;
        drop(_running);
        tracker.close();
        tracker.wait().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client takes for `https://firestore.googleapis.com`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn project(&self) -> &str {
        &self.project
    }

    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Writes a document as somebody at the console would: `path` is `users/alice`. No fault applies, nothing is counted.
    ///
    /// # Errors
    /// What is wrong with the path or the size.
    pub fn put(&self, path: &str, fields: HashMap<String, Value>) -> Result<(), tonic::Status> {
        let document = Document { name: self.name(path), fields, ..Document::default() };
        self.write(Operation::Update(document))
    }

    /// Deletes a document as somebody at the console would.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn remove(&self, path: &str) -> Result<(), tonic::Status> {
        self.write(Operation::Delete(self.name(path)))
    }

    /// A document as it is.
    pub fn document(&self, path: &str) -> Option<Document> {
        let database = self.faults.state.database();
        database.documents.get(&self.name(path)).map(|document| document.as_ref().clone())
    }

    /// How many documents there are, in all projects.
    pub fn document_count(&self) -> usize {
        self.faults.state.database().documents.len()
    }

    /// How often this was called so far, refused calls too.
    pub fn count(&self, rpc: Rpc) -> u64 {
        self.faults.state.counts.of(rpc)
    }

    pub fn counts(&self) -> BTreeMap<Rpc, u64> {
        self.faults.state.counts.all()
    }

    /// How many Listen streams are open.
    pub fn listening(&self) -> usize {
        self.faults.state.counts.listening.load(Ordering::Relaxed)
    }

    /// Waits until `condition` holds; it is asked every 5 ms.
    ///
    /// # Errors
    /// [`TooLate`] with `what`, if it does not within `deadline`.
    pub async fn wait_until(&self, what: &str, deadline: Duration, condition: impl Fn(&Self) -> bool) -> Result<(), TooLate> {
        waiting::until(what, deadline, || condition(self)).await
    }

    fn name(&self, path: &str) -> String {
        format!("projects/{}/databases/(default)/documents/{path}", self.project)
    }

    fn write(&self, operation: Operation) -> Result<(), tonic::Status> {
        let write = Write { operation: Some(operation), ..Write::default() };
        let state = &self.faults.state;
        let version = {
            let mut database = state.database();
            writing::commit_writes(&mut database, &[write])?;
            database.documents.version()
        };
        state.rouse(|wake| wake.version = wake.version.max(version));
        Ok(())
    }
}
