//! An account's names as SIP writes them.

use callie_domain::{Account, HostPort, Transport};

/// `sip:user@host` of the account, or of another user at its host; `sips:` where the account says so.
pub(crate) fn aor_uri(account: &Account, user: Option<&str>) -> String {
    let user = escape_user(user.unwrap_or(&account.aor_user));
    format!("{}:{user}@{}", account.scheme(), uri_host(&account.aor_host))
}

/// A user part with everything escaped that RFC 3261 §25.1 does not allow there, `#` of a feature code among it.
pub(crate) fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// IPv6 addresses in brackets.
pub(crate) fn uri_host(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') && host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

pub(crate) fn route_to(proxy: &HostPort, transport: Transport) -> String {
    match transport {
        Transport::Udp => format!("<sip:{proxy};lr>"),
        Transport::Tcp | Transport::Tls => format!("<sip:{proxy};transport={};lr>", transport.as_str()),
    }
}

/// A display name as a quoted string with a space after it, or nothing.
pub(crate) fn display(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    match name.trim() {
        "" => String::new(),
        name => format!("\"{}\" ", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_are_quoted() {
        for (name, quoted) in [("", ""), ("Bob", "\"Bob\" "), ("a\"b\\c", "\"a\\\"b\\\\c\" "), ("x\r\ny", "\"xy\" ")] {
            assert_eq!(display(name), quoted);
        }
    }

    #[test]
    fn users_are_escaped() {
        for (user, written) in [("+123", "+123"), ("*97#", "*97%23"), ("a b", "a%20b"), ("a@b:c", "a%40b%3Ac")] {
            assert_eq!(escape_user(user), written);
        }
    }

    #[test]
    fn hosts_are_bracketed() {
        for (host, written) in [("a.b", "a.b"), ("::1", "[::1]"), ("[::1]", "[::1]"), ("h:5060", "h:5060")] {
            assert_eq!(uri_host(host), written);
        }
    }
}
