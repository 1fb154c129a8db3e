//! Sums of calls in SQLite: added to in the transaction that writes a call's end, read by groups of quarters.

use super::SqliteStore;
use super::fault::Fault;
use super::record::word;
use crate::StoreError;
use crate::analytics::{AnalyticsStore, CallSum, Spending, Sums, Watched};
use async_trait::async_trait;
use callie_domain::UserId;
use callie_domain::analytics::{LineSpan, QUARTER_MS, Span};
use callie_domain::prices::Cost;
use callie_domain::record::Cdr;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Stands for all users; it is no user's id, as the next.
const ALL: &str = "";
/// Stands for all users, too: their sums by the hour, since a year has too many quarters to be gone through while somebody waits.
const ALL_BY_HOUR: &str = "*";
const HOUR_MS: i64 = 4 * QUARTER_MS;

/// Adds an ended call to the sums. Each call is added once.
pub(super) fn add_call(conn: &Connection, cdr: &Cdr) -> Result<(), Fault> {
    let Some(end) = &cdr.termination else { return Ok(()) };
    let talk = cdr.talk.clone().unwrap_or_default();
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    for (user, slot) in slots(cdr) {
        let sql =
            "INSERT INTO call_slots (user_id, slot_ms, direction, result, calls, answered, duration_ms, caller_ms, agent_ms)
            VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET calls = calls + 1, answered = answered + ?5,
                duration_ms = duration_ms + ?6, caller_ms = caller_ms + ?7, agent_ms = agent_ms + ?8";
        conn.prepare_cached(sql)?.execute(params![
            user,
            slot,
            word(&cdr.direction),
            word(&end.result),
            cdr.answered_at.is_some(),
            cdr.talk_ms().unwrap_or_default().max(0),
            signed(talk.caller_ms),
            signed(talk.agent_ms),
        ])?;
        for engine in &talk.engines {
            let buckets = engine.latency.counts.iter().enumerate().filter(|(at, count)| *at == 0 || **count > 0);
            for (at, count) in buckets {
                let sum_ms = if at == 0 { signed(engine.latency.sum_ms) } else { 0 };
                let sql =
                    "INSERT INTO answer_slots (user_id, slot_ms, engine, bucket, answers, sum_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                    ON CONFLICT DO UPDATE SET answers = answers + ?5, sum_ms = sum_ms + ?6";
                conn.prepare_cached(sql)?.execute(params![
                    user,
                    slot,
                    engine.engine,
                    signed(at as u64),
                    signed(*count),
                    sum_ms
                ])?;
            }
        }
    }
    cdr.cost.as_ref().map_or(Ok(()), |cost| add_cost(conn, cdr, cost, !cost.is_complete))
}

/// What a call cost, or what came to it afterwards. `is_incomplete`: it is another call of which not everything has a price.
pub(super) fn add_cost(conn: &Connection, cdr: &Cdr, cost: &Cost, is_incomplete: bool) -> Result<(), Fault> {
    for (user, slot) in slots(cdr) {
        let sql = "INSERT INTO cost_slots (user_id, slot_ms, currency, amount_micros, incomplete) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT DO UPDATE SET amount_micros = amount_micros + ?4, incomplete = incomplete + ?5";
        conn.prepare_cached(sql)?.execute(params![user, slot, cost.currency, cost.total_micros, is_incomplete])?;
    }
    Ok(())
}

/// Whose sums a call is added to, and which.
fn slots(cdr: &Cdr) -> [(&str, i64); 3] {
    let floor = |to: i64| cdr.started_at.as_millisecond().div_euclid(to) * to;
    [(cdr.user_id.as_str(), floor(QUARTER_MS)), (ALL, floor(QUARTER_MS)), (ALL_BY_HOUR, floor(HOUR_MS))]
}

/// A range of a table's key, for the group of this number.
type Piece<'u> = (i64, i64, &'u str, usize);

