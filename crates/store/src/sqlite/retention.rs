//! Transcripts, events and signalling of calls, deleted.

use super::fault::Fault;
use super::{SqliteStore, vault};
use crate::StoreError;
use crate::retention::{Erased, FORGOTTEN, Outlook, RetentionStore, Which};
use async_trait::async_trait;
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use rusqlite::params;

/// Pages of the index for searching.
const MERGED_AT_ONCE: i64 = 500;

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn to_erase(&self, user: &UserId, which: &Which, limit: u32) -> Result<Vec<Erased>, StoreError> {
        let (user, which) = (user.to_string(), which.clone());
        self.read(move |conn| {
            let (before, party) = wanted(&which);
            let sql = format!("SELECT id, cdr ->> '$.recording' FROM calls WHERE {} ORDER BY ended_ms LIMIT ?4", left(&which));
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map(params![user, before, party, limit], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (id, recording) = row?;
                let unreadable = |_| Fault::Store(StoreError::Unavailable(format!("{id} is no name of a call")));
                found.push(Erased { call: id.parse::<CallId>().map_err(unreadable)?, recording });
            }
            Ok(found)
        })
        .await
    }

    async fn outlook(&self, user: &UserId, which: &Which) -> Result<Outlook, StoreError> {
        let (user, which) = (user.to_string(), which.clone());
        self.read(move |conn| {
            let (before, party) = wanted(&which);
            let sql = format!(
                "SELECT count(*), count(cdr ->> '$.recording'), min(ended_ms), max(ended_ms) FROM calls WHERE {}",
                left(&which)
            );
            let at = |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let outlook = conn.prepare_cached(&sql)?.query_row(params![user, before, party], |row| {
                let (calls, recordings) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs());
                Ok(Outlook { calls, recordings, oldest: at(row.get(2)?), newest: at(row.get(3)?) })
            })?;
            Ok(outlook)
        })
        .await
    }

    async fn erase(&self, calls: &[CallId], with_parties: bool) -> Result<u64, StoreError> {
        let calls = calls.to_vec();
        let now = Timestamp::now().as_millisecond();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let mut keys = 0;
            for call in &calls {
                keys += vault::forget(&tx, *call)?;
                let call = &call.to_string();
                tx.execute("DELETE FROM call_events WHERE call_id = ?1", [call])?;
                tx.execute("DELETE FROM call_signalling WHERE call_id = ?1", [call])?;
                tx.execute("DELETE FROM call_texts WHERE call_id = ?1 AND (n >= 0 OR ?2)", params![call, with_parties])?;
                tx.execute("DELETE FROM after_calls WHERE call_id = ?1", [call])?;
                tx.execute(
                    "UPDATE calls SET erased_ms = ?2, parties_erased = max(parties_erased, ?3),
                            cdr = json_remove(cdr, '$.termination.detail', '$.recording', '$.message', '$.metadata',
                                              '$.after_call', '$.claims', '$.sip_call_id')
                     WHERE id = ?1",
                    params![call, now, with_parties],
                )?;
                if with_parties {
                    let sql =
                        "UPDATE calls SET cdr = json_set(json_remove(cdr, '$.legs'), '$.from', ?2, '$.to', ?2) WHERE id = ?1";
                    tx.execute(sql, params![call, FORGOTTEN])?;
                }
            }
            // Deliveries to webhooks hold what they told.
            for call in &calls {
                let call = call.to_string();
                let sql = "DELETE FROM hook_deliveries
                           WHERE user_id = (SELECT user_id FROM calls WHERE id = ?1) AND instr(body, ?1) > 0";
                tx.execute(sql, [call])?;
            }
            tx.commit()?;
            Ok(keys)
        })
        .await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        // The index drops deleted words as its segments are merged: into one, step by step (FTS5, "The 'merge' Command").
        let mut pages = -MERGED_AT_ONCE;
        loop {
            let merged = self
                .write(move |writer| {
                    let before = writer.conn.total_changes();
                    writer.conn.execute("INSERT INTO call_words (call_words, rank) VALUES ('merge', ?1)", [pages])?;
                    Ok(writer.conn.total_changes() - before)
                })
                .await?;
            if merged < 2 {
                break;
            }
            pages = MERGED_AT_ONCE;
        }
        self.write(|writer| {
            // Whoever still reads keeps the log from being cut; it is cut later then.
            writer.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }
}

/// The time and the party, for `?2` and `?3` of [`left`].
fn wanted(which: &Which) -> (Option<i64>, Option<&str>) {
    match which {
        Which::EndedBefore(at) => (Some(at.as_millisecond()), None),
        Which::WithParty(party) => (None, Some(party.as_str())),
        Which::All => (None, None),
    }
}

/// Which calls of user `?1` have something left.
fn left(which: &Which) -> String {
    // Of old calls the words go once; of forgotten parties the names go too.
    let left = match which {
        Which::EndedBefore(_) => "erased_ms IS NULL",
        Which::WithParty(_) | Which::All => "(erased_ms IS NULL OR parties_erased = 0)",
    };
    // Records name a party as `alice`, `alice@host`, `sip:alice@host` or `sips:alice@host`.
    let is = |side: &str| {
        let begins =
            ["", "sip:", "sips:"].map(|scheme| format!("instr(cdr ->> '{side}', '{scheme}' || ?3 || '@') = 1")).join(" OR ");
        format!("cdr ->> '{side}' = ?3 OR {begins}")
    };
    let (from, to) = (is("$.from"), is("$.to"));
    format!(
        "user_id = ?1 AND {left} AND ended_ms IS NOT NULL AND json_valid(cdr)
           AND (?2 IS NULL OR ended_ms < ?2) AND (?3 IS NULL OR {from} OR {to})"
    )
}
