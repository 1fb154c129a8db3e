//! `name-addr` and `addr-spec` values: From, P-Asserted-Identity, Contact (RFC 3261 §20.10, RFC 3325).

use super::scan::{find_plain, has_control, param, printable, split_outside_brackets, unquote};
use callie_domain::{HostPort, Transport};

/// Longest display name and number that are shown, characters.
const MAX_SHOWN: usize = 128;
/// Longest route that is repeated, bytes.
const MAX_ROUTE: usize = 512;

/// Where a `sip:` URI points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipTarget {
    pub host: HostPort,
    pub transport: Option<Transport>,
}

/// Who calls, as shown to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    pub display_name: Option<String>,
    /// User part of the URI, decoded: mostly a number. Empty when there is none or the caller is anonymous.
    pub number: String,
}

/// One address of a header value, its parts still as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a> {
    display: &'a str,
    uri: &'a str,
    /// Header parameters, from the first `;` on.
    params: &'a str,
}

/// The addresses of a header value that may list several.
pub(super) fn addresses(value: &str) -> impl Iterator<Item = Address<'_>> {
    split_outside_brackets(value, b',').filter_map(Address::parse)
}

impl<'a> Address<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if let Some(open) = find_plain(text, false, |b| b == b'<') {
            let (uri, params) = text.get(open + 1..)?.split_once('>')?;
            return Some(Self { display: text.get(..open)?.trim(), uri: uri.trim(), params });
        }
        // Without brackets, parameters belong to the header (RFC 3261 §20).
        let (uri, params) = text.split_once(';').unwrap_or((text, ""));
        (!uri.is_empty()).then_some(Self { display: "", uri: uri.trim(), params })
    }

    pub(super) fn param(&self, name: &str) -> Option<String> {
        param(self.params, name)
    }

    fn display_name(&self) -> Option<String> {
        let name = unquote(self.display).unwrap_or_else(|| self.display.replace('"', ""));
        let name = printable(&name, MAX_SHOWN);
        (!name.is_empty()).then_some(name)
    }

    /// User part of a `sip:`, `sips:` or `tel:` URI, decoded; without password and user parameters.
    pub(super) fn user(&self) -> Option<String> {
        let (scheme, rest) = self.uri.split_once(':')?;
        let user = match scheme.to_ascii_lowercase().as_str() {
            "sip" | "sips" => rest.rsplit_once('@')?.0.split(':').next()?,
            "tel" => rest,
            _ => return None,
        };
        percent_decode(user.split(';').next()?)
    }

    /// Where a `sip:` URI points; `None` for other schemes and for what is no host.
    fn target(&self) -> Option<SipTarget> {
        let (scheme, rest) = self.uri.split_once(':')?;
        if !scheme.eq_ignore_ascii_case("sip") || has_control(rest) {
            return None;
        }
        let rest = rest.split('?').next()?;
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let (host, params) = rest.split_once(';').unwrap_or((rest, ""));
        let transport = match param(params, "transport") {
            None => None,
            Some(name) => Some(name.parse::<Transport>().ok()?),
        };
        Some(SipTarget { host: host.trim().parse().ok()?, transport })
    }
}

/// `%41` becomes `A`. `None` when the bytes are no text.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let decoded = match tail {
            [hi, lo, after @ ..] if *first == b'%' => hex_pair(*hi, *lo).map(|byte| (byte, after)),
            _ => None,
        };
        match decoded {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex_pair(hi: u8, lo: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(hi)? * 16 + digit(lo)?)
}

/// What a 200 to REGISTER grants, in seconds, to the Contact whose user part is `token` (RFC 3261 §10.2.4): its own
/// `expires`, else the `Expires` header, else what was `asked`. `None` when Contacts are listed and none is ours; some registrars
/// list none at all, and mean ours.
pub fn granted_expires<'a>(
    contacts: impl Iterator<Item = &'a str>,
    expires: Option<&str>,
    token: &str,
    asked: u32,
) -> Option<u32> {
    let in_header = || expires.and_then(super::delta_seconds).unwrap_or(asked);
    let in_contact = |contact: &Address<'_>| contact.param("expires").and_then(|e| super::delta_seconds(&e));
    let mut listed = contacts.flat_map(addresses).peekable();
    if listed.peek().is_none() {
        return Some(in_header());
    }
    let ours = listed.filter(|contact| contact.user().as_deref() == Some(token));
    ours.map(|contact| in_contact(&contact).unwrap_or_else(in_header)).max()
}

