//! The live view: what the change log says has changed since, read again and published.
//!
//! It belongs to the writer's thread, so that our own writes and those of other programs become visible in one order.
//! A document that cannot be read is one user's matter: the others go on, and so does its last good configuration.

use super::schema::BUSY;
use crate::{DocFault, Entry, Keyring, Revision, StoredUser, UserView, doc};
use callie_domain::UserId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Rows that stay in the change log, for other processes that follow it. One that fell behind further reads everything.
const KEPT_CHANGES: i64 = 10_000;

pub(super) struct LiveView {
    keyring: Arc<Keyring>,
    /// The last change that the view contains.
    seen: i64,
    published: watch::Sender<Arc<UserView>>,
    /// A password in clear was overwritten, but may still stand in the write-ahead log.
    traces_left: bool,
}

/// A document as it lies in the table.
pub(super) struct StoredDoc {
    /// `None` when it is not JSON; the text says where.
    pub value: Result<Value, String>,
    pub revision: Revision,
    text: Vec<u8>,
}

enum Changed {
    Nothing,
    Users(BTreeSet<String>),
    /// The log has a gap: rows that we had not seen were pruned.
    Unknown,
}

impl LiveView {
    /// Reads all users.
    pub fn load(conn: &Connection, keyring: Arc<Keyring>) -> rusqlite::Result<Self> {
        let (published, _) = watch::channel(Arc::default());
        let mut view = Self { keyring, seen: newest_change(conn)?, published, traces_left: false };
        view.reload(conn)?;
        Ok(view)
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<UserView>> {
        self.published.subscribe()
    }

    /// Takes in what has changed since the last time, whoever changed it.
    pub fn absorb(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let newest = newest_change(conn)?;
        match self.changed_since(conn, newest)? {
            Changed::Nothing => {}
            Changed::Users(names) => {
                let entries = names.iter().map(|name| self.read_entry(conn, name)).collect::<Result<Vec<_>, _>>()?;
                self.publish(entries.into_iter().flatten());
            }
            Changed::Unknown => self.reload(conn)?,
        }
        self.seen = newest;
        self.remove_traces(conn);
        Ok(())
    }

    fn changed_since(&self, conn: &Connection, newest: i64) -> rusqlite::Result<Changed> {
        if newest == self.seen {
            return Ok(Changed::Nothing);
        }
        let mut query = conn.prepare_cached("SELECT seq, user_id FROM change WHERE seq > ?1 AND seq <= ?2")?;
        let rows = query.query_map([self.seen, newest], |row| Ok((row.get::<_, i64>(0)?, text(row, 1)?)))?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let without_gap = newest > self.seen && i64::try_from(rows.len()).is_ok_and(|n| n == newest - self.seen);
        Ok(if without_gap { Changed::Users(rows.into_iter().filter_map(|(_, name)| name).collect()) } else { Changed::Unknown })
    }

    /// One transaction, so that sealing many typed passwords at the first start costs one sync.
    fn reload(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
        let names: Vec<_> =
            tx.prepare("SELECT user_id FROM user_configs")?.query_map([], |row| text(row, 0))?.collect::<Result<_, _>>()?;
        let mut users = HashMap::with_capacity(names.len());
        for name in names.into_iter().flatten() {
            if let Some((id, Some(entry))) = self.read_entry(&tx, &name)? {
                users.insert(id, entry);
            }
        }
        tx.commit()?;
        self.published.send_replace(Arc::new(UserView { users }));
        Ok(())
    }

    /// The user's entry now; `None` in it means that there is no such document. A name that is not a user's is passed over.
    fn read_entry(&mut self, conn: &Connection, name: &str) -> rusqlite::Result<Option<(UserId, Option<Entry>)>> {
        let Ok(id) = name.parse::<UserId>() else {
            tracing::warn!(name, "a document is passed over, because its name is not one of a user");
            return Ok(None);
        };
        let Some(stored) = read_doc(conn, &id)? else { return Ok(Some((id, None))) };
        let entry = match stored.user(&id, &self.keyring) {
            Ok(user) => {
                let revision = self.seal_typed(conn, &id, &stored)?;
                Entry::Good(StoredUser { user: Arc::new(user), revision })
            }
            Err(fault) => {
                let last_good = self.published.borrow().users.get(&id).and_then(Entry::usable).cloned();
                tracing::warn!(user.id = %id, %fault, "a document cannot be used; the last good configuration goes on");
                Entry::Faulty { fault, last_good }
            }
        };
        Ok(Some((id, Some(entry))))
    }

    /// Seals a secret that somebody typed into the document, unless it has been changed again. The revision that now holds.
    fn seal_typed(&mut self, conn: &Connection, id: &UserId, stored: &StoredDoc) -> rusqlite::Result<Revision> {
        let Ok(mut value) = stored.value.clone() else { return Ok(stored.revision) };
        match doc::seal_typed(id, &mut value, &self.keyring, Timestamp::now()) {
            Ok(true) => {}
            Ok(false) => return Ok(stored.revision),
            Err(fault) => {
                tracing::error!(user.id = %id, %fault, "a secret typed in clear could not be sealed");
                return Ok(stored.revision);
            }
        }
        let old = String::from_utf8_lossy(&stored.text);
        let revision = i64::try_from(stored.revision).unwrap_or(i64::MAX);
        let sql = "UPDATE user_configs SET doc = ?1 WHERE user_id = ?2 AND revision = ?3 AND doc = ?4";
        match conn.execute(sql, (value.to_string(), id.as_str(), revision, old)) {
            Ok(0) => return Ok(stored.revision),
            Ok(_) => {}
            // The secret is used all the same, and the next change of the document tries again.
            Err(fault) => {
                tracing::error!(user.id = %id, %fault, "a secret typed in clear could not be sealed");
                return Ok(stored.revision);
            }
        }
        self.traces_left = true;
        tracing::warn!(user.id = %id, "a secret was typed in clear into the document; it is sealed now. \
             Copies may exist in backups: consider another one");
        Ok(read_doc(conn, id)?.map_or(stored.revision, |sealed| sealed.revision))
    }

    /// A password in clear may have been overwritten.
    pub fn expect_traces(&mut self) {
        self.traces_left = true;
    }

    fn publish(&self, entries: impl Iterator<Item = (UserId, Option<Entry>)>) {
        self.published.send_if_modified(|view| {
            let mut modified = false;
            for (id, entry) in entries {
                if view.users.get(&id) == entry.as_ref() {
                    continue;
                }
                modified = true;
                // Copies the map only while somebody holds the view of before.
                let users = &mut Arc::make_mut(view).users;
                match entry {
                    Some(entry) => drop(users.insert(id, entry)),
                    None => drop(users.remove(&id)),
                }
            }
            modified
        });
    }

    /// Empties the write-ahead log after a password in clear was overwritten. Tried again later when a reader is in the way.
    fn remove_traces(&mut self, conn: &Connection) {
        if !self.traces_left {
            return;
        }
        let emptied = conn.busy_timeout(Duration::ZERO).and_then(|()| empty_log(conn));
        self.traces_left = !matches!(emptied, Ok(true));
        if let Err(fault) = conn.busy_timeout(BUSY) {
            tracing::error!(%fault, "the database's waiting time could not be set");
        }
    }
}

/// Moves the write-ahead log into the database and empties it. `false` when another connection is in the way.
pub(super) fn empty_log(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Drops changes that everybody has seen long ago; part of another write, so it costs no sync of its own.
pub(super) fn prune_changes(conn: &Connection) -> rusqlite::Result<()> {
    let sql = "DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?1";
    conn.prepare_cached(sql)?.execute([KEPT_CHANGES]).map(drop)
}

fn newest_change(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM change")?.query_row([], |row| row.get(0))
}

pub(super) fn read_doc(conn: &Connection, id: &UserId) -> rusqlite::Result<Option<StoredDoc>> {
    let mut query = conn.prepare_cached("SELECT doc, revision FROM user_configs WHERE user_id = ?1")?;
    let stored = query.query_row([id.as_str()], |row| {
        let text = row.get_ref(0)?.as_bytes().unwrap_or_default().to_vec();
        let value = serde_json::from_slice(&text).map_err(|e| e.to_string());
        Ok(StoredDoc { value, revision: row.get::<_, i64>(1)?.unsigned_abs(), text })
    });
    stored.optional()
}

impl StoredDoc {
    pub fn user(&self, id: &UserId, keyring: &Keyring) -> Result<callie_domain::User, DocFault> {
        let value = self.value.as_ref().map_err(|fault| DocFault::Malformed(fault.clone()))?;
        doc::read(id, value, keyring)
    }
}

/// A text written by whatever program; `None` when it is not UTF-8.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes().unwrap_or_default();
    Ok(std::str::from_utf8(bytes).ok().map(str::to_owned))
}
