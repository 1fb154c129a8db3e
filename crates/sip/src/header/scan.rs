//! Quoted strings, lists and angle brackets: the little grammar that header values share (RFC 3261 §25.1).

/// Splits at `separator` where it is outside of quoted strings. Commas and semicolons inside stay.
pub(crate) fn split_outside_quotes(value: &str, separator: u8) -> impl Iterator<Item = &str> {
    split(value, separator, false)
}

/// Splits at `separator` where it is outside of quoted strings and of `<…>`.
pub(crate) fn split_outside_brackets(value: &str, separator: u8) -> impl Iterator<Item = &str> {
    split(value, separator, true)
}

fn split(value: &str, separator: u8, brackets: bool) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        match find_plain(text, brackets, |byte| byte == separator) {
            Some(at) => {
                rest = text.get(at + 1..);
                text.get(..at)
            }
            None => rest.take(),
        }
    })
}

/// The first byte outside of quoted strings (and of `<…>`, when asked) that is wanted. It must be ASCII.
pub(crate) fn find_plain(text: &str, brackets: bool, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            quoted = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        if !inside && wanted(byte) {
            return Some(at);
        }
        match byte {
            b'"' if !inside => quoted = true,
            b'<' => inside = brackets,
            b'>' => inside = false,
            _ => {}
        }
    }
    None
}

/// The value of a quoted string without its quotes and escapes, or a bare value as it stands; `None` when the quotes
/// do not match.
pub(crate) fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    let Some(inner) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(text),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

/// A quoted string. The caller has made sure that there are no control characters.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// A parameter of `;name=value;flag`, unquoted; a flag has an empty value. The first of a name wins.
pub(crate) fn param(params: &str, name: &str) -> Option<String> {
    split_outside_quotes(params, b';').find_map(|param| {
        let (key, value) = param.split_once('=').unwrap_or((param, ""));
        if key.trim().eq_ignore_ascii_case(name) { unquote(value) } else { None }
    })
}

/// Bytes 0–31 and 127. Tab counts too: nothing that we write needs one.
pub(crate) fn has_control(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_control())
}

/// RFC 3261 §25.1 `token`.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// For people and logs: control characters become spaces, at most `max` characters.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let clean: String = text.chars().take(max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_outside_of_quotes_and_brackets() {
        let quotes = |v| split_outside_quotes(v, b',').collect::<Vec<_>>();
        assert_eq!(quotes(r#"a,"b,\",c",d"#), ["a", r#""b,\",c""#, "d"]);
        assert_eq!(quotes(""), [""]);
        assert_eq!(quotes(r#"a,"b,c"#), ["a", r#""b,c"#]);
        let brackets = |v| split_outside_brackets(v, b',').collect::<Vec<_>>();
        assert_eq!(brackets("<sip:a,b@c>,<sip:d>"), ["<sip:a,b@c>", "<sip:d>"]);
        assert_eq!(brackets("é,ü"), ["é", "ü"]);
    }

    #[test]
    fn unquotes_and_quotes() {
        for (text, want) in [
            (r#""a b""#, Some("a b")),
            (r#" "a\"\\b" "#, Some(r#"a"\b"#)),
            ("bare", Some("bare")),
            (r#""open"#, None),
            (r#""a"b"#, None),
            (r#"a"b"#, None),
            (r#""a\"#, None),
        ] {
            assert_eq!(unquote(text).as_deref(), want, "{text}");
        }
        assert_eq!(unquote(&quote(r#"a"\b"#)).as_deref(), Some(r#"a"\b"#));
    }

    #[test]
    fn finds_parameters() {
        assert_eq!(param(r#";a=1;B="x;y";flag"#, "b").as_deref(), Some("x;y"));
        assert_eq!(param(";a=1;flag", "flag").as_deref(), Some(""));
        assert_eq!(param(";a=1", "c"), None);
    }
}
