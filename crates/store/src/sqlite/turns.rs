//! What was said in calls: kept turn by turn beside the events, so that it is read and searched without them.

use super::fault::Fault;
use super::record::{json, parse};
use callie_domain::CallId;
use callie_domain::record::{CallEvent, CallFact, Cdr, Turn};
use rusqlite::Connection;

/// The row that holds the call's parties instead of a turn.
const PARTIES: i64 = -1;

/// A text that has not changed is not indexed anew.
const SAVE: &str = "INSERT INTO call_texts (call_id, n, text, turn) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (call_id, n) DO UPDATE SET text = ?3, turn = ?4 WHERE text <> ?3 OR turn IS NOT ?4";

/// Makes the call findable by who talked to whom.
pub(super) fn save_parties(conn: &Connection, cdr: &Cdr) -> Result<(), Fault> {
    let parties = format!("{} {}", cdr.from, cdr.to);
    conn.prepare_cached(SAVE)?.execute((cdr.id.to_string(), PARTIES, parties, None::<String>))?;
    Ok(())
}

/// Takes the turns out of the events; a later one replaces an earlier one of the same index.
pub(super) fn save_turns(conn: &Connection, call: CallId, events: &[CallEvent]) -> Result<(), Fault> {
    for event in events {
        if let CallFact::Turn { turn } = &event.fact {
            conn.prepare_cached(SAVE)?.execute((call.to_string(), turn.index, &turn.text, json(turn)?))?;
        }
    }
    Ok(())
}

/// The turns in order of their index.
pub(super) fn turns(conn: &Connection, call: CallId) -> Result<Vec<Turn>, Fault> {
    let mut query = conn.prepare_cached("SELECT turn FROM call_texts WHERE call_id = ?1 AND n >= 0 ORDER BY n")?;
    let rows = query.query_map([call.to_string()], |row| row.get::<_, String>(0))?;
    rows.map(|turn| parse(&turn?, call)).collect()
}
