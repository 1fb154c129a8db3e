//! The queue of deliveries. Only the first of each lane has a `next_ms`; when it is settled the next one gets it, so that what is
//! due is found by an index however much waits.

use super::fault::Fault;
use super::{SqliteStore, Writer};
use crate::StoreError;
use crate::delivery::{
    Announcer, Attempt, Delivery, DeliveryCounts, DeliveryFilter, DeliveryState, DeliveryStore, MOST_SETTLED, MOST_WAITING,
    NewDelivery, Next, Written,
};
use async_trait::async_trait;
use callie_domain::record::{CallEvent, Cdr};
use callie_domain::{CallId, DeliveryId, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::watch;

const COLUMNS: &str =
    "seq, id, user_id, url, event, lane, body, created_ms, state, since_ms, next_ms, attempts, tried_ms, status, error";
const LONGEST_PAGE: u32 = 500;

/// What the writer knows of deliveries besides the table.
#[derive(Clone, Default)]
pub(super) struct Announcements {
    announcer: Option<Arc<dyn Announcer>>,
    changed: watch::Sender<u64>,
    refused: Arc<AtomicU64>,
}

impl Announcements {
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Something is due, or was settled; after the commit.
    fn ring(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl SqliteStore {
    /// From now on `announcer` says who is told of records.
    pub async fn announce_with(&self, announcer: Arc<dyn Announcer>) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.announcements.announcer = Some(announcer);
            Ok(())
        })
        .await
    }
}

/// Puts down who is to be told of what has just been written. `true` when somebody is.
pub(super) fn announce(conn: &Connection, announcements: &Announcements, written: Written<'_>) -> Result<bool, Fault> {
    let Some(announcer) = &announcements.announcer else { return Ok(false) };
    let (Written::Begun(cdr) | Written::Happened(cdr, _) | Written::Ended(cdr, _) | Written::Summarised(cdr)) = written;
    if !announcer.is_wanted(&cdr.user_id) {
        return Ok(false);
    }
    Ok(insert(conn, announcements, &announcer.announce(written))? > 0)
}

