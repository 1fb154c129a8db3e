//! Calls and their events in SQLite.

use super::after_call::enqueue;
use super::analytics::add_call;
use super::delivery::{Announcements, announce, announce_events};
use super::fault::Fault;
use super::{SqliteStore, Writer, search, signalling, turns, vault};
use crate::delivery::Written;
use crate::{CallFilter, CallPage, Keyring, RecordEntry, RecordStore, StoreError};
use async_trait::async_trait;
use callie_domain::CallId;
use callie_domain::record::{CallEvent, CallFact, CallResult, Cdr, EndReason, SipMessage, Termination, Turn};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

const DEFAULT_PAGE: usize = 50;
/// A page is never longer, so that one request cannot hold a reader for long.
const LONGEST_PAGE: usize = 1_000;

/// The end is written over the beginning; a call whose beginning was not written is recorded all the same.
const SAVE: &str = "INSERT INTO calls (id, user_id, direction, result, reason, started_ms, answered_ms, ended_ms, cdr, dialled, talk_ms, cost_micros, duration_ms, latency_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (id) DO UPDATE SET user_id = ?2, direction = ?3, result = ?4, reason = ?5,
        started_ms = ?6, answered_ms = ?7, ended_ms = ?8, cdr = ?9, dialled = ?10, talk_ms = ?11, cost_micros = ?12, duration_ms = ?13, latency_ms = ?14";

/// A beginning that comes twice changes nothing, least of all a record that has ended.
const BEGIN: &str = "INSERT INTO calls (id, user_id, direction, result, reason, started_ms, answered_ms, ended_ms, cdr, dialled, talk_ms, cost_micros, duration_ms, latency_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (id) DO NOTHING";

#[async_trait]
impl RecordStore for SqliteStore {
    async fn keep(&self, entries: Vec<RecordEntry>) -> Vec<(RecordEntry, StoreError)> {
        let entries = Arc::new(entries);
        let written = {
            let entries = entries.clone();
            self.write(move |writer| writer.keep(&entries)).await
        };
        let failures = match written {
            Ok(failures) => failures.into_iter().map(|(at, fault)| (at, fault.at(&self.shared.path))).collect(),
            Err(error) => (0..entries.len()).map(|at| (at, error.clone())).collect::<Vec<_>>(),
        };
        failures.into_iter().filter_map(|(at, error)| Some((entries.get(at)?.clone(), error))).collect()
    }

    async fn get(&self, call: CallId) -> Result<Option<Cdr>, StoreError> {
        self.read(move |conn| {
            let mut query = conn.prepare_cached("SELECT cdr FROM calls WHERE id = ?1")?;
            let json: Option<String> = query.query_row([call.to_string()], |row| row.get(0)).optional()?;
            json.map(|json| parse(&json, call)).transpose()
        })
        .await
    }

    async fn events(&self, call: CallId) -> Result<Vec<CallEvent>, StoreError> {
        self.read(move |conn| events(conn, call)).await
    }

    async fn turns(&self, call: CallId) -> Result<Vec<Turn>, StoreError> {
        self.read(move |conn| turns::turns(conn, call)).await
    }

    async fn signalling(&self, call: CallId) -> Result<Vec<SipMessage>, StoreError> {
        self.read(move |conn| signalling::messages(conn, call)).await
    }

    async fn list(&self, filter: &CallFilter) -> Result<CallPage, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| list(conn, &filter)).await
    }

    async fn close_orphans(&self, now: Timestamp) -> Result<Vec<Cdr>, StoreError> {
        self.write(move |writer| writer.close_orphans(now)).await
    }
}

impl Writer {
    /// One transaction, and within it a savepoint for each: an entry that cannot be written costs no other. Gives the places of
    /// those that cannot.
    fn keep(&mut self, entries: &[RecordEntry]) -> Result<Vec<(usize, Fault)>, Fault> {
        let Self { conn, announcements, keyring, .. } = self;
        let mut tx = conn.transaction()?;
        let (mut failures, mut told) = (Vec::new(), Told::default());
        for (at, entry) in entries.iter().enumerate() {
            let point = tx.savepoint()?;
            match write(&point, announcements, keyring, entry) {
                Ok(news) => {
                    point.commit()?;
                    told.hooks |= news.hooks;
                    told.after_calls |= news.after_calls;
                }
                // Dropped, it is rolled back.
                Err(fault) => failures.push((at, fault)),
            }
        }
        tx.commit()?;
        self.ring(told);
        Ok(failures)
    }