/// The `sip:` Contacts of a 3xx, highest `q` first, at most eight.
pub fn redirect_targets<'a>(contacts: impl Iterator<Item = &'a str>) -> Vec<SipTarget> {
    let q = |contact: &Address<'_>| contact.param("q").and_then(|q| q.parse::<f32>().ok()).filter(|q| q.is_finite());
    let mut found: Vec<_> =
        contacts.flat_map(addresses).filter_map(|c| Some((c.target()?, q(&c).unwrap_or(1.0)))).take(8).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().map(|(target, _)| target).collect()
}

/// The `sip:` and `sips:` entries of Service-Route (RFC 3608 §6.1) as they are written, at most eight; without what a header
/// must not have.
pub fn service_routes<'a>(values: impl Iterator<Item = &'a str>) -> Vec<String> {
    let entries = values.flat_map(|value| split_outside_brackets(value, b','));
    let is_route = |entry: &&str| {
        let uri = entry.split(['<', '>']).nth(1).unwrap_or_default().to_ascii_lowercase();
        entry.len() <= MAX_ROUTE && !has_control(entry) && (uri.starts_with("sip:") || uri.starts_with("sips:"))
    };
    entries.map(str::trim).filter(is_route).take(8).map(str::to_owned).collect()
}

/// The URIs of a 3xx to a call, highest `q` first, at most eight; without headers (`?…`).
pub(crate) fn redirects<'a>(contacts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let q = |contact: &Address<'_>| contact.param("q").and_then(|q| q.parse::<f32>().ok()).filter(|q| q.is_finite());
    let mut found: Vec<_> = contacts.flat_map(addresses).map(|c| (c.uri, q(&c).unwrap_or(1.0))).take(8).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    let bare = |uri: &str| uri.split('?').next().unwrap_or_default().to_owned();
    found.into_iter().map(|(uri, _)| bare(uri)).filter(|uri| !has_control(uri) && !uri.contains(' ')).collect()
}

/// Where a URI such as `sip:198.51.100.7:5070;transport=tcp` points; `None` for other schemes than `sip`.
pub fn sip_target(uri: &str) -> Option<SipTarget> {
    Address { display: "", uri: uri.trim(), params: "" }.target()
}

