//! Keys signalled by INFO: `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`). Neither is a standard;
//! both are common where telephone-events in RTP are not.

/// The key in the body of an INFO.
pub(super) fn key(content_type: &str, body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let kind = content_type.split(';').next()?.trim();
    let signal = if kind.eq_ignore_ascii_case("application/dtmf-relay") {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value)
        })?
    } else if kind.eq_ignore_ascii_case("application/dtmf") {
        text
    } else {
        return None;
    };
    match signal.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        one => {
            let mut chars = one.chars();
            let key = chars.next()?.to_ascii_uppercase();
            (chars.next().is_none() && matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')).then_some(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        for (kind, body, want) in [
            ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
            ("application/dtmf-relay; charset=x", "signal = a", Some('A')),
            ("Application/DTMF", "#\r\n", Some('#')),
            ("application/dtmf", "11", Some('#')),
            ("application/dtmf", "x", None),
            ("application/dtmf", "", None),
            ("text/plain", "5", None),
            ("application/dtmf-relay", "Duration=160", None),
        ] {
            assert_eq!(key(kind, body.as_bytes()), want, "{kind} {body:?}");
        }
        assert_eq!(key("application/dtmf", &[0xff]), None);
    }
}
