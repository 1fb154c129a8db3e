//! Whom a user knows: a list of their own, in which the agent may look up names and numbers.

use crate::{Faults, FieldFault};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// As many as a shop knows by name.
pub const MOST_CONTACTS: usize = 2_000;
const MOST_NUMBERS: usize = 8;
const LONGEST_NAME: usize = 128;
const LONGEST_NOTE: usize = 500;
/// Numbers are the same when so many of their last digits are: the rest is country and area, written or not.
const SIGNIFICANT: usize = 7;
/// The fewest digits that are looked up as a number: fewer fit by chance.
const FEWEST: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub name: String,
    /// As they are written; compared by their digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// What the agent may know and say of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Those that fit, the best first, at most so many. `wanted` is a number, or a name or a part of one.
pub fn find<'a>(contacts: &'a [Contact], wanted: &str, most: usize) -> Vec<&'a Contact> {
    let number = digits(wanted);
    let is_number = number.len() >= FEWEST && !wanted.chars().any(char::is_alphabetic);
    if is_number {
        let has_it = |contact: &&Contact| contact.numbers.iter().any(|known| is_same_number(&digits(known), &number));
        return contacts.iter().filter(has_it).take(most).collect();
    }
    let words: Vec<String> =
        wanted.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).filter(|w| !w.is_empty()).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut fitting: Vec<(usize, &Contact)> = contacts.iter().filter_map(|c| Some((distance(&c.name, &words)?, c))).collect();
    fitting.sort_by_key(|(distance, _)| *distance);
    fitting.into_iter().map(|(_, contact)| contact).take(most).collect()
}

/// How much of the name the words leave open; `None` when one of them is not in it.
fn distance(name: &str, words: &[String]) -> Option<usize> {
    let name = name.to_lowercase();
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let is_there = |word: &String| parts.iter().any(|part| part.starts_with(word.as_str()));
    let exact = words.iter().filter(|word| parts.contains(&word.as_str())).count();
    words.iter().all(is_there).then(|| 2 * parts.len().saturating_sub(exact))
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// By their ends, where both are long enough; short ones, as those of a telephone system, as they are.
fn is_same_number(one: &str, other: &str) -> bool {
    let tail = |number: &str| number.get(number.len().checked_sub(SIGNIFICANT)?..).map(str::to_owned);
    match (tail(one), tail(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Reads the list that a client sends.
///
/// # Errors
/// Every faulty field by its path.
pub fn read_contacts(list: &Value) -> Result<Vec<Contact>, Faults> {
    let Some(entries) = list.as_array().filter(|entries| entries.len() <= MOST_CONTACTS) else {
        return Err(Faults::one("contacts", format!("must be a list of at most {MOST_CONTACTS} contacts")));
    };
    let mut faults = Faults::default();
    let contacts = entries.iter().enumerate().filter_map(|(index, entry)| read_one(index, entry, &mut faults)).collect();
    faults.into_result(contacts)
}

fn read_one(index: usize, entry: &Value, faults: &mut Faults) -> Option<Contact> {
    let fault = |field: &str, problem: &str| {
        let place = if field.is_empty() { String::new() } else { format!(".{field}") };
        FieldFault { field: format!("contacts[{index}]{place}"), problem: problem.to_owned() }
    };
    let mut found = Vec::new();
    let contact = match entry.as_object() {
        None => {
            found.push(fault("", "must be an object with name and numbers"));
            None
        }
        Some(map) => {
            let known = ["name", "numbers", "note"];
            found.extend(map.keys().filter(|key| !known.contains(&key.as_str())).map(|key| fault(key, "is not a known field")));
            let name = map.get("name").and_then(|name| line(name, LONGEST_NAME));
            if name.is_none() {
                found.push(fault("name", "must be a line of 1 to 128 characters"));
            }
            let note = match map.get("note") {
                None | Some(Value::Null) => None,
                Some(note) => {
                    let note = line(note, LONGEST_NOTE);
                    if note.is_none() {
                        found.push(fault("note", "must be a line of 1 to 500 characters, or null"));
                    }
                    note
                }
            };
            let numbers = numbers(map.get("numbers"));
            if numbers.is_none() {
                found.push(fault("numbers", "must be a list of at most 8 telephone numbers such as +43 1 234567"));
            }
            name.zip(numbers).map(|(name, numbers)| Contact { name, numbers, note })
        }
    };
    let contact = contact.filter(|_| found.is_empty());
    faults.0.append(&mut found);
    contact
}

fn numbers(value: Option<&Value>) -> Option<Vec<String>> {
    let is_number = |text: &String| text.chars().all(|c| c.is_ascii_digit() || " +-()/.".contains(c)) && !digits(text).is_empty();
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) if items.len() <= MOST_NUMBERS => {
            items.iter().map(|item| line(item, 32).filter(is_number)).collect()
        }
        Some(_) => None,
    }
}

fn line(value: &Value, longest: usize) -> Option<String> {
    let text = value.as_str()?.trim();
    ((1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn contacts() -> Vec<Contact> {
        let list = json!([
            {"name": "Maria Lopez", "numbers": ["+43 (1) 234 56 78", "17"], "note": "Prefers mornings."},
            {"name": "Tom Miller", "numbers": ["030 1234567"]},
            {"name": "Tom Millerson", "numbers": []},
            {"name": "Jürgen Groß & Söhne", "numbers": ["0049301112223"]},
        ]);
        read_contacts(&list).expect("valid")
    }

    fn found(wanted: &str) -> Vec<String> {
        find(&contacts(), wanted, 2).into_iter().map(|contact| contact.name.clone()).collect()
    }

    #[test]
    fn numbers_are_found_by_their_ends_and_names_by_their_words() {
        for (wanted, names) in [
            ("+4312345678", &["Maria Lopez"][..]),
            ("0043 1 2345678", &["Maria Lopez"]),
            ("2345678", &["Maria Lopez"]),
            ("345678", &[]),
            ("+49 30 1234567", &["Tom Miller"]),
            ("+4930 1234568", &[]),
            ("17", &[]),
            ("117", &[]),
            ("lopez", &["Maria Lopez"]),
            ("LOPEZ, maria", &["Maria Lopez"]),
            ("tom miller", &["Tom Miller", "Tom Millerson"]),
            ("mill", &["Tom Miller", "Tom Millerson"]),
            ("ill", &[]),
            ("gro", &["Jürgen Groß & Söhne"]),
            ("söhne", &["Jürgen Groß & Söhne"]),
            ("", &[]),
            (" - ", &[]),
            ("maria miller", &[]),
        ] {
            assert_eq!(found(wanted), names, "{wanted:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        for (list, fields) in [
            (json!({}), "contacts"),
            (json!(vec![json!({"name": "a"}); MOST_CONTACTS + 1]), "contacts"),
            (json!([5]), "contacts[0]"),
            (json!([{"name": "a"}, {}]), "contacts[1].name"),
            (json!([{"name": "a\nb", "numbers": ["x"], "note": 3}]), "contacts[0].name contacts[0].note contacts[0].numbers"),
            (json!([{"name": "a", "numbers": ["+"]}]), "contacts[0].numbers"),
            (json!([{"name": "a", "colour": 1}]), "contacts[0].colour"),
        ] {
            let faults = read_contacts(&list).expect_err("faulty");
            let named: Vec<_> = faults.0.iter().map(|fault| fault.field.as_str()).collect();
            assert_eq!(named.join(" "), fields);
        }
    }
}
