//! Header fields that a user's tools send. They hold keys, so all of them are a secret: one text with a line for each.

use super::super::field::Field;
use crate::{Faults, Secret};
use serde_json::Value;

const MOST: usize = 16;
/// What the store seals at most.
const LONGEST: usize = 4_096;

/// Those that the connection is made of, or that say what the body is.
const OURS: [&str; 10] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "mcp-session-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// At least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers(Secret);

impl Headers {
    /// As they are stored: `Name: value` in lines.
    pub fn text(&self) -> &Secret {
        &self.0
    }

    /// Name and value of each. Call it at the last moment, and never pass a value to a log or a record.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.expose().lines().filter_map(|line| line.split_once(": "))
    }

    /// # Errors
    /// What is wrong with the text, without quoting it.
    pub fn parse(text: &str) -> Result<Option<Self>, &'static str> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let pairs: Option<Vec<_>> = lines.map(|line| line.split_once(':')).collect();
        Self::of(&pairs.ok_or("must be lines such as Authorization: Bearer abc")?)
    }

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Self>, &'static str> {
        let is_name = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        if pairs.len() > MOST {
            return Err("are too many: 16 at most");
        }
        let mut text = String::new();
        for (name, value) in pairs {
            let (name, value) = (name.trim(), value.trim());
            if !is_name(name) || value.is_empty() || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err("must have names of letters, digits and -, and values of printable ASCII");
            }
            if OURS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err("must not name what the connection itself sets, such as Host or Content-Type");
            }
            text.push_str(&format!("{name}: {value}\n"));
        }
        match text.trim_end() {
            "" => Ok(None),
            text if text.len() > LONGEST => Err("are too long: 4,096 bytes together at most"),
            text => Ok(Some(Self(Secret::new(text)))),
        }
    }
}

impl Field<'_> {
    /// A text of lines, or an object; `null` and the empty one take them away.
    pub(super) fn headers(&self, faults: &mut Faults) -> Option<Option<Headers>> {
        let read = match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Headers::parse(text),
            Value::Object(map) => {
                let pairs: Option<Vec<_>> = map.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
                pairs.ok_or("must have texts as values").and_then(|pairs| Headers::of(&pairs))
            }
            _ => Err("must be an object such as {\"Authorization\": \"Bearer abc\"}, or a text of such lines"),
        };
        read.map_err(|problem| faults.add(self.path, problem)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_kept_in_one_form() {
        let headers = Headers::parse(" Authorization:Bearer a:b \n\nX-Key:  7\n").expect("valid").expect("some");
        assert_eq!(headers.text().expose(), "Authorization: Bearer a:b\nX-Key: 7");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("Authorization", "Bearer a:b"), ("X-Key", "7")]);
        assert_eq!(Headers::parse(headers.text().expose()), Ok(Some(headers)));
        assert_eq!(Headers::parse(" \n"), Ok(None));
    }

    #[test]
    fn what_would_break_a_request_is_refused_without_being_quoted() {
        let long = format!("X: {}", "y".repeat(5_000));
        let many = "X: y\n".repeat(17);
        for text in ["X", "X Y: z", "X:", "X: \u{7f}", "X: ä", "Host: h", "content-length: 3", ": v", &long, &many] {
            let problem = Headers::parse(text).expect_err(text);
            assert!(!problem.contains("yyy"), "{problem}");
        }
    }
}
