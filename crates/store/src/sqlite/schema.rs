//! Opening the database file: permissions, settings, migrations, and the check that the keys are the right ones.

use super::fault::Fault;
use crate::{Keyring, StoreError};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

/// The schema, step by step: the n-th text leads from version n-1 to n. Texts that were released are never changed.
const MIGRATIONS: [&str; 16] = [
    include_str!("migrations/0001_users_and_calls.sql"),
    include_str!("migrations/0002_what_was_said.sql"),
    include_str!("migrations/0003_kept_from_elsewhere.sql"),
    include_str!("migrations/0004_signalling.sql"),
    include_str!("migrations/0005_deliveries.sql"),
    include_str!("migrations/0006_contacts.sql"),
    include_str!("migrations/0007_call_orders.sql"),
    include_str!("migrations/0008_what_was_dialled.sql"),
    include_str!("migrations/0009_after_calls.sql"),
    include_str!("migrations/0010_access_and_audit.sql"),
    include_str!("migrations/0011_versions.sql"),
    include_str!("migrations/0012_erased.sql"),
    include_str!("migrations/0013_analytics.sql"),
    include_str!("migrations/0014_sums_by_hour.sql"),
    include_str!("migrations/0015_vault.sql"),
    include_str!("migrations/0016_recordings_to_delete.sql"),
];

/// "Call" in ASCII: tells our files from other programs' (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x4361_6c6c;

/// How long to wait for another program that holds the database.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// The connection that writes, on a database that is up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Fault> {
    create_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    refuse_foreign(&conn, path)?;
    // Takes effect on a new file only; without it space that was freed could not be given back later.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(setup(format!(
            "the database {} cannot use a write-ahead log there (it stays in mode {mode}): put it on a local disk",
            path.display()
        )));
    }
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // Zeroes what is overwritten, so that a password typed in clear does not linger after it was sealed.
    conn.pragma_update(None, "secure_delete", true)?;
    migrate(&mut conn, path)?;
    Ok(conn)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY)?;
    // KiB. The system's page cache has what several readers would each keep.
    conn.pragma_update(None, "cache_size", -256)?;
    Ok(conn)
}

/// Makes the file readable by its owner alone; SQLite gives the files beside it the same mode.
fn create_private(path: &Path) -> Result<(), Fault> {
    match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let mode = std::fs::metadata(path).map_or(0o600, |meta| meta.mode());
            if mode & 0o077 != 0 {
                tracing::warn!(path = %path.display(), "the database can be read by others: run: chmod 600 {}", path.display());
            }
            Ok(())
        }
        Err(e) => Err(setup(format!(
            "the database {} cannot be created ({e}): check that its folder exists and belongs to this user",
            path.display()
        ))),
    }
}

fn refuse_foreign(conn: &Connection, path: &Path) -> Result<(), Fault> {
    let id: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) {
        return Ok(());
    }
    Err(setup(format!("the database {} belongs to another program: name another file", path.display())))
}

fn migrate(conn: &mut Connection, path: &Path) -> Result<(), Fault> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i32 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(steps) = usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..)) else {
        return Err(setup(format!(
            "the database {} has schema version {version}, this program knows versions up to {}: \
             run the newer program that wrote it, or restore a backup from before",
            path.display(),
            MIGRATIONS.len()
        )));
    };
    for (sql, reached) in steps.iter().zip(version + 1..) {
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", reached)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.commit()?;
    Ok(())
}

/// Refuses keys that are not those which sealed the passwords in this database, and notes those at hand.
///
/// Without it a server with another key would find every user faulty, and seal new passwords with a key that no other has.
pub(super) fn check_keys(conn: &mut Connection, keyring: &Keyring, path: &Path) -> Result<(), Fault> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (kid, noted) in noted_keys(&tx)? {
        let problem = match keyring.check_value(&kid) {
            Some(value) if value == noted => continue,
            Some(_) => "is another one than the key of that name",
            None if in_use(&tx, &kid)? => "is missing; it is the key",
            None => continue,
        };
        return Err(setup(format!(
            "the key {kid} of {} {problem} that sealed passwords or recordings' keys in the database {}: \
             restore the keys that belong to this database",
            keyring.source(),
            path.display()
        )));
    }
    for kid in keyring.kids() {
        let value = keyring.check_value(kid);
        tx.execute("INSERT INTO key_check (kid, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (kid, value))?;
    }
    tx.commit()?;
    Ok(())
}

fn noted_keys(conn: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    conn.prepare("SELECT kid, value FROM key_check ORDER BY kid")?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Whether any document or user's key is sealed with this key.
fn in_use(conn: &Connection, kid: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM user_configs WHERE instr(doc, 'callie-enc:v1:' || ?1 || ':') > 0
               UNION ALL SELECT 1 FROM tenant_keys WHERE instr(sealed, 'callie-enc:v1:' || ?1 || ':') = 1 LIMIT 1";
    Ok(conn.query_row(sql, [kid], |_| Ok(())).optional()?.is_some())
}

fn setup(text: String) -> Fault {
    Fault::Store(StoreError::Setup(text))
}
