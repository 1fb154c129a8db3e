//! Calls of which a summary or fields are still to be written, in SQLite.

use super::analytics::add_cost;
use super::delivery::announce;
use super::fault::Fault;
use super::record::{parse, rewrite};
use super::{SqliteStore, Writer};
use crate::StoreError;
use crate::after_call::{AfterCallStore, Step, Unwritten};
use crate::delivery::Written;
use async_trait::async_trait;
use callie_domain::CallId;
use callie_domain::record::{AfterCallState, Cdr};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::watch;

/// Tells that a call has entered the queue.
#[derive(Clone, Default)]
pub(super) struct AfterCallBell(watch::Sender<u64>);

impl AfterCallBell {
    pub fn ring(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Puts an ended call into the queue if its record says that it waits. `true` when it does.
pub(super) fn enqueue(conn: &Connection, cdr: &Cdr) -> Result<bool, Fault> {
    let waits = cdr.after_call.as_ref().is_some_and(|report| report.state == AfterCallState::Waiting);
    let Some(ended) = cdr.ended_at.filter(|_| waits) else { return Ok(false) };
    let sql =
        "INSERT INTO after_calls (call_id, user_id, since_ms, next_ms) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (call_id) DO NOTHING";
    let added = conn.prepare_cached(sql)?.execute(params![cdr.id.to_string(), cdr.user_id.as_str(), ended.as_millisecond()])?;
    Ok(added > 0)
}

#[async_trait]
impl AfterCallStore for SqliteStore {
    async fn unwritten(&self, now: Timestamp, limit: u32, under_way: &[CallId]) -> Result<Vec<Unwritten>, StoreError> {
        let under_way = listed(under_way);
        self.read(move |conn| {
            let sql = "SELECT call_id, user_id, since_ms, attempts FROM after_calls
                WHERE next_ms <= ?1 AND call_id NOT IN (SELECT value FROM json_each(?2)) ORDER BY next_ms, call_id LIMIT ?3";
            let mut query = conn.prepare_cached(sql)?;
            let rows = query.query_map(params![now.as_millisecond(), under_way, limit], |row| {
                let since = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, since, row.get(3)?))
            })?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let read = |(call, user, since, attempts): (String, String, Timestamp, u32)| {
                Some(Unwritten { call: call.parse().ok()?, user_id: user.parse().ok()?, since, attempts })
            };
            Ok(rows.into_iter().filter_map(read).collect())
        })
        .await
    }

    async fn next_unwritten(&self, under_way: &[CallId]) -> Result<Option<Timestamp>, StoreError> {
        let under_way = listed(under_way);
        self.read(move |conn| {
            let sql =
                "SELECT next_ms FROM after_calls WHERE call_id NOT IN (SELECT value FROM json_each(?1)) ORDER BY next_ms LIMIT 1";
            let next: Option<i64> = conn.prepare_cached(sql)?.query_row([under_way], |row| row.get(0)).optional()?;
            Ok(next.map(|ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)))
        })
        .await
    }

    async fn settle_after_call(&self, call: CallId, step: &Step) -> Result<Option<Cdr>, StoreError> {
        let step = step.clone();
        self.write(move |writer| writer.settle_after_call(call, step)).await
    }

    async fn count_unwritten(&self) -> Result<i64, StoreError> {
        self.read(|conn| Ok(conn.prepare_cached("SELECT count(*) FROM after_calls")?.query_row([], |row| row.get(0))?)).await
    }

    fn unwritten_changed(&self) -> watch::Receiver<u64> {
        self.shared.after_calls.0.subscribe()
    }
}

impl Writer {
    fn settle_after_call(&mut self, call: CallId, step: Step) -> Result<Option<Cdr>, Fault> {
        let tx = self.conn.transaction()?;
        let id = call.to_string();
        let left = match step.again_at {
            Some(at) => tx
                .prepare_cached("UPDATE after_calls SET attempts = attempts + 1, next_ms = ?2 WHERE call_id = ?1")?
                .execute(params![id, at.as_millisecond()])?,
            None => tx.prepare_cached("DELETE FROM after_calls WHERE call_id = ?1")?.execute([&id])?,
        };
        let found: Option<String> =
            tx.prepare_cached("SELECT cdr FROM calls WHERE id = ?1")?.query_row([&id], |row| row.get(0)).optional()?;
        let Some(json) = found.filter(|_| left > 0) else { return Ok(None) };
        let mut cdr: Cdr = parse(&json, call)?;
        if let Some(more) = &step.cost {
            let was_complete = cdr.cost.as_ref().is_none_or(|cost| cost.is_complete);
            add_cost(&tx, &cdr, more, was_complete && !more.is_complete)?;
        }
        let is_done = step.report.state == AfterCallState::Done;
        cdr.after_call = Some(step.report);
        cdr.cost = match (cdr.cost.take(), step.cost) {
            (Some(cost), Some(more)) => Some(cost.with(more)),
            (cost, more) => cost.or(more),
        };
        rewrite(&tx, &cdr)?;
        let told = is_done && announce(&tx, &self.announcements, Written::Summarised(&cdr))?;
        tx.commit()?;
        self.ring_if(told);
        Ok(Some(cdr))
    }
}

/// As a JSON list, which SQLite takes for a table.
fn listed(calls: &[CallId]) -> String {
    let ids: Vec<String> = calls.iter().map(|call| format!("\"{call}\"")).collect();
    format!("[{}]", ids.join(","))
}
