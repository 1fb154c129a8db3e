//! The audit's chain. The writer's thread alone adds to it, so that two entries never follow the same one.

use super::SqliteStore;
use super::fault::Fault;
use crate::StoreError;
use crate::audit::{AuditEntry, AuditFilter, AuditStore, BEGINNING, Deed, Link, Verdict, Walk, link};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, TransactionBehavior, params};

const ENTRY: &str = "seq, at_ms, actor, role, via, address, action, target, status, detail, previous, link";

#[async_trait]
impl AuditStore for SqliteStore {
    async fn note(&self, deed: Deed) -> Result<AuditEntry, StoreError> {
        self.write(move |writer| {
            // A command in another process may write at the same time.
            let tx = writer.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let last = tx
                .prepare_cached("SELECT seq, link FROM audit ORDER BY seq DESC LIMIT 1")?
                .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Link>(1)?)))
                .optional()?;
            let (last, previous) = last.unwrap_or((0, BEGINNING));
            let entry = AuditEntry { seq: last + 1, previous, link: link(&previous, last + 1, &deed), deed };
            let sql = format!("INSERT INTO audit ({ENTRY}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
            let AuditEntry { seq, deed, previous, link } = &entry;
            let Deed { at, actor, role, via, address, action, target, status, detail } = deed;
            let at = at.as_millisecond();
            let row = params![seq, at, actor, role, via, address, action, target, status, detail, previous, link];
            tx.execute(&sql, row)?;
            tx.commit()?;
            Ok(entry)
        })
        .await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| {
            // Paths hold no character that comes after '/' and before '0'.
            let sql = format!(
                "SELECT {ENTRY} FROM audit
                 WHERE (?1 IS NULL OR target = ?1 OR (target > ?1 || '/' AND target < ?1 || '0'))
                   AND (?2 IS NULL OR actor = ?2) AND (?3 IS NULL OR seq < ?3)
                 ORDER BY seq DESC LIMIT ?4"
            );
            let mut query = conn.prepare_cached(&sql)?;
            let rows =
                query.query_map(params![filter.target, filter.actor, filter.before, filter.limit], |row| Ok(entry(row)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    async fn verify_audit(&self, head: Option<Link>) -> Result<Verdict, StoreError> {
        self.read(move |conn| {
            let mut query = conn.prepare_cached(&format!("SELECT {ENTRY} FROM audit ORDER BY seq"))?;
            let mut rows = query.query([])?;
            let mut walk = Walk::new(head);
            while let Some(row) = rows.next()? {
                if let Err(broken) = walk.step(&entry(row)?) {
                    return Ok(broken);
                }
            }
            Ok(walk.end())
        })
        .await
    }
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, Fault> {
    let at = Timestamp::from_millisecond(row.get("at_ms")?);
    let at = at.map_err(|e| Fault::Store(StoreError::Unavailable(format!("a time in the audit: {e}"))))?;
    let deed = Deed {
        at,
        actor: row.get("actor")?,
        role: row.get("role")?,
        via: row.get("via")?,
        address: row.get("address")?,
        action: row.get("action")?,
        target: row.get("target")?,
        status: row.get("status")?,
        detail: row.get("detail")?,
    };
    Ok(AuditEntry { seq: row.get("seq")?, deed, previous: row.get("previous")?, link: row.get("link")? })
}