/// The same for events, whose record is looked up where anybody wants to know.
pub(super) fn announce_events(
    conn: &Connection,
    announcements: &Announcements,
    call: CallId,
    events: &[CallEvent],
) -> Result<bool, Fault> {
    let Some(announcer) = &announcements.announcer else { return Ok(false) };
    let found = conn
        .prepare_cached("SELECT user_id, cdr FROM calls WHERE id = ?1")?
        .query_row([call.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let Some((user, cdr)) = found.optional()? else { return Ok(false) };
    if !user.parse::<UserId>().is_ok_and(|user| announcer.is_wanted(&user)) {
        return Ok(false);
    }
    let cdr: Cdr = super::record::parse(&cdr, call)?;
    announce(conn, announcements, Written::Happened(&cdr, events))
}

impl Writer {
    pub(super) fn ring_if(&self, told: bool) {
        if told {
            self.announcements.ring();
        }
    }
}

fn insert(conn: &Connection, announcements: &Announcements, deliveries: &[NewDelivery]) -> Result<usize, Fault> {
    let mut taken = 0;
    for delivery in deliveries {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM hook_deliveries WHERE user_id = ?1 AND state = 'waiting' LIMIT ?2)";
        let waiting: u32 =
            conn.prepare_cached(sql)?.query_row(params![delivery.user_id.as_str(), MOST_WAITING], |row| row.get(0))?;
        if waiting >= MOST_WAITING {
            if announcements.refused.fetch_add(1, Ordering::Relaxed).is_multiple_of(1_000) {
                tracing::error!(user.id = %delivery.user_id, "too much waits for the user's webhooks; what is new is left out");
            }
            continue;
        }
        let created = delivery.created_at.as_millisecond();
        let sql = "INSERT INTO hook_deliveries (id, user_id, url, lane, event, body, created_ms, state, since_ms, next_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', ?7,
                CASE WHEN EXISTS (SELECT 1 FROM hook_deliveries WHERE user_id = ?2 AND url = ?3 AND lane = ?4 AND state = 'waiting')
                THEN NULL ELSE max(?7, coalesce((SELECT until_ms FROM hook_pauses WHERE user_id = ?2 AND url = ?3), 0)) END)";
        taken += conn.prepare_cached(sql)?.execute(params![
            delivery.id.to_string(),
            delivery.user_id.as_str(),
            delivery.url,
            delivery.lane,
            delivery.event.as_str(),
            delivery.body,
            created,
        ])?;
    }
    Ok(taken)
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn enqueue(&self, deliveries: &[NewDelivery]) -> Result<usize, StoreError> {
        let deliveries = deliveries.to_vec();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let taken = insert(&tx, &writer.announcements, &deliveries)?;
            tx.commit()?;
            writer.ring_if(taken > 0);
            Ok(taken)
        })
        .await
    }

    async fn due(&self, now: Timestamp, per_receiver: u32, limit: u32, under_way: &[i64]) -> Result<Vec<Delivery>, StoreError> {
        let under_way = listed(under_way);
        self.read(move |conn| {
            // Those under way count for their receiver.
            let sql = format!(
                "SELECT {COLUMNS} FROM (
                    SELECT *, row_number() OVER (
                        PARTITION BY user_id, url ORDER BY seq IN (SELECT value FROM json_each(?1)) DESC, next_ms, seq) AS place
                      FROM hook_deliveries WHERE next_ms <= ?2)
                  WHERE place <= ?3 AND seq NOT IN (SELECT value FROM json_each(?1)) ORDER BY next_ms, seq LIMIT ?4"
            );
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map(params![under_way, now.as_millisecond(), per_receiver, limit], delivery)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn next_due(&self, under_way: &[i64]) -> Result<Option<Timestamp>, StoreError> {
        let under_way = listed(under_way);
        self.read(move |conn| {
            let sql = "SELECT next_ms FROM hook_deliveries
                WHERE next_ms IS NOT NULL AND seq NOT IN (SELECT value FROM json_each(?1)) ORDER BY next_ms LIMIT 1";
            let next: Option<i64> = conn.prepare_cached(sql)?.query_row([under_way], |row| row.get(0)).optional()?;
            Ok(next.map(time))
        })
        .await
    }

    async fn settle(&self, id: DeliveryId, attempt: &Attempt) -> Result<bool, StoreError> {
        let attempt = attempt.clone();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let settled = settle(&tx, id, &attempt)?;
            tx.commit()?;
            writer.ring_if(settled);
            Ok(settled)
        })
        .await
    }

    async fn drop_waiting(&self, user: &UserId, url: &str, why: &str, now: Timestamp) -> Result<usize, StoreError> {
        let (user, url, why) = (user.to_string(), url.to_owned(), why.to_owned());
        self.write(move |writer| {
            let sql = "UPDATE hook_deliveries SET state = 'dropped', next_ms = NULL, error = ?3, tried_ms = ?4
                WHERE user_id = ?1 AND url = ?2 AND state = 'waiting'";
            let dropped = writer.conn.prepare_cached(sql)?.execute(params![user, url, why, now.as_millisecond()])?;
            writer.ring_if(dropped > 0);
            Ok(dropped)
        })
        .await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| {
            let sql = format!(
                "SELECT {COLUMNS} FROM hook_deliveries WHERE user_id = ?1 AND (?2 IS NULL OR state = ?2)
                    AND (?3 IS NULL OR event = ?3) AND (?4 IS NULL OR seq < ?4) ORDER BY seq DESC LIMIT ?5"
            );
            let mut query = conn.prepare_cached(&sql)?;
            let rows = query.query_map(
                params![
                    filter.user_id.as_str(),
                    filter.state.map(DeliveryState::as_str),
                    filter.event.map(|event| event.as_str()),
                    filter.before,
                    filter.limit.min(LONGEST_PAGE),
                ],
                delivery,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn delivery(&self, user: &UserId, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let user = user.clone();
        self.read(move |conn| Ok(one(conn, &user, id)?)).await
    }

    async fn resend(&self, user: &UserId, id: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, StoreError> {
        let user = user.clone();
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            // What waits keeps its place in its lane; what is settled is behind nobody.
            let sql = "UPDATE hook_deliveries SET
                    next_ms = CASE WHEN state <> 'waiting' OR next_ms IS NOT NULL THEN ?3 END,
                    lane = CASE WHEN state = 'waiting' THEN lane ELSE 'resent:' || id END,
                    state = 'waiting', since_ms = ?3, attempts = 0
                WHERE user_id = ?1 AND id = ?2";
            tx.prepare_cached(sql)?.execute(params![user.as_str(), id.to_string(), now.as_millisecond()])?;
            let resent = one(&tx, &user, id)?;
            tx.commit()?;
            writer.ring_if(resent.is_some());
            Ok(resent)
        })
        .await
    }

    async fn delivery_counts(&self) -> Result<DeliveryCounts, StoreError> {
        let refused = self.shared.announcements.refused.load(Ordering::Relaxed);
        self.read(move |conn| {
            let mut counts = DeliveryCounts { refused, ..DeliveryCounts::default() };
            let mut query = conn.prepare_cached("SELECT state, count(*) FROM hook_deliveries GROUP BY state")?;
            let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            for row in rows {
                match row? {
                    (state, count) if state == "waiting" => counts.waiting = count,
                    (state, count) if state == "delivered" => counts.delivered = count,
                    (state, count) if state == "failed" => counts.failed = count,
                    (_, count) => counts.dropped += count,
                }
            }
            Ok(counts)
        })
        .await
    }

    async fn prune_deliveries(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.write(move |writer| {
            let old = "DELETE FROM hook_deliveries WHERE state <> 'waiting' AND tried_ms < ?1";
            let many = "DELETE FROM hook_deliveries WHERE seq IN (
                SELECT seq FROM (SELECT seq, row_number() OVER (PARTITION BY user_id ORDER BY seq DESC) AS place
                    FROM hook_deliveries WHERE state <> 'waiting') WHERE place > ?1)";
            let deleted = writer.conn.execute(old, [before.as_millisecond()])?;
            Ok(deleted + writer.conn.execute(many, [MOST_SETTLED])?)
        })
        .await
    }

    fn deliveries_changed(&self) -> watch::Receiver<u64> {
        self.shared.announcements.changed()
    }
}