    fn close_orphans(&mut self, now: Timestamp) -> Result<Vec<Cdr>, Fault> {
        let tx = self.conn.transaction()?;
        let (mut closed, mut told) = (Vec::new(), Told::default());
        for cdr in open_calls(&tx)? {
            let events = events(&tx, cdr.id)?;
            let (cdr, last) = close_as_lost(cdr, &events, now);
            save(&tx, SAVE, &cdr)?;
            add_call(&tx, &cdr)?;
            append(&tx, cdr.id, &[last])?;
            told.hooks |= announce(&tx, &self.announcements, Written::Ended(&cdr, &[]))?;
            told.after_calls |= enqueue(&tx, &cdr)?;
            closed.push(cdr);
        }
        tx.commit()?;
        self.ring(told);
        Ok(closed)
    }

    fn ring(&self, told: Told) {
        self.ring_if(told.hooks);
        if told.after_calls {
            self.after_calls.ring();
        }
    }
}

/// Who has something to do about what was written.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    hooks: bool,
    after_calls: bool,
}

impl Told {
    fn hooks(hooks: bool) -> Self {
        Self { hooks, after_calls: false }
    }
}

fn write(conn: &Connection, announcements: &Announcements, keyring: &Keyring, entry: &RecordEntry) -> Result<Told, Fault> {
    match entry {
        RecordEntry::Begin(cdr) => {
            let begun = save(conn, BEGIN, cdr)?;
            Ok(Told::hooks(begun && announce(conn, announcements, Written::Begun(cdr))?))
        }
        RecordEntry::Append(call, events) => {
            append(conn, *call, events)?;
            announce_events(conn, announcements, *call, events).map(Told::hooks)
        }
        RecordEntry::Finish(cdr, events) => {
            let has_ended = has_ended(conn, cdr.id)?;
            save(conn, SAVE, cdr)?;
            if !has_ended {
                add_call(conn, cdr)?;
            }
            append(conn, cdr.id, events)?;
            if cdr.recording.is_none() {
                vault::forget(conn, cdr.id)?;
            }
            let hooks = announce(conn, announcements, Written::Ended(cdr, events))?;
            Ok(Told { hooks, after_calls: enqueue(conn, cdr)? })
        }
        RecordEntry::Signalling(messages) => signalling::append(conn, messages).map(|()| Told::default()),
        RecordEntry::Recording(recording) => vault::put(conn, keyring, recording).map(|()| Told::default()),
    }
}

/// The record of a call whose process died. It ended at its last sign of life at the earliest, and nothing later is known:
/// the time until the restart is not talk.
fn close_as_lost(mut cdr: Cdr, events: &[CallEvent], now: Timestamp) -> (Cdr, CallEvent) {
    let answered = events.iter().find(|event| event.fact == CallFact::Answered).map(|event| event.at);
    cdr.answered_at = cdr.answered_at.or(answered);
    let last_sign = events.iter().map(|event| event.at).chain(cdr.answered_at).chain([cdr.started_at]).max();
    cdr.ended_at = Some(last_sign.unwrap_or(now).min(now).max(cdr.started_at));
    let termination = Termination::because(EndReason::ProcessLost, format!("found without an end at {now}"));
    cdr.termination = Some(termination.clone());
    let offset_ms = u64::try_from(now.as_millisecond() - cdr.started_at.as_millisecond()).unwrap_or(0);
    (cdr, CallEvent { at: now, offset_ms, fact: CallFact::Ended { termination } })
}

fn open_calls(conn: &Connection) -> Result<Vec<Cdr>, Fault> {
    let mut query = conn.prepare("SELECT id, cdr FROM calls WHERE result IS NULL ORDER BY id")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    readable(rows)
}

/// The records among the rows; one that cannot be read is reported and passed over, so that it hides no other.
fn readable(rows: impl Iterator<Item = rusqlite::Result<(String, String)>>) -> Result<Vec<Cdr>, Fault> {
    let mut calls = Vec::new();
    for row in rows {
        let (id, json) = row?;
        match serde_json::from_str(&json) {
            Ok(cdr) => calls.push(cdr),
            Err(fault) => tracing::error!(call.id = id, %fault, "a call's record cannot be read and is passed over"),
        }
    }
    Ok(calls)
}

