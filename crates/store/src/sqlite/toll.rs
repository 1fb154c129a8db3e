//! What was dialled and spent, from the columns beside the records; and the do-not-call lists, which are in memory as well: a call is not dialled
//! before it was looked at them, and does not wait for that.

use super::fault::Fault;
use super::{SqliteStore, Writer};
use crate::StoreError;
use crate::toll::{CostSum, Costs, DoNotCall, MOST_DO_NOT_CALL, TollStore};
use async_trait::async_trait;
use callie_domain::prices::{Modality, Unit};
use callie_domain::toll::Spent;
use callie_domain::user::limits::Micros;
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

const LONGEST_PAGE: u32 = 1_000;

/// The lists of all users, as they were last read.
#[derive(Clone, Default)]
pub(super) struct Lists(Arc<RwLock<Read>>);

#[derive(Default)]
struct Read {
    /// The count of changes that has been read.
    changes: i64,
    numbers: HashMap<String, HashSet<String>>,
}

impl Lists {
    pub fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let lists = Self::default();
        lists.read(conn, changes(conn)?)?;
        Ok(lists)
    }

    /// Reads them again if anybody has changed them.
    pub fn follow(&self, conn: &Connection) -> rusqlite::Result<()> {
        let now = changes(conn)?;
        let seen = self.0.read().unwrap_or_else(PoisonError::into_inner).changes;
        if now == seen { Ok(()) } else { self.read(conn, now) }
    }

    fn read(&self, conn: &Connection, changes: i64) -> rusqlite::Result<()> {
        let mut numbers: HashMap<String, HashSet<String>> = HashMap::new();
        let mut query = conn.prepare_cached("SELECT user_id, number FROM do_not_call")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        for row in rows {
            let (user, number) = row?;
            numbers.entry(user).or_default().insert(number);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Read { changes, numbers };
        Ok(())
    }

    fn has(&self, user: &UserId, numbers: &[String]) -> bool {
        let read = self.0.read().unwrap_or_else(PoisonError::into_inner);
        read.numbers.get(user.as_str()).is_some_and(|list| numbers.iter().any(|number| list.contains(number)))
    }
}

fn changes(conn: &Connection) -> rusqlite::Result<i64> {
    conn.prepare_cached("SELECT coalesce(max(n), 0) FROM do_not_call_changes")?.query_row([], |row| row.get(0))
}

