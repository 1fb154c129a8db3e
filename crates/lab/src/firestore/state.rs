//! What all connections share: the database, the faults in force, the counters, and the bell that wakes Listen streams.

use super::documents::{Documents, Version};
use super::faults::{Plan, unavailable};
use super::rpc::Counts;
use super::transaction::{Transactions, contention};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tonic::Status;

#[derive(Debug)]
pub(super) struct Database {
    pub documents: Documents,
    pub transactions: Transactions,
}

/// What a Listen stream may have to react to; it compares with what it saw last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wake {
    /// The last commit.
    pub version: Version,
    /// Counters of the faults that act on Listen streams.
    pub drops: u64,
    pub resets: u64,
    pub filters: u64,
}

#[derive(Debug)]
pub(super) struct State {
    /// Held for one call's work in memory, never while anything waits.
    database: Mutex<Database>,
    plan: Mutex<Plan>,
    pub wake: watch::Sender<Wake>,
    pub counts: Counts,
}

impl State {
    pub fn new(plan: Plan) -> Self {
        let database = Database { documents: Documents::new(), transactions: Transactions::default() };
        Self {
            database: Mutex::new(database),
            plan: Mutex::new(plan),
            wake: watch::Sender::new(Wake::default()),
            counts: Counts::default(),
        }
    }

    pub fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the bell and rings it.
    pub fn rouse(&self, change: impl FnOnce(&mut Wake)) {
        self.wake.send_modify(change);
    }

    /// Writes, as far as the faults let it: ABORTED before anything is done, UNAVAILABLE when all is done.
    pub fn write<T>(&self, act: impl FnOnce(&mut Database) -> Result<T, Status>) -> Result<T, Status> {
        if take_one(&mut self.plan().aborts) {
            return Err(contention());
        }
        let (answer, version) = {
            let mut database = self.database();
            (act(&mut database)?, database.documents.version())
        };
        self.rouse(|wake| wake.version = wake.version.max(version));
        if take_one(&mut self.plan().lost_answers) { Err(unavailable()) } else { Ok(answer) }
    }

    pub fn lose_data(&self) {
        let version = {
            let mut database = self.database();
            database.documents.clear();
            database.transactions.forget_all();
            database.documents.version()
        };
        self.rouse(|wake| wake.version = wake.version.max(version));
    }
}

fn take_one(left: &mut u32) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}