/// `false` when a record was there that stays.
fn save(conn: &Connection, sql: &'static str, cdr: &Cdr) -> Result<bool, Fault> {
    let saved = conn.prepare_cached(sql)?.execute(params![
        cdr.id.to_string(),
        cdr.user_id.as_str(),
        word(&cdr.direction),
        cdr.termination.as_ref().map(|end| word(&end.result)),
        cdr.termination.as_ref().map(|end| word(&end.reason)),
        cdr.started_at.as_millisecond(),
        cdr.answered_at.map(Timestamp::as_millisecond),
        cdr.ended_at.map(Timestamp::as_millisecond),
        json(cdr)?,
        dialled(cdr),
        cdr.dialled_talk().iter().map(|(_, talk_ms)| talk_ms).sum::<i64>(),
        cdr.cost.as_ref().map_or(0, |cost| cost.total_micros),
        cdr.talk_ms().map(|ms| ms.max(0)),
        cdr.talk.as_ref().and_then(|talk| talk.latency_p95_ms),
    ])?;
    if saved > 0 {
        turns::save_parties(conn, cdr)?;
    }
    Ok(saved > 0)
}

/// An end that is written twice is added to the sums once.
fn has_ended(conn: &Connection, call: CallId) -> Result<bool, Fault> {
    let mut query = conn.prepare_cached("SELECT 1 FROM calls WHERE id = ?1 AND result IS NOT NULL")?;
    Ok(query.exists([call.to_string()])?)
}

/// Writes a record that is there over itself.
pub(super) fn rewrite(conn: &Connection, cdr: &Cdr) -> Result<(), Fault> {
    save(conn, SAVE, cdr).map(drop)
}

/// A call that was turned away before it was dialled has dialled nobody.
fn dialled(cdr: &Cdr) -> i64 {
    let is_refused = cdr.termination.as_ref().is_some_and(|end| end.result == CallResult::Rejected);
    if is_refused { 0 } else { i64::try_from(cdr.dialled_legs()).unwrap_or(i64::MAX) }
}

fn append(conn: &Connection, call: CallId, events: &[CallEvent]) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let id = call.to_string();
    let known = conn.prepare_cached("SELECT 1 FROM calls WHERE id = ?1")?.exists([&id])?;
    if !known {
        return Err(StoreError::Unavailable(format!("call {id} has no record to append to: begin it first")).into());
    }
    let sql = "INSERT INTO call_events (call_id, n, at_ms, event)
        VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM call_events WHERE call_id = ?1), ?2, ?3)";
    let mut insert = conn.prepare_cached(sql)?;
    for event in events {
        insert.execute((&id, event.at.as_millisecond(), json(event)?))?;
    }
    turns::save_turns(conn, call, events)
}

fn events(conn: &Connection, call: CallId) -> Result<Vec<CallEvent>, Fault> {
    let mut query = conn.prepare_cached("SELECT event FROM call_events WHERE call_id = ?1 ORDER BY n")?;
    let rows = query.query_map([call.to_string()], |row| row.get::<_, String>(0))?;
    rows.map(|json| parse(&json?, call)).collect()
}

