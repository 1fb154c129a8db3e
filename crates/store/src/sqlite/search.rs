//! A person's words turned into full-text queries. Each word is quoted, so that nothing in it is syntax.

use super::fault::Fault;
use super::record::{json, parse};
use callie_domain::CallId;
use callie_domain::record::Turn;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::collections::{BTreeMap, HashSet};

/// Turns that are shown of each call that was found.
const MATCHES_PER_CALL: usize = 3;

/// The calls in which a word occurs, in whatever turn.
pub(super) const OCCURS: &str =
    " AND id IN (SELECT call_id FROM call_words JOIN call_texts ON call_texts.id = call_words.rowid WHERE call_words MATCH ?)";

/// Texts with a word, up to which its calls are listed.
const FEW: i64 = 20_000;

pub(super) fn is_rare(conn: &Connection, word: &str) -> rusqlite::Result<bool> {
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM call_words WHERE call_words MATCH ?1 LIMIT {FEW})");
    conn.prepare_cached(&sql)?.query_row([word], |row| row.get::<_, i64>(0)).map(|count| count < FEW)
}

/// The words of a text, each as a query. A word with punctuation in it is a phrase of its parts; a `*` at its end makes it
/// the beginning of words. Words without a letter or digit cannot occur and are passed over.
pub(super) fn word_queries(text: &str) -> Vec<String> {
    // A NUL would end the query in mid-word.
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| word.chars().any(char::is_alphanumeric)).map(word_query).collect()
}

fn word_query(word: &str) -> String {
    let stem = word.trim_end_matches('*');
    let prefix = if stem.len() < word.len() { " *" } else { "" };
    format!("\"{}\"{prefix}", stem.replace('"', "\"\""))
}

/// Of these calls, which lie together, those in which each of the words occurs, in whatever turn.
pub(super) fn having_all(conn: &Connection, calls: &[String], words: &[String]) -> Result<HashSet<String>, Fault> {
    let mut left: HashSet<String> = calls.iter().cloned().collect();
    let sql = "WITH page AS MATERIALIZED (SELECT id, call_id FROM call_texts WHERE call_id IN (SELECT value FROM json_each(?1)))
        SELECT DISTINCT call_id FROM page WHERE id IN (SELECT rowid FROM call_words WHERE call_words MATCH ?2
            AND rowid BETWEEN (SELECT min(id) FROM page) AND (SELECT max(id) FROM page))";
    for word in words {
        let listed = json(&left.iter().collect::<Vec<_>>())?;
        let mut query = conn.prepare_cached(sql)?;
        let rows = query.query_map([&listed, word], |row| row.get::<_, String>(0))?;
        left = rows.collect::<Result<_, _>>()?;
    }
    Ok(left)
}

/// The turns of these calls in which any of the words occurs, the first few of each call.
pub(super) fn matches(conn: &Connection, calls: &[CallId], words: &[String]) -> Result<BTreeMap<CallId, Vec<Turn>>, Fault> {
    let mut matches = BTreeMap::<CallId, Vec<Turn>>::new();
    if calls.is_empty() || words.is_empty() {
        return Ok(matches);
    }
    let holders = vec!["?"; calls.len()].join(", ");
    // The rows of a page lie together, so a word that occurs everywhere is not looked up everywhere.
    let sql = format!(
        "WITH page AS MATERIALIZED (SELECT id, call_id, n, turn FROM call_texts WHERE n >= 0 AND call_id IN ({holders}))
         SELECT call_id, turn FROM page
          WHERE id IN (SELECT rowid FROM call_words WHERE call_words MATCH ?
                          AND rowid BETWEEN (SELECT min(id) FROM page) AND (SELECT max(id) FROM page))
          ORDER BY call_id, n"
    );
    let values = calls.iter().map(ToString::to_string).chain([words.join(" OR ")]).map(Value::Text);
    let mut query = conn.prepare(&sql)?;
    let rows = query.query_map(params_from_iter(values), |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (call, turn) = row?;
        let Ok(call) = call.parse() else { continue };
        let of_call = matches.entry(call).or_default();
        if of_call.len() < MATCHES_PER_CALL {
            of_call.push(parse(&turn, call)?);
        }
    }
    Ok(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_word_is_syntax() {
        for (text, want) in [
            ("leaking boiler", vec![r#""leaking""#, r#""boiler""#]),
            ("boil*", vec![r#""boil" *"#]),
            ("boil**", vec![r#""boil" *"#]),
            ("bo*il", vec![r#""bo*il""#]),
            (r#"a" OR "b"#, vec![r#""a""""#, r#""OR""#, r#""""b""#]),
            ("text:x", vec![r#""text:x""#]),
            ("x\0\" y", vec![r#""x""#, r#""y""#]),
            ("* ** \" ' ( ) - !", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(word_queries(text), want, "{text:?}");
        }
    }
}