#[async_trait]
impl TollStore for SqliteStore {
    async fn spent_since(&self, from: Timestamp) -> Result<Vec<(UserId, Spent)>, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT user_id, started_ms, dialled, talk_ms, cost_micros FROM calls
                WHERE id >= ?1 AND (dialled > 0 OR cost_micros > 0) ORDER BY id";
            let mut query = conn.prepare_cached(sql)?;
            let rows = query.query_map([first_id(from)], |row| {
                let spent = Spent {
                    started_at: Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH),
                    dialled: row.get(2)?,
                    talk_ms: row.get(3)?,
                    cost: Micros(row.get(4)?),
                };
                Ok((row.get::<_, String>(0)?, spent))
            })?;
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            Ok(rows.into_iter().filter_map(|(user, spent)| Some((user.parse().ok()?, spent))).collect())
        })
        .await
    }

    async fn costs(&self, user: &UserId, from: Timestamp, until: Timestamp) -> Result<Costs, StoreError> {
        let user = user.to_string();
        self.read(move |conn| Ok(costs(conn, &user, from, until)?)).await
    }

    fn is_listed(&self, user: &UserId, numbers: &[String]) -> bool {
        self.shared.lists.has(user, numbers)
    }

    async fn add_do_not_call(&self, user: &UserId, entries: &[DoNotCall]) -> Result<usize, StoreError> {
        let (user, entries) = (user.to_string(), entries.to_vec());
        self.write(move |writer| writer.add_do_not_call(&user, &entries)).await
    }

    async fn remove_do_not_call(&self, user: &UserId, numbers: &[String]) -> Result<usize, StoreError> {
        let (user, numbers) = (user.to_string(), numbers.to_vec());
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            let mut removed = 0;
            for number in &numbers {
                let sql = "DELETE FROM do_not_call WHERE user_id = ?1 AND number = ?2";
                removed += tx.prepare_cached(sql)?.execute(params![user, number])?;
            }
            tx.commit()?;
            writer.lists.follow(&writer.conn)?;
            Ok(removed)
        })
        .await
    }

    async fn do_not_call(&self, user: &UserId, after: Option<&str>, limit: u32) -> Result<Vec<DoNotCall>, StoreError> {
        let (user, after) = (user.to_string(), after.unwrap_or_default().to_owned());
        self.read(move |conn| {
            let sql =
                "SELECT number, note, added_ms FROM do_not_call WHERE user_id = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
            let mut query = conn.prepare_cached(sql)?;
            let rows = query.query_map(params![user, after, limit.min(LONGEST_PAGE)], |row| {
                let added_at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
                Ok(DoNotCall { number: row.get(0)?, note: row.get(1)?, added_at })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

impl Writer {
    fn add_do_not_call(&mut self, user: &str, entries: &[DoNotCall]) -> Result<usize, Fault> {
        let tx = self.conn.transaction()?;
        let count = "SELECT count(*) FROM do_not_call WHERE user_id = ?1";
        let before: u32 = tx.prepare_cached(count)?.query_row([user], |row| row.get(0))?;
        for entry in entries {
            let sql = "INSERT INTO do_not_call (user_id, number, note, added_ms) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (user_id, number) DO UPDATE SET note = ?3";
            tx.prepare_cached(sql)?.execute(params![user, entry.number, entry.note, entry.added_at.as_millisecond()])?;
        }
        let after: u32 = tx.prepare_cached(count)?.query_row([user], |row| row.get(0))?;
        if after > MOST_DO_NOT_CALL {
            let text = format!("a do-not-call list may have at most {MOST_DO_NOT_CALL} numbers");
            return Err(StoreError::Unavailable(text).into());
        }
        tx.commit()?;
        self.lists.follow(&self.conn)?;
        Ok(usize::try_from(after - before).unwrap_or(0))
    }
}

/// Ids begin with the time of their calls.
fn first_id(from: Timestamp) -> String {
    CallId::new(from, 0).to_string()
}

fn costs(conn: &Connection, user: &str, from: Timestamp, until: Timestamp) -> rusqlite::Result<Costs> {
    let sql = "SELECT count(*), coalesce(sum(max(0, ended_ms - answered_ms)), 0) FROM calls WHERE user_id = ?1 AND id >= ?2 AND id < ?3";
    let span = params![user, first_id(from), first_id(until)];
    let (calls, talk_ms) = conn.prepare_cached(sql)?.query_row(span, |row| Ok((row.get(0)?, row.get(1)?)))?;
    // The carrier's lines name numbers; they are added up whoever was called.
    let sql = "SELECT cdr ->> '$.cost.currency', line.value ->> '$.engine' AS engine,
            CASE WHEN line.value ->> '$.engine' = 'carrier' THEN '' ELSE line.value ->> '$.model' END AS model,
            line.value ->> '$.modality', line.value ->> '$.unit', sum(line.value ->> '$.quantity'), sum(line.value ->> '$.amount_micros'),
            coalesce(sum(CASE WHEN line.value ->> '$.price' IS NOT NULL THEN line.value ->> '$.quantity' END), 0)
        FROM calls, json_each(CASE WHEN json_valid(cdr) THEN cdr ELSE '{}' END, '$.cost.lines') AS line
        WHERE user_id = ?1 AND calls.id >= ?2 AND calls.id < ?3
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4";
    let mut query = conn.prepare_cached(sql)?;
    let rows = query.query_map(span, |row| {
        Ok(CostSum {
            currency: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
            engine: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
            model: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
            modality: row.get::<_, Option<String>>(3)?.and_then(word::<Modality>),
            unit: row.get::<_, Option<String>>(4)?.and_then(word::<Unit>).unwrap_or(Unit::Tokens),
            quantity: row.get(5)?,
            amount_micros: row.get(6)?,
            priced: row.get(7)?,
        })
    })?;
    Ok(Costs { calls, talk_ms, sums: rows.collect::<Result<_, _>>()? })
}

fn word<T: DeserializeOwned>(text: String) -> Option<T> {
    serde_json::from_value(Value::String(text)).ok()
}