fn settle(conn: &Connection, id: DeliveryId, attempt: &Attempt) -> Result<bool, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM hook_deliveries WHERE id = ?1 AND state = 'waiting'");
    let waiting = conn.prepare_cached(&sql)?.query_row([id.to_string()], delivery).optional()?;
    let Some(waiting) = waiting else { return Ok(false) };
    let (state, next) = match attempt.next {
        Next::Settle(state) => (state, None),
        Next::Retry { at, .. } => (DeliveryState::Waiting, Some(at.as_millisecond())),
    };
    let sql =
        "UPDATE hook_deliveries SET state = ?2, next_ms = ?3, attempts = attempts + 1, tried_ms = ?4, status = ?5, error = ?6
        WHERE seq = ?1";
    conn.prepare_cached(sql)?.execute(params![
        waiting.seq,
        state.as_str(),
        next,
        attempt.at.as_millisecond(),
        attempt.status,
        attempt.error,
    ])?;
    let (user, url) = (waiting.user_id.as_str(), waiting.url.as_str());
    match attempt.next {
        Next::Settle(state) => {
            if state == DeliveryState::Delivered {
                let sql = "DELETE FROM hook_pauses WHERE user_id = ?1 AND url = ?2";
                conn.prepare_cached(sql)?.execute(params![user, url])?;
            }
            let sql = "UPDATE hook_deliveries SET next_ms =
                    max(?4, coalesce((SELECT until_ms FROM hook_pauses WHERE user_id = ?1 AND url = ?2), 0))
                WHERE seq = (SELECT min(seq) FROM hook_deliveries
                    WHERE user_id = ?1 AND url = ?2 AND lane = ?3 AND state = 'waiting')";
            conn.prepare_cached(sql)?.execute(params![user, url, waiting.lane, attempt.at.as_millisecond()])?;
        }
        Next::Retry { pause: Some(until), .. } => pause(conn, user, url, until)?,
        Next::Retry { pause: None, .. } => {}
    }
    Ok(true)
}

/// What is due there, and what will come, waits until then.
fn pause(conn: &Connection, user: &str, url: &str, until: Timestamp) -> Result<(), Fault> {
    let until = until.as_millisecond();
    let sql = "INSERT INTO hook_pauses (user_id, url, until_ms) VALUES (?1, ?2, ?3)
        ON CONFLICT (user_id, url) DO UPDATE SET until_ms = max(until_ms, ?3)";
    conn.prepare_cached(sql)?.execute(params![user, url, until])?;
    let sql = "UPDATE hook_deliveries SET next_ms = ?3 WHERE user_id = ?1 AND url = ?2 AND state = 'waiting' AND next_ms < ?3";
    conn.prepare_cached(sql)?.execute(params![user, url, until])?;
    Ok(())
}

fn one(conn: &Connection, user: &UserId, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
    let sql = format!("SELECT {COLUMNS} FROM hook_deliveries WHERE user_id = ?1 AND id = ?2");
    conn.prepare_cached(&sql)?.query_row(params![user.as_str(), id.to_string()], delivery).optional()
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let state: String = row.get(8)?;
    Ok(Delivery {
        seq: row.get(0)?,
        id: parsed(row, 1)?,
        user_id: parsed(row, 2)?,
        url: row.get(3)?,
        event: row.get(4)?,
        lane: row.get(5)?,
        body: row.get(6)?,
        created_at: time(row.get(7)?),
        state: DeliveryState::ALL.iter().copied().find(|known| known.as_str() == state).unwrap_or(DeliveryState::Dropped),
        since: time(row.get(9)?),
        next_attempt_at: row.get::<_, Option<i64>>(10)?.map(time),
        attempts: row.get(11)?,
        tried_at: row.get::<_, Option<i64>>(12)?.map(time),
        status: row.get(13)?,
        error: row.get(14)?,
    })
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|e: T::Err| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// As a JSON list, which SQLite takes for a table.
fn listed(seqs: &[i64]) -> String {
    let texts: Vec<String> = seqs.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}
