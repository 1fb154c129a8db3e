//! Watches for commits of other programs: `PRAGMA data_version` of a connection of its own moves with every commit that
//! another connection makes. It knows nothing of documents; it only tells the writer to look.

use super::Writer;
use super::worker::{Worker, join};
use crate::StoreError;
use rusqlite::Connection;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Another program's edit is seen after this long at most.
const EVERY: Duration = Duration::from_millis(500);

/// The thread; it ends when this is dropped.
pub(super) struct Poller {
    running: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
}

impl Poller {
    pub fn spawn(conn: Connection, writer: Worker<Writer>) -> Result<Self, StoreError> {
        // Nothing is ever sent: dropping the sender is the signal.
        let (stop, stopped) = sync_channel(0);
        let thread = thread::Builder::new()
            .name("store-poll".to_owned())
            .spawn(move || run(&conn, &stopped, &writer))
            .map_err(|e| StoreError::Setup(format!("no thread for the store ({e}): raise the limit of processes")))?;
        Ok(Self { running: Mutex::new(Some((stop, thread))) })
    }

    pub async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = running {
            drop(stop);
            join(thread).await;
        }
    }
}

fn run(conn: &Connection, stopped: &Receiver<()>, writer: &Worker<Writer>) {
    // The first look is always taken: something may have changed between the load and now.
    let mut seen = None;
    let mut failing = false;
    while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        match look(conn, seen, writer) {
            Ok(version) => {
                seen = Some(version);
                failing = false;
            }
            Err(fault) if !failing => {
                failing = true;
                tracing::error!(%fault, "changes by other programs cannot be seen; trying on");
            }
            Err(_) => {}
        }
    }
}

fn look(conn: &Connection, seen: Option<i64>, writer: &Worker<Writer>) -> Result<i64, StoreError> {
    let version: i64 = conn
        .prepare_cached("PRAGMA data_version")
        .and_then(|mut query| query.query_row([], |row| row.get(0)))
        .map_err(|e| StoreError::Unavailable(e.to_string()))?;
    if Some(version) != seen {
        let absorbed = writer.call_blocking(Writer::absorb)?;
        absorbed.map_err(|e| StoreError::Unavailable(e.to_string()))?;
    }
    Ok(version)
}