/// Where the sums of these groups are found. Those of all users are taken by the hour, as far as a group is made of whole ones.
fn pieces<'u>(user: &'u str, groups: &[[i64; 2]]) -> Vec<Piece<'u>> {
    let of = |(at, [from, until]): (usize, &[i64; 2])| {
        let first = from.div_euclid(HOUR_MS) * HOUR_MS + if from % HOUR_MS == 0 { 0 } else { HOUR_MS };
        let last = until.div_euclid(HOUR_MS) * HOUR_MS;
        match user == ALL && first < last {
            true => vec![(*from, first, ALL, at), (first, last, ALL_BY_HOUR, at), (last, *until, ALL, at)],
            false => vec![(*from, *until, user, at)],
        }
    };
    let all = groups.iter().enumerate().flat_map(of);
    all.filter(|(from, until, ..)| from < until).collect()
}

#[async_trait]
impl AnalyticsStore for SqliteStore {
    async fn sums(&self, user: Option<&UserId>, groups: &[Span]) -> Result<Vec<Sums>, StoreError> {
        let user = user.map_or(ALL, UserId::as_str).to_owned();
        let spans: Vec<[i64; 2]> = groups.iter().map(|(from, until)| [from.as_millisecond(), until.as_millisecond()]).collect();
        self.read(move |conn| Ok(sums(conn, &user, &spans)?)).await
    }

