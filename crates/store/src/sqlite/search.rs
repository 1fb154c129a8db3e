//! A person's words turned into full-text queries. Each word is quoted, so that nothing in it is syntax.

use super::fault::Fault;
use super::record::{json, parse};
use callie_domain::CallId;
use callie_domain::record::Turn;
use rusqlite::Connection;
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

/// Whether a row of `page` has the word `?2`, looked up for all rows between the first and the last of them at once.
const AMONG_NEIGHBOURS: &str = "id IN (SELECT rowid FROM call_words WHERE call_words MATCH ?2
    AND rowid BETWEEN (SELECT min(id) FROM page) AND (SELECT max(id) FROM page))";
/// The same, looked up row by row.
const ONE_BY_ONE: &str = "EXISTS (SELECT 1 FROM call_words WHERE call_words MATCH ?2 AND rowid = page.id)";
/// A look-up of one row takes as long as going through so many that lie between.
const LOOK_UP: i64 = 200;

/// How the texts of these calls are looked up. Those of one user lie scattered among those of all others.
fn look_up(conn: &Connection, listed: &str) -> rusqlite::Result<&'static str> {
    let sql =
        "SELECT count(*), coalesce(max(id) - min(id), 0) FROM call_texts WHERE call_id IN (SELECT value FROM json_each(?1))";
    let (rows, apart): (i64, i64) = conn.prepare_cached(sql)?.query_row([listed], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(if apart / LOOK_UP > rows { ONE_BY_ONE } else { AMONG_NEIGHBOURS })
}

/// Of these calls those in which each of the words occurs, in whatever turn.
pub(super) fn having_all(conn: &Connection, calls: &[String], words: &[String]) -> Result<HashSet<String>, Fault> {
    let how = look_up(conn, &json(&calls)?)?;
    let mut left: HashSet<String> = calls.iter().cloned().collect();
    for word in words {
        left = having(conn, how, &left, word)?;
    }
    Ok(left)
}

fn having(conn: &Connection, how: &str, calls: &HashSet<String>, word: &str) -> Result<HashSet<String>, Fault> {
    let sql = format!(
        "WITH page AS MATERIALIZED (SELECT id, call_id FROM call_texts WHERE call_id IN (SELECT value FROM json_each(?1)))
         SELECT DISTINCT call_id FROM page WHERE {how}"
    );
    let mut query = conn.prepare_cached(&sql)?;
    let rows = query.query_map([json(calls)?.as_str(), word], |row| row.get::<_, String>(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The turns of these calls in which any of the words occurs, the first few of each call.
pub(super) fn matches(conn: &Connection, calls: &[CallId], words: &[String]) -> Result<BTreeMap<CallId, Vec<Turn>>, Fault> {
    let mut matches = BTreeMap::<CallId, Vec<Turn>>::new();
    if calls.is_empty() || words.is_empty() {
        return Ok(matches);
    }
    let listed = json(&calls)?;
    let how = look_up(conn, &listed)?;
    let sql = format!(
        "WITH page AS MATERIALIZED (SELECT id, call_id, n, turn FROM call_texts
            WHERE n >= 0 AND call_id IN (SELECT value FROM json_each(?1)))
         SELECT call_id, turn FROM page WHERE {how} ORDER BY call_id, n"
    );
    let mut query = conn.prepare_cached(&sql)?;
    let any = words.join(" OR ");
    let rows = query.query_map([&listed, &any], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
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
    use super::super::schema::open_writer;
    use super::*;

    #[test]
    fn scattered_texts_are_looked_up_one_by_one_and_with_the_same_outcome() {
        let folder = tempfile::tempdir().expect("a folder");
        let conn = open_writer(&folder.path().join("callie.db")).expect("opened");
        conn.pragma_update(None, "foreign_keys", false).expect("set");
        for n in 0..4_000 {
            let said = if n % 3 == 0 { "Hello there" } else { "Hello, a boiler" };
            conn.prepare_cached("INSERT INTO call_texts (call_id, n, text, turn) VALUES (?1, 0, ?2, '')")
                .and_then(|mut insert| insert.execute((format!("call{n}"), said)))
                .expect("written");
        }
        let calls = |numbers: Vec<usize>| numbers.into_iter().map(|n| format!("call{n}")).collect::<Vec<_>>();
        for (numbers, want) in [
            (vec![0, 1, 3_001, 3_999], ONE_BY_ONE),
            ((0..4_000).step_by(1_000).collect(), ONE_BY_ONE),
            ((2_000..2_100).collect(), AMONG_NEIGHBOURS),
            (Vec::new(), AMONG_NEIGHBOURS),
        ] {
            let ids = calls(numbers.clone());
            assert_eq!(look_up(&conn, &json(&ids).expect("JSON")).expect("read"), want, "{numbers:?}");
            for (word, fits) in [("\"hello\"", [true; 3]), ("\"boiler\"", [false, true, true]), ("\"nothing\"", [false; 3])] {
                let want: HashSet<String> =
                    calls(numbers.iter().copied().filter(|n| fits[n % 3]).collect()).into_iter().collect();
                for how in [ONE_BY_ONE, AMONG_NEIGHBOURS] {
                    let found = having(&conn, how, &ids.iter().cloned().collect(), word).expect("read");
                    assert_eq!(found, want, "{word} {how}");
                }
                assert_eq!(having_all(&conn, &ids, &[word.to_owned(), "\"hello\"".to_owned()]).expect("read"), want);
            }
        }
    }

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