fn list(conn: &Connection, filter: &CallFilter) -> Result<CallPage, Fault> {
    let limit = if filter.limit == 0 { DEFAULT_PAGE } else { filter.limit.min(LONGEST_PAGE) };
    let words = filter.text.as_deref().map(search::word_queries);
    if words.as_ref().is_some_and(Vec::is_empty) {
        return Ok(CallPage::default());
    }
    let words = words.unwrap_or_default();
    let plan = Plan::of(conn, filter, words.clone())?;
    let (mut rows, reached) = match plan.goes_through {
        true => go_through(conn, filter, &plan, limit + 1, LOOKED_AT)?,
        false => (rows(conn, filter, &plan, limit + 1)?, None),
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().and_then(|(id, _)| id.parse().ok()).filter(|_| more).or(reached);
    let calls = readable(rows.into_iter().map(Ok))?;
    let ids: Vec<_> = calls.iter().map(|cdr| cdr.id).collect();
    let matches = search::matches(conn, &ids, &words)?;
    Ok(CallPage { calls, next: last, matches })
}

/// Calls of which there are fewer than this are looked for by what makes them rare; there are enough of others near the beginning of
/// the list.
const FEW: i64 = 5_000;

/// Calls that are looked at together for words that are in many: at first, and at most.
const WINDOW: usize = 250;
const LARGEST_WINDOW: usize = 4_000;
/// Of one page. Words that only old calls have would be looked for in all that came since; whoever asks goes on where it ended.
const LOOKED_AT: usize = 12_000;

/// How a filter is looked for.
struct Plan {
    index: &'static str,
    words: Vec<String>,
    /// All words are in many texts: calls that fit otherwise are gone through from the newest on, until enough have them.
    goes_through: bool,
}

impl Plan {
    fn of(conn: &Connection, filter: &CallFilter, words: Vec<String>) -> rusqlite::Result<Self> {
        let mut has_rare = false;
        for word in &words {
            has_rare |= search::is_rare(conn, word)?;
        }
        if has_rare {
            // The calls of that word are few, whatever else is asked.
            return Ok(Self { index: "", words, goes_through: false });
        }
        let goes_through = !words.is_empty();
        let few = |column: &str, index: &str, (min, max): (Option<i64>, Option<i64>)| {
            if min.is_none() && max.is_none() {
                return Ok(false);
            }
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM calls INDEXED BY {index} WHERE {column} BETWEEN ?1 AND ?2 LIMIT {FEW})"
            );
            let range = params![min.unwrap_or(0), max.unwrap_or(i64::MAX)];
            conn.prepare_cached(&sql)?.query_row(range, |row| row.get::<_, i64>(0)).map(|count| count < FEW)
        };
        let index = if few("duration_ms", "calls_by_duration", (filter.min_duration_ms, filter.max_duration_ms))? {
            "calls_by_duration"
        } else if few("latency_ms", "calls_by_latency", (filter.min_latency_ms, filter.max_latency_ms))? {
            "calls_by_latency"
        } else if filter.user_id.is_some() {
            "calls_of_user"
        } else if filter.result.is_some() {
            "calls_by_result"
        } else {
            "calls_listed"
        };
        Ok(Self { index, words, goes_through })
    }
}

type Found = Vec<(String, String)>;

fn rows(conn: &Connection, filter: &CallFilter, plan: &Plan, limit: usize) -> Result<Found, Fault> {
    let (chosen, values) = chosen(filter, plan, limit);
    records(conn, &chosen, values)
}

