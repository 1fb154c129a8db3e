//! The SIP messages of calls.

use super::fault::Fault;
use super::record::{json, parse};
use callie_domain::CallId;
use callie_domain::record::SipMessage;
use rusqlite::Connection;

/// Appends each call's messages behind those it has. A call without a record has nothing that they could belong to.
pub(super) fn append(conn: &Connection, messages: &[(CallId, Vec<SipMessage>)]) -> Result<(), Fault> {
    let mut known = conn.prepare_cached("SELECT 1 FROM calls WHERE id = ?1")?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO call_signalling (call_id, n, message)
         VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM call_signalling WHERE call_id = ?1), ?2)",
    )?;
    for (call, messages) in messages {
        let id = call.to_string();
        if !known.exists([&id])? {
            tracing::warn!(call.id = id, "SIP messages of a call without a record are not kept");
            continue;
        }
        for message in messages {
            insert.execute((&id, json(message)?))?;
        }
    }
    Ok(())
}

/// In the order they went over the wire.
pub(super) fn messages(conn: &Connection, call: CallId) -> Result<Vec<SipMessage>, Fault> {
    let mut query = conn.prepare_cached("SELECT message FROM call_signalling WHERE call_id = ?1 ORDER BY n")?;
    let rows = query.query_map([call.to_string()], |row| row.get::<_, String>(0))?;
    let mut messages = rows.map(|json| parse::<SipMessage>(&json?, call)).collect::<Result<Vec<_>, Fault>>()?;
    // The legs of a call are written one after the other.
    messages.sort_by_key(|message| message.at);
    Ok(messages)
}
