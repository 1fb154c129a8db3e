//! What the recorder must know of a message before it is kept: read from its bytes, without a parser.

/// The value of Call-ID, in its long or its compact form.
pub(super) fn call_id(message: &[u8]) -> Option<&str> {
    let mut rest = message;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at_checked(end + 1)?;
        rest = after;
        match line {
            [b'\r', b'\n'] | [b'\n'] => return None,
            _ => {}
        }
        if let Some(value) = value_of(line, b"call-id").or_else(|| value_of(line, b"i")) {
            return std::str::from_utf8(value.trim_ascii()).ok().filter(|id| !id.is_empty());
        }
    }
}

/// The value of a header line, if the field has this name, which is given in small letters.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let given = line.get(..name.len())?;
    if !given.eq_ignore_ascii_case(name) {
        return None;
    }
    let rest = line.get(name.len()..)?.trim_ascii_start();
    rest.strip_prefix(b":")
}

/// Whether the message begins so, as requests of one method and responses do.
pub(super) fn first_line_is(message: &[u8], start: &[u8]) -> bool {
    message.get(..start.len()).is_some_and(|given| given.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_are_found_in_the_head_only() {
        for (message, found) in [
            ("INVITE a SIP/2.0\r\nVia: x\r\nCall-ID: a84b@h\r\n\r\n", Some("a84b@h")),
            ("INVITE a SIP/2.0\r\ni : compact\r\n\r\n", Some("compact")),
            ("INVITE a SIP/2.0\ncall-id:bare\n\n", Some("bare")),
            ("INVITE a SIP/2.0\r\nCall-IDs: no\r\nInfo: no\r\n\r\nCall-ID: body\r\n", None),
            ("INVITE a SIP/2.0\r\nCall-ID:  \r\n\r\n", None),
            ("Call-ID: no line end", None),
            ("", None),
        ] {
            assert_eq!(call_id(message.as_bytes()), found, "{message:?}");
        }
        assert!(first_line_is(b"INVITE sip:a@b SIP/2.0", b"invite "));
        assert!(!first_line_is(b"INVI", b"INVITE "));
    }
}