/// The records whose ids a query gives, newest first.
fn records(conn: &Connection, ids: &str, values: Vec<Value>) -> Result<Found, Fault> {
    let mut query = conn.prepare_cached(&format!("SELECT id, cdr FROM calls WHERE id IN ({ids}) ORDER BY id DESC"))?;
    let rows = query.query_map(params_from_iter(values), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn ids(conn: &Connection, filter: &CallFilter, plan: &Plan, limit: usize) -> Result<Vec<String>, Fault> {
    let (chosen, values) = chosen(filter, plan, limit);
    let mut query = conn.prepare_cached(&chosen)?;
    let rows = query.query_map(params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What was found; and, where more calls than `most` would have to be looked at, the last of those that were.
fn go_through(
    conn: &Connection,
    filter: &CallFilter,
    plan: &Plan,
    limit: usize,
    most: usize,
) -> Result<(Found, Option<CallId>), Fault> {
    let mut filter = filter.clone();
    let mut found = Vec::new();
    let (mut window, mut looked_at) = (WINDOW, 0);
    loop {
        let some = ids(conn, &filter, plan, window)?;
        let having = search::having_all(conn, &some, &plan.words)?;
        let is_last = some.len() < window;
        looked_at += some.len();
        filter.before = some.last().and_then(|id| id.parse().ok());
        found.extend(some.into_iter().filter(|id| having.contains(id)));
        let is_done = found.len() >= limit || is_last || filter.before.is_none();
        if is_done || looked_at >= most {
            found.truncate(limit);
            let records = records(conn, "SELECT value FROM json_each(?1)", vec![Value::Text(json(&found)?)])?;
            return Ok((records, filter.before.filter(|_| !is_done)));
        }
        window = (window * 4).min(LARGEST_WINDOW);
    }
}

/// The query of the ids that fit a filter: constant pieces of SQL, with every value bound. An id begins with the time of its call, so times
/// are compared as ids, to the millisecond. What fits is found in an index; records are read of the page alone.
fn chosen(filter: &CallFilter, plan: &Plan, limit: usize) -> (String, Vec<Value>) {
    let at = |time: Timestamp| Value::Text(CallId::new(time, 0).to_string());
    let text = |text: String| Value::Text(text);
    let conditions = [
        (" AND user_id = ?", filter.user_id.as_ref().map(ToString::to_string).map(text)),
        (" AND direction = ?", filter.direction.as_ref().map(word).map(text)),
        (" AND result = ?", filter.result.as_ref().map(word).map(text)),
        (" AND id >= ?", filter.from.map(at)),
        (" AND id < ?", filter.until.map(at)),
        (" AND id < ?", filter.before.map(|call| text(call.to_string()))),
        (" AND duration_ms >= ?", filter.min_duration_ms.map(Value::Integer)),
        (" AND duration_ms <= ?", filter.max_duration_ms.map(Value::Integer)),
        (" AND latency_ms >= ?", filter.min_latency_ms.map(Value::Integer)),
        (" AND latency_ms <= ?", filter.max_latency_ms.map(Value::Integer)),
    ];
    let by = if plan.index.is_empty() { String::new() } else { format!(" INDEXED BY {}", plan.index) };
    let mut sql = format!("SELECT id FROM calls{by} WHERE 1");
    let mut values = Vec::new();
    for (condition, value) in conditions {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value);
        }
    }
    for word in plan.words.iter().filter(|_| !plan.goes_through) {
        sql.push_str(search::OCCURS);
        values.push(Value::Text(word.clone()));
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    (sql, values)
}

/// The one word of a value from a closed list, as it stands in JSON.
pub(super) fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|e| StoreError::Unavailable(format!("a record cannot be written: {e}")).into())
}

pub(super) fn parse<T: DeserializeOwned>(json: &str, call: CallId) -> Result<T, Fault> {
    serde_json::from_str(json)
        .map_err(|e| StoreError::Unavailable(format!("the record of call {call} cannot be read: {e}")).into())
}

#[cfg(test)]
mod tests {
    use super::super::schema::open_writer;
    use super::*;
    use callie_domain::record::{Direction, Speaker};

    const CALLS: u32 = 700;

    fn id(n: u32) -> CallId {
        CallId::new(Timestamp::from_second(1_800_000_000 + i64::from(n)).expect("a time"), n.into())
    }

    /// Of these calls only the first ten have the word.
    async fn written(store: &SqliteStore) {
        let finished = (0..CALLS).map(|n| {
            let at = id(n).began_at().expect("a time");
            let text = if n < 10 { "an appointment" } else { "a visit" }.to_owned();
            let turn =
                Turn { index: 0, speaker: Speaker::Caller, started_ms: 0, ended_ms: 9, text, interrupted: false, latency: None };
            let cdr = Cdr { ended_at: Some(at), ..Cdr::begun(id(n), "alice".parse().expect("an id"), Direction::Inbound, at) };
            RecordEntry::Finish(Box::new(cdr), vec![CallEvent { at, offset_ms: 9, fact: CallFact::Turn { turn } }])
        });
        assert!(RecordStore::keep(store, finished.collect()).await.is_empty());
    }

    #[tokio::test]
    async fn a_search_looks_at_so_many_calls_and_goes_on_from_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("callie.db");
        let keyring = Keyring::from_master_key(&format!("{}=", "A".repeat(43))).expect("a key");
        let store = SqliteStore::open(&path, Arc::new(keyring)).expect("opened");
        written(&store).await;
        store.close().await;
        let conn = open_writer(&path).expect("opened");
        let plan = |word: &str| Plan { index: "calls_listed", words: vec![format!("\"{word}\"")], goes_through: true };

        let (mut filter, mut pages) = (CallFilter::default(), Vec::new());
        loop {
            let (found, reached) = go_through(&conn, &filter, &plan("appointment"), 51, 250).expect("read");
            pages.push((found.len(), reached));
            match reached {
                Some(_) => filter.before = reached,
                None => break,
            }
        }
        assert_eq!(pages, [(0, Some(id(CALLS - 250))), (0, Some(id(CALLS - 500))), (10, None)]);
        let enough = go_through(&conn, &CallFilter::default(), &plan("visit"), 51, 250).expect("read");
        assert_eq!((enough.0.len(), enough.1), (51, None));
        let all = go_through(&conn, &CallFilter::default(), &plan("appointment"), 51, usize::MAX).expect("read");
        assert_eq!((all.0.len(), all.1), (10, None));
    }
}
