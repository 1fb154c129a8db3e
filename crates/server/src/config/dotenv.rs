//! `.env` files, read as the first version's were: a value may hold blanks and `$` without quotes.
//!
//! ```text
//! export NAME=plain text, up to a blank and #   # comment
//! NAME=   # empty: the first version took this comment for the value
//! NAME='as it stands'    NAME="with \n, \" and \\"    NAME=${OTHER:-if there is none}
//! ```

use std::collections::HashMap;

/// The variables in their order; `Err` is the number of a line that is none. `lookup` knows the variables that `${NAME}` may
/// mean besides those of the file, and goes before them.
pub fn read(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Vec<Result<(String, String), usize>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut known: HashMap<&str, String> = HashMap::new();
    let mut items = Vec::new();
    let (mut line_number, mut counted_to) = (1, 0);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (line, below) = split_line(rest);
        if line.starts_with('#') {
            rest = below.trim_start();
            continue;
        }
        match assignment(rest) {
            Some((name, value, left)) => {
                let value = expanded(&value, |name| lookup(name).or_else(|| known.get(name).cloned()));
                known.insert(name, value.clone());
                items.push(Ok((name.to_owned(), value)));
                rest = left.trim_start();
            }
            None => {
                let at = text.len() - rest.len();
                line_number += text[counted_to..at].matches('\n').count();
                counted_to = at;
                items.push(Err(line_number));
                rest = below.trim_start();
            }
        }
    }
    items
}

/// Without its line break, and what stands below it.
fn split_line(text: &str) -> (&str, &str) {
    let (line, below) = text.split_once('\n').unwrap_or((text, ""));
    (line.trim_end_matches('\r'), below)
}

/// Name, value and what is left behind them. A quoted value may have several lines.
fn assignment(text: &str) -> Option<(&str, String, &str)> {
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let text = exported.unwrap_or(text);
    // No further than this line: a name does not go on in the next one, and a long file is not searched from every line of it.
    let (line, _) = split_line(text);
    let (name, value) = text.split_at(line.find('=')?);
    let (name, value) = (name.trim(), &value[1..]);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !is_name {
        return None;
    }
    let trimmed = value.trim_start_matches([' ', '\t']);
    let (value, left) = match trimmed.chars().next() {
        Some(quote @ ('\'' | '"')) => quoted(&trimmed[1..], quote)?,
        _ => plain(value),
    };
    Some((name, value, left))
}

fn plain(text: &str) -> (String, &str) {
    let (line, below) = split_line(text);
    let comment = line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']));
    (line[..comment.unwrap_or(line.len())].trim().to_owned(), below)
}

/// Behind the opening quote. `None` when the value does not end, or anything but a comment stands behind it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            let (tail, below) = split_line(&text[at + 1..]);
            let tail = tail.trim_start();
            return (tail.is_empty() || tail.starts_with('#')).then_some((value, below));
        }
        let escaped = text[at + character.len_utf8()..].chars().next().and_then(|next| unescaped(next, quote));
        match escaped {
            Some(meant) if character == '\\' => {
                characters.next();
                value.push(meant);
            }
            _ => value.push(character),
        }
    }
    None
}

/// What a backslash and `next` mean; between single quotes only a backslash and the quote are escaped.
fn unescaped(next: char, quote: char) -> Option<char> {
    match (next, quote) {
        ('\\' | '\'', _) => Some(next),
        (_, '\'') => None,
        ('"', _) => Some('"'),
        ('a', _) => Some('\x07'),
        ('b', _) => Some('\x08'),
        ('f', _) => Some('\x0c'),
        ('n', _) => Some('\n'),
        ('r', _) => Some('\r'),
        ('t', _) => Some('\t'),
        ('v', _) => Some('\x0b'),
        _ => None,
    }
}

/// `${NAME}` and `${NAME:-otherwise}` replaced; a `$` by itself stays.
fn expanded(value: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inner, behind)) = after.split_once('}') else { break };
        let (name, otherwise) = inner.split_once(":-").unwrap_or((inner, ""));
        text.push_str(before);
        text.push_str(&lookup(name).unwrap_or_else(|| otherwise.to_owned()));
        rest = behind;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[(&str, &str)]) {
        let read = read(text, |name| (name == "HOME").then(|| "/home/x".to_owned()));
        let read: Vec<_> = read.iter().map(|item| item.as_ref().map(|(n, v)| (n.as_str(), v.as_str()))).collect();
        assert_eq!(read, want.iter().copied().map(Ok).collect::<Vec<_>>(), "{text:?}");
    }

    #[test]
    fn values_as_people_write_them() {
        for (text, value) in [
            ("A=b", "b"),
            ("  export A = b  ", "b"),
            ("export\tA=b", "b"),
            ("\u{feff}A=b\r\n", "b"),
            ("# first\n\nA=b", "b"),
            ("A=", ""),
            ("A= # a comment", ""),
            ("A=\t\t# a comment\n", ""),
            ("A=two words # a comment", "two words"),
            ("A=no#comment", "no#comment"),
            ("A=#no comment either", "#no comment either"),
            ("A=pa$word$1", "pa$word$1"),
            ("A='pa$word # \\' \\n'", "pa$word # ' \\n"),
            (r#"A="a \"b\" \\ \n\tc \q" # comment"#, "a \"b\" \\ \n\tc \\q"),
            ("A='two\nlines'", "two\nlines"),
            ("A=it's", "it's"),
            ("A=x=y", "x=y"),
            ("A=é # ü", "é"),
            ("A='é'", "é"),
        ] {
            check(text, &[("A", value)]);
        }
    }

    #[test]
    fn other_variables_are_put_in() {
        check("A=1\nB=${A}2\nC='${B}3'", &[("A", "1"), ("B", "12"), ("C", "123")]);
        check("A=${HOME}/a ${NONE:-none} ${NONE}", &[("A", "/home/x/a none ")]);
        check("HOME=mine\nA=${HOME}", &[("HOME", "mine"), ("A", "/home/x")]);
        check("A=${B", &[("A", "${B")]);
    }

    #[test]
    fn what_is_no_assignment_is_told_by_its_line() {
        for (text, want) in [
            ("A=1\n\nnonsense\nB=2", vec![None, Some(3), None]),
            ("A='open\nB=2", vec![Some(1), None]),
            ("A='1' 2", vec![Some(1)]),
            ("A B=1", vec![Some(1)]),
            ("=1", vec![Some(1)]),
            ("exportA", vec![Some(1)]),
            ("A\n=1\nB=2", vec![Some(1), Some(2), None]),
            ("export A\nB=2\n\nC", vec![Some(1), None, Some(4)]),
        ] {
            let lines: Vec<_> = read(text, |_| None).into_iter().map(Result::err).collect();
            assert_eq!(lines, want, "{text:?}");
        }
    }

    #[test]
    fn a_long_file_that_is_none_is_read_through_once() {
        let text = "A\n".repeat(100_000);
        let begun = std::time::Instant::now();
        let faults = read(&text, |_| None);
        assert_eq!(faults.last(), Some(&Err(100_000)));
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}
