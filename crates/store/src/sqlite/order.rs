//! Ordered calls. Each step is one transaction on the writer's thread, and names the state it comes from: what happened meanwhile is
//! not undone.

use super::SqliteStore;
use super::fault::Fault;
use crate::StoreError;
use crate::order::{Accepted, MOST_PENDING, NewOrder, Order, OrderState, OrderStore, Step, Then};
use async_trait::async_trait;
use callie_domain::{CallId, OrderId, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params, types::Type};
use tokio::sync::watch;

const COLUMNS: &str =
    "id, user_id, request, number, rules, state, attempts, first_call, coalesce(trying, last_call), last_reason,
    note, next_ms, created_ms";
/// Every order under way is looked at; more than that are not at once.
const MOST_CALLING: u32 = 10_000;

/// Told when something may be due.
#[derive(Clone, Default)]
pub(super) struct OrderBell(watch::Sender<u64>);

impl OrderBell {
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// After the commit.
    fn ring(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

#[async_trait]
impl OrderStore for SqliteStore {
    async fn accept(&self, order: &NewOrder) -> Result<Accepted, StoreError> {
        let order = order.clone();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let accepted = accept(&tx, &order)?;
            tx.commit()?;
            Ok(accepted)
        })
        .await
    }

    async fn withdraw(&self, id: OrderId) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.conn.execute("DELETE FROM call_orders WHERE id = ?1 AND attempts = 1", [id.to_string()])?;
            Ok(())
        })
        .await
    }

    async fn due_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<Order>, StoreError> {
        self.read(move |conn| {
            let sql = format!("SELECT {COLUMNS} FROM call_orders WHERE next_ms <= ?1 ORDER BY next_ms, id LIMIT ?2");
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map(params![now.as_millisecond(), limit], order)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn next_order_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|conn| {
            let sql = "SELECT next_ms FROM call_orders WHERE next_ms IS NOT NULL ORDER BY next_ms LIMIT 1";
            let next: Option<i64> = conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            Ok(next.map(time))
        })
        .await
    }

    async fn calling_orders(&self) -> Result<Vec<Order>, StoreError> {
        self.read(|conn| {
            let sql = format!("SELECT {COLUMNS} FROM call_orders WHERE state = 'calling' ORDER BY created_ms, id LIMIT ?1");
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map([MOST_CALLING], order)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn begin_attempt(&self, id: OrderId, call: CallId) -> Result<bool, StoreError> {
        self.write(move |writer| {
            let sql =
                "UPDATE call_orders SET state = 'calling', attempts = attempts + 1, trying = ?2, next_ms = NULL, note = NULL
                WHERE id = ?1 AND state = 'waiting'";
            Ok(writer.conn.execute(sql, [id.to_string(), call.to_string()])? == 1)
        })
        .await
    }

    async fn settle_attempt(&self, id: OrderId, call: CallId, step: &Step) -> Result<bool, StoreError> {
        let step = step.clone();
        self.write(move |writer| {
            let (state, next, uncounted) = match step.then {
                Then::Wait { at, made } => (OrderState::Waiting, Some(at.as_millisecond()), i64::from(!made)),
                Then::Settle { state, made } => (state, None, i64::from(!made)),
            };
            let sql = "UPDATE call_orders SET state = ?3, next_ms = ?4, last_reason = coalesce(?5, last_reason), note = ?6,
                    attempts = attempts - ?7, last_call = iif(?7, last_call, ?2), trying = NULL
                WHERE id = ?1 AND coalesce(trying, last_call) = ?2 AND state = 'calling'";
            let values = params![id.to_string(), call.to_string(), state.as_str(), next, step.reason, step.note, uncounted];
            let settled = writer.conn.execute(sql, values)? == 1;
            if settled && next.is_some() {
                writer.orders.ring();
            }
            Ok(settled)
        })
        .await
    }

    async fn pending_orders(&self, user: &UserId) -> Result<Vec<Order>, StoreError> {
        let user = user.to_string();
        self.read(move |conn| {
            let sql = format!(
                "SELECT {COLUMNS} FROM call_orders WHERE user_id = ?1 AND state IN ('calling', 'waiting') ORDER BY created_ms, id"
            );
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map([user], order)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn cancel_order(&self, user: &UserId, id: OrderId) -> Result<bool, StoreError> {
        let user = user.to_string();
        self.write(move |writer| {
            let sql = "UPDATE call_orders SET state = 'cancelled', next_ms = NULL, last_call = coalesce(trying, last_call), trying = NULL
                WHERE id = ?1 AND user_id = ?2 AND state IN ('calling', 'waiting')";
            Ok(writer.conn.execute(sql, [id.to_string(), user])? == 1)
        })
        .await
    }

    async fn prune_orders(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.write(move |writer| {
            let sql = "DELETE FROM call_orders WHERE created_ms < ?1 AND state NOT IN ('calling', 'waiting')";
            Ok(writer.conn.execute(sql, [before.as_millisecond()])?)
        })
        .await
    }

    fn orders_changed(&self) -> watch::Receiver<u64> {
        self.shared.orders.changed()
    }
}

fn accept(conn: &Connection, new: &NewOrder) -> Result<Accepted, Fault> {
    let user = new.user_id.as_str();
    let rules = new.rules.as_ref().and_then(|rules| serde_json::to_string(rules).ok());
    if let Some(key) = &new.key {
        let sql = format!("SELECT {COLUMNS} FROM call_orders WHERE user_id = ?1 AND key = ?2");
        let known = conn.prepare_cached(&sql)?.query_row([user, key], order).optional()?;
        if let Some(known) = known {
            let same = known.request == new.request && known.rules == new.rules;
            return Ok(if same { Accepted::Known(Box::new(known)) } else { Accepted::KeyTaken });
        }
    }
    if rules.is_some() {
        let sql =
            "SELECT count(*) FROM (SELECT 1 FROM call_orders WHERE user_id = ?1 AND state IN ('calling', 'waiting') LIMIT ?2)";
        let pending: u32 = conn.prepare_cached(sql)?.query_row(params![user, MOST_PENDING], |row| row.get(0))?;
        if pending >= MOST_PENDING {
            return Ok(Accepted::TooMany);
        }
    }
    let state = if rules.is_some() { OrderState::Calling } else { OrderState::Done };
    let sql =
        "INSERT INTO call_orders (id, user_id, key, request, number, rules, state, attempts, first_call, last_call, created_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8, ?9)";
    conn.prepare_cached(sql)?.execute(params![
        new.id.to_string(),
        user,
        new.key,
        new.request,
        new.number,
        rules,
        state.as_str(),
        new.call.to_string(),
        new.created_at.as_millisecond(),
    ])?;
    Ok(Accepted::New)
}

fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let rules: Option<String> = row.get(4)?;
    let state: String = row.get(5)?;
    Ok(Order {
        id: parsed(row, 0)?,
        user_id: parsed(row, 1)?,
        request: row.get(2)?,
        number: row.get(3)?,
        rules: rules.map(|text| serde_json::from_str(&text).map_err(|e| broken(4, e))).transpose()?,
        state: OrderState::ALL.iter().copied().find(|known| known.as_str() == state).ok_or(rusqlite::Error::InvalidQuery)?,
        attempts: row.get(6)?,
        first_call: parsed(row, 7)?,
        last_call: parsed(row, 8)?,
        last_reason: row.get(9)?,
        note: row.get(10)?,
        next_attempt_at: row.get::<_, Option<i64>>(11)?.map(time),
        created_at: time(row.get(12)?),
    })
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    row.get::<_, String>(at)?.parse().map_err(|error| broken(at, error))
}

fn broken(at: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