    async fn line_spans(&self, user: Option<&UserId>, (from, until): Span) -> Result<Vec<LineSpan>, StoreError> {
        let user = user.map(ToString::to_string);
        self.read(move |conn| {
            let of_all =
                "SELECT from_ms, until_ms, registered FROM line_spans WHERE until_ms > ?1 AND from_ms < ?2 AND ?3 IS NULL";
            let of_one =
                "SELECT from_ms, until_ms, registered FROM line_spans WHERE user_id = ?3 AND until_ms > ?1 AND from_ms < ?2";
            let mut query = conn.prepare_cached(if user.is_some() { of_one } else { of_all })?;
            let rows = query.query_map(params![from.as_millisecond(), until.as_millisecond(), user], |row| {
                Ok(LineSpan { from_ms: row.get(0)?, until_ms: row.get(1)?, is_registered: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn keep_line_spans(&self, spans: Vec<Watched>) -> Result<(), StoreError> {
        self.write(move |writer| {
            let tx = writer.conn.transaction()?;
            for span in &spans {
                let sql = "INSERT INTO line_spans (user_id, from_ms, until_ms, registered) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT DO UPDATE SET until_ms = ?3, registered = ?4";
                let (from, until) = (span.from.as_millisecond(), span.until.as_millisecond());
                tx.prepare_cached(sql)?.execute(params![span.user_id.as_str(), from, until, span.is_registered])?;
            }
            tx.commit()?;
            Ok(())
        })
        .await
    }

    async fn prune_line_spans(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.write(move |writer| {
            let sql = "DELETE FROM line_spans WHERE until_ms < ?1";
            Ok(writer.conn.prepare_cached(sql)?.execute([before.as_millisecond()])?)
        })
        .await
    }
}

/// Each piece of a group is a range of the table's key: the pieces are gone through, and nothing outside of them is read.
const CALLS: &str =
    "SELECT g.value ->> 3, s.direction, s.result, sum(s.calls), sum(s.answered), sum(s.duration_ms), sum(s.caller_ms), sum(s.agent_ms)
    FROM json_each(?1) AS g CROSS JOIN call_slots AS s
    WHERE s.user_id = g.value ->> 2 AND s.slot_ms >= g.value ->> 0 AND s.slot_ms < g.value ->> 1 GROUP BY 1, s.direction, s.result";
const ANSWERS: &str = "SELECT g.value ->> 3, s.engine, s.bucket, sum(s.answers), sum(s.sum_ms)
    FROM json_each(?1) AS g CROSS JOIN answer_slots AS s
    WHERE s.user_id = g.value ->> 2 AND s.slot_ms >= g.value ->> 0 AND s.slot_ms < g.value ->> 1 GROUP BY 1, s.engine, s.bucket";
const COSTS: &str = "SELECT g.value ->> 3, s.currency, sum(s.amount_micros), sum(s.incomplete)
    FROM json_each(?1) AS g CROSS JOIN cost_slots AS s
    WHERE s.user_id = g.value ->> 2 AND s.slot_ms >= g.value ->> 0 AND s.slot_ms < g.value ->> 1 GROUP BY 1, s.currency";

fn sums(conn: &Connection, user: &str, spans: &[[i64; 2]]) -> rusqlite::Result<Vec<Sums>> {
    let mut sums = vec![Sums::default(); spans.len()];
    let pieces = serde_json::to_string(&pieces(user, spans)).unwrap_or_else(|_| "[]".to_owned());
    let mut query = conn.prepare_cached(CALLS)?;
    let mut rows = query.query([&pieces])?;
    while let Some(row) = rows.next()? {
        // A word of a later program is passed over.
        let (Some(direction), Some(result)) = (parsed(row.get(1)?), parsed(row.get(2)?)) else { continue };
        let sum = CallSum {
            direction,
            result,
            calls: row.get(3)?,
            answered: row.get(4)?,
            duration_ms: row.get(5)?,
            caller_ms: row.get(6)?,
            agent_ms: row.get(7)?,
        };
        if let Some(group) = group(&mut sums, row)? {
            group.calls.push(sum);
        }
    }
    let mut query = conn.prepare_cached(ANSWERS)?;
    let mut rows = query.query([&pieces])?;
    while let Some(row) = rows.next()? {
        let Some(group) = group(&mut sums, row)? else { continue };
        let histogram = group.answers.entry(row.get(1)?).or_default();
        let bucket = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX);
        if let Some(count) = histogram.counts.get_mut(bucket) {
            *count += unsigned(row, 3)?;
        }
        histogram.sum_ms += unsigned(row, 4)?;
    }
    let mut query = conn.prepare_cached(COSTS)?;
    let mut rows = query.query([&pieces])?;
    while let Some(row) = rows.next()? {
        let spending = Spending { amount_micros: row.get(2)?, incomplete: row.get(3)? };
        if let Some(group) = group(&mut sums, row)? {
            group.costs.insert(row.get(1)?, spending);
        }
    }
    Ok(sums)
}

/// The group that a row is of.
fn group<'s>(sums: &'s mut [Sums], row: &Row<'_>) -> rusqlite::Result<Option<&'s mut Sums>> {
    let at: i64 = row.get(0)?;
    Ok(usize::try_from(at).ok().and_then(|at| sums.get_mut(at)))
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

fn parsed<T: DeserializeOwned>(text: String) -> Option<T> {
    serde_json::from_value(Value::String(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::schema::open_writer;
    use super::*;

    #[test]
    fn sums_of_all_are_taken_by_the_hour_as_far_as_that_goes() {
        const Q: i64 = QUARTER_MS;
        for (user, group, want) in [
            ("alice", [0, 8 * Q], vec![(0, 8 * Q, "alice", 0)]),
            (ALL, [0, 8 * Q], vec![(0, 8 * Q, ALL_BY_HOUR, 0)]),
            (ALL, [Q, 9 * Q], vec![(Q, 4 * Q, ALL, 0), (4 * Q, 8 * Q, ALL_BY_HOUR, 0), (8 * Q, 9 * Q, ALL, 0)]),
            (ALL, [2 * Q, 6 * Q], vec![(2 * Q, 6 * Q, ALL, 0)]),
            (ALL, [-5 * Q, 0], vec![(-5 * Q, -4 * Q, ALL, 0), (-4 * Q, 0, ALL_BY_HOUR, 0)]),
            (ALL, [Q, 3 * Q], vec![(Q, 3 * Q, ALL, 0)]),
            (ALL, [Q, Q], vec![]),
        ] {
            assert_eq!(pieces(user, &[group]), want, "{user:?} {group:?}");
        }
    }

    #[test]
    fn each_group_is_a_range_of_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let conn = open_writer(&folder.path().join("callie.db")).expect("opened");
        for sql in [CALLS, ANSWERS, COSTS] {
            let mut query = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("valid");
            let steps = query.query_map(params![r#"[[1, 2, "alice", 0]]"#], |row| row.get::<_, String>(3)).expect("explained");
            let plan = steps.map(|step| step.expect("a step")).collect::<Vec<_>>().join("; ");
            assert!(plan.contains("SEARCH s USING PRIMARY KEY (user_id=? AND slot_ms>? AND slot_ms<?)"), "{plan}");
        }
    }
}
