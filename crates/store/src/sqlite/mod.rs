//! The embedded backend: one SQLite file for users, calls and events.
//!
//! ```text
//!  ConfigStore ┐  writes ─▶ bounded queue ─▶ store-writer ──commit──▶ callie.db ◀── sqlite3 shell, other programs
//!  RecordStore ┘                                 │   ▲                   │
//!       │                                live view   └── look! ── store-poll (data_version, every 500 ms)
//!       └─ reads ─▶ store-reader ×2 ◀────────────────────────────────────┘
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `schema` | opening, settings, migrations, the key check |
//! | `worker` | a thread that owns a connection |
//! | `view` | the live view of the users |
//! | `poll` | noticing other programs' commits |
//! | `after_call` | [`crate::AfterCallStore`] |
//! | `access` | [`crate::AccessStore`] |
//! | `audit` | [`crate::AuditStore`] |
//! | `analytics` | [`crate::AnalyticsStore`] |
//! | `config` | [`crate::ConfigStore`] |
//! | `contact` | [`crate::ContactStore`] |
//! | `delivery` | [`crate::DeliveryStore`] |
//! | `documents` | [`crate::DocumentStore`] |
//! | `order` | [`crate::OrderStore`] |
//! | `record` | [`crate::RecordStore`] |
//! | `retention` | [`crate::RetentionStore`] |
//! | `toll` | [`crate::TollStore`] |
//! | `vault` | [`crate::VaultStore`] |
//! | `version` | [`crate::VersionStore`] |
//! | `turns` | what was said, turn by turn |
//! | `signalling` | the SIP messages of calls |
//! | `search` | words into full-text queries |
//! | `kept` | the last good documents of users who live in another store |
//! | `fault` | SQLite's errors with file and remedy |

mod access;
mod after_call;
mod analytics;
mod audit;
mod config;
mod contact;
mod delivery;
mod documents;
mod fault;
pub(crate) mod kept;
mod order;
mod poll;
mod record;
mod retention;
mod schema;
mod search;
mod signalling;
#[cfg(test)]
mod tests;
mod toll;
mod turns;
mod vault;
mod version;
mod view;
mod worker;

use crate::{Keyring, StoreError, UserView};
use after_call::AfterCallBell;
use delivery::Announcements;
use fault::Fault;
use order::OrderBell;
use poll::Poller;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;
use toll::Lists;
use view::LiveView;
use worker::Worker;

/// Both stores on one SQLite file. Cheap to clone; the clones share the threads.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    path: Box<Path>,
    keyring: Arc<Keyring>,
    // Before the writer: its thread holds a handle to the writer's queue.
    poller: Poller,
    writer: Worker<Writer>,
    readers: [Worker<Connection>; 2],
    next_reader: AtomicUsize,
    view: watch::Receiver<Arc<UserView>>,
    announcements: Announcements,
    orders: OrderBell,
    after_calls: AfterCallBell,
    lists: Lists,
}

/// What the writer's thread owns.
struct Writer {
    conn: Connection,
    view: LiveView,
    keyring: Arc<Keyring>,
    announcements: Announcements,
    orders: OrderBell,
    after_calls: AfterCallBell,
    lists: Lists,
}

impl SqliteStore {
    /// Opens the database file, makes it on the first run (mode 0600), brings its schema up to date and loads all users.
    ///
    /// Blocks for as long as that takes: call it at start. [`StoreError::Setup`] names file and remedy when the file is not
    /// ours, newer than this program, not writable, or was sealed with other keys.
    pub fn open(path: &Path, keyring: Arc<Keyring>) -> Result<Self, StoreError> {
        let at = |fault: Fault| fault.at(path);
        let mut conn = schema::open_writer(path).map_err(at)?;
        schema::check_keys(&mut conn, &keyring, path).map_err(at)?;
        let live = LiveView::load(&conn, keyring.clone()).map_err(|e| at(e.into()))?;
        let view = live.subscribe();
        let announcements = Announcements::default();
        let orders = OrderBell::default();
        let after_calls = AfterCallBell::default();
        let lists = Lists::load(&conn).map_err(|e| at(e.into()))?;
        let writer = Writer {
            conn,
            view: live,
            keyring: keyring.clone(),
            announcements: announcements.clone(),
            orders: orders.clone(),
            after_calls: after_calls.clone(),
            lists: lists.clone(),
        };
        let writer = Worker::spawn("store-writer", writer)?;
        let reader = |name| Worker::spawn(name, schema::open_reader(path).map_err(at)?);
        let readers = [reader("store-reader-0")?, reader("store-reader-1")?];
        let poller = Poller::spawn(schema::open_reader(path).map_err(at)?, writer.clone())?;
        let next_reader = AtomicUsize::new(0);
        let shared = Shared {
            path: path.into(),
            keyring,
            poller,
            writer,
            readers,
            next_reader,
            view,
            announcements,
            orders,
            after_calls,
            lists,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Finishes all that was asked for, moves the log into the database file and ends the threads. Every later call fails
    /// with [`StoreError::Unavailable`]. A store that is dropped without it loses nothing either, but ends on its own time.
    pub async fn close(&self) {
        self.shared.poller.stop().await;
        for reader in &self.shared.readers {
            reader.stop().await;
        }
        self.shared.writer.stop().await;
    }

    /// Runs on the writer's thread, after all earlier writes.
    async fn write<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.shared.writer.call(work).await?.map_err(|fault| fault.at(&self.shared.path))
    }

    /// Runs on one of the readers; sees every write that was answered before.
    async fn read<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, StoreError> {
        let turn = self.shared.next_reader.fetch_add(1, Ordering::Relaxed);
        let [even, odd] = &self.shared.readers;
        let reader = if turn.is_multiple_of(2) { even } else { odd };
        reader.call(move |conn| work(conn)).await?.map_err(|fault| fault.at(&self.shared.path))
    }
}

impl Writer {
    /// Takes changes into the live view.
    fn absorb(&mut self) -> rusqlite::Result<()> {
        self.view.absorb(&self.conn)?;
        self.lists.follow(&self.conn)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(fault) = view::empty_log(&self.conn) {
            tracing::warn!(%fault, "the write-ahead log could not be moved into the database; the next start does it");
        }
    }
}