/// The caller: out of `P-Asserted-Identity` when there is one (believe it only from the account's own provider), else
/// out of `From`. Of both, the first address with a number gives it; the name may come from `From`.
pub fn caller(from: &str, asserted: Option<&str>) -> Caller {
    let seen: Vec<Address<'_>> = asserted.into_iter().chain([from]).flat_map(addresses).collect();
    let number = |a: &Address<'_>| a.user().map(|n| printable(&n, MAX_SHOWN)).filter(|n| !n.is_empty());
    Caller {
        display_name: seen.iter().find_map(Address::display_name),
        number: seen.iter().find_map(number).filter(|n| !n.eq_ignore_ascii_case("anonymous")).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_granted_to_our_contact() {
        let other = "<sip:other@10.0.0.1>;expires=3600";
        for (contacts, expires, want) in [
            (vec![other, "<sip:token@10.0.0.2:5070;transport=tcp>;expires=77"], Some("600"), Some(77)),
            (vec!["<sip:other@h>;expires=1, \"To, <ken>\" <sip:token@h>;q=0.5;EXPIRES=\"78\""], None, Some(78)),
            (vec!["<sip:token@h>"], Some(" 600 "), Some(600)),
            (vec!["sip:token@h;expires=79"], Some("600"), Some(79)),
            (vec!["<sip:token@h>"], None, Some(3600)),
            (vec!["<sip:token@h>;expires=junk"], Some("junk"), Some(3600)),
            (vec!["<sip:token@h>;expires=0"], None, Some(0)),
            (vec!["<sip:tok%65n@h>;expires=5"], None, Some(5)),
            (vec!["<sip:token@h>;expires=99999999999999"], None, Some(u32::MAX)),
            (vec![other], Some("600"), None),
            (vec!["<sip:token.evil@h>", "<sip:h>", "token", "<sip:token@h"], Some("600"), None),
            (vec!["*"], None, None),
            (vec![], Some("600"), Some(600)),
            (vec![], None, Some(3600)),
        ] {
            let granted = granted_expires(contacts.iter().copied(), expires, "token", 3600);
            assert_eq!(granted, want, "{contacts:?} {expires:?}");
        }
    }

    #[test]
    fn redirects_go_to_sip_hosts_only_best_first() {
        let show = |contacts: &[&str]| -> Vec<String> {
            let targets = redirect_targets(contacts.iter().copied());
            targets.iter().map(|t| format!("{} {:?}", t.host, t.transport)).collect()
        };
        assert_eq!(
            show(&["<sip:a@b.example;transport=TCP>;q=0.2, <sips:c.example>", "sip:192.0.2.1:5070;q=0.9", "<tel:+1>"]),
            ["192.0.2.1:5070 None", "b.example Some(Tcp)"]
        );
        assert_eq!(show(&["<sip:[2001:db8::1]:5062;lr?X=y>"]), ["[2001:db8::1]:5062 None"]);
        for bad in
            ["", "*", "<http://x>", "<sip:>", "<sip:a b>", "<sip:h;transport=sctp>", "<sip:h:0>", "<sip:h\r\nX: y>", "<sip:h"]
        {
            assert_eq!(show(&[bad]), [""; 0], "{bad:?}");
        }
    }

    #[test]
    fn service_routes_are_repeated_as_they_are() {
        for (values, want) in [
            (vec!["<sip:p1.test;lr>", "<sip:p2.test:5070;lr;x=a,b>;y, <sips:p3.test;lr>"], 3),
            (vec!["<sip:p1.test;lr>, <tel:+1>, sip:bare.test, <http://x>", ""], 1),
            (vec!["<sip:p\r\nEvil: 1>"], 0),
        ] {
            assert_eq!(service_routes(values.iter().copied()).len(), want, "{values:?}");
        }
        assert_eq!(service_routes(["<sip:a;lr> , <sip:b;lr>"].into_iter()), ["<sip:a;lr>", "<sip:b;lr>"]);
        let long = format!("<sip:{}>", "a".repeat(600));
        assert_eq!(service_routes([long.as_str()].into_iter()), [""; 0]);
        assert_eq!(service_routes(["<sip:a>,"; 20].into_iter()).len(), 8);
    }

    #[test]
    fn callers_are_told_apart() {
        let caller_of = |from, asserted| {
            let c = caller(from, asserted);
            (c.display_name.unwrap_or_default(), c.number)
        };
        for (from, asserted, name, number) in [
            (r#""Bob \"B\" Smith" <sip:+4930123@h>;tag=1"#, None, r#"Bob "B" Smith"#, "+4930123"),
            ("Bob Smith <sip:bob:pw@h;user=phone>;tag=1", None, "Bob Smith", "bob"),
            ("sip:100@h;tag=1", None, "", "100"),
            ("<tel:+1-201-555-0123;phone-context=x>", None, "", "+1-201-555-0123"),
            ("<sip:%2b49301;phone-context=x@h>", None, "", "+49301"),
            (r#""Anonymous" <sip:anonymous@anonymous.invalid>"#, Some("<tel:+4930>"), "Anonymous", "+4930"),
            (r#"<sip:anonymous@anonymous.invalid>"#, None, "", ""),
            ("<sip:1@h>", Some(r#""Real" <sip:2@h>, <tel:+3>"#), "Real", "2"),
            ("<sip:h>", None, "", ""),
            ("\"a\0b\x1b[31m\" <sip:x%0d%0ay@h>", None, "a b [31m", "x  y"),
            ("\"open <sip:1@h>", None, "", ""),
            ("", None, "", ""),
        ] {
            assert_eq!(caller_of(from, asserted), (name.to_owned(), number.to_owned()), "{from:?} {asserted:?}");
        }
    }
}
