//! Messages as the rest of the crate sees them: drafts that we send, replies that we hear.
//!
//! Our own types, so that the foreign stack stays behind this folder. A draft has everything but what belongs to the
//! hop (Via, Max-Forwards, Content-Length).

use crate::error::SipError;
use rsipstack::sip::headers::{Header, Headers, make_header};
use rsipstack::sip::{Domain, Host, HostWithPort, Method as StackMethod, Request, Response, Scheme, Uri, Version};

/// Marks a response that the stack made up itself: nothing was heard in time, or the connection broke.
pub(super) const LOCAL_MARK: &str = "Callie-Local";

/// The requests that we send or understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Info,
    Update,
    Prack,
    Refer,
    Notify,
    Register,
    /// Known to the stack, not to us.
    Other,
}

impl Method {
    /// What we can receive, for `Allow`.
    pub const ALLOW: &'static str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY";

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Refer => "REFER",
            Self::Notify => "NOTIFY",
            Self::Register => "REGISTER",
            Self::Other => "OTHER",
        }
    }

    pub(super) fn from_stack(method: StackMethod) -> Self {
        match method {
            StackMethod::Invite => Self::Invite,
            StackMethod::Ack => Self::Ack,
            StackMethod::Bye => Self::Bye,
            StackMethod::Cancel => Self::Cancel,
            StackMethod::Options => Self::Options,
            StackMethod::Info => Self::Info,
            StackMethod::Update => Self::Update,
            StackMethod::PRack => Self::Prack,
            StackMethod::Refer => Self::Refer,
            StackMethod::Notify => Self::Notify,
            StackMethod::Register => Self::Register,
            _ => Self::Other,
        }
    }
}

/// A header field to be sent.
pub(crate) type Field = (&'static str, String);

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub method: Method,
    pub uri: String,
    pub fields: Vec<Field>,
    pub body: Vec<u8>,
    /// Reuse this Via instead of a new branch: a CANCEL has that of its INVITE (RFC 3261 §9.1).
    pub via: Option<String>,
}

impl Draft {
    /// The CANCEL of this INVITE, which went out with `via` (RFC 3261 §9.1).
    pub fn cancel(&self, via: &str) -> Self {
        let keeps = |name: &str| matches!(name, "From" | "To" | "Call-ID" | "Route" | "User-Agent");
        let mut fields: Vec<_> = self.fields.iter().filter(|(name, _)| keeps(name)).cloned().collect();
        let cseq = self.fields.iter().find(|(name, _)| *name == "CSeq").map_or("", |(_, value)| value.as_str());
        fields.push(("CSeq", cseq.replace("INVITE", "CANCEL")));
        Self { method: Method::Cancel, uri: self.uri.clone(), fields, body: Vec::new(), via: Some(via.to_owned()) }
    }

    pub(super) fn into_request(self, via: &str) -> Result<Request, SipError> {
        let method = self.method.as_str().parse().map_err(|_| SipError::Stack(format!("method {}", self.method.as_str())))?;
        if has_control(&self.uri) || self.uri.contains(' ') {
            return Err(SipError::UnsafeHeader("Request-URI"));
        }
        let uri = verbatim(&self.uri).ok_or_else(|| SipError::BadUri(self.uri.clone()))?;
        let mut headers = vec![header("Via", via.to_owned())?, header("Max-Forwards", "70".into())?];
        for (name, value) in self.fields {
            headers.push(header(name, value)?);
        }
        Ok(Request { method, uri, version: Version::V2, headers: Headers(headers), body: self.body })
    }
}

/// A URI that the stack writes as it is. Its own type escapes what is escaped already and cannot hold parameters of the
/// user part; the digest must be computed over what is sent. Where the message goes is said apart from it.
pub(super) fn verbatim(text: &str) -> Option<Uri> {
    let (scheme, rest) = text.split_once(':')?;
    if rest.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let host_with_port = HostWithPort { host: Host::Domain(Domain(rest.to_owned())), port: None };
    Some(Uri { scheme: Some(Scheme::Other(scheme.to_owned())), host_with_port, ..Uri::default() })
}

/// The last gate before a header: the domain has validated what users typed; what slipped through dies here.
pub(super) fn header(name: &'static str, value: String) -> Result<Header, SipError> {
    if has_control(&value) {
        return Err(SipError::UnsafeHeader(name));
    }
    Ok(make_header(name, value))
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\t')
}

pub(super) fn first<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    all(headers, name).next()
}

pub(super) fn all<'a>(headers: &'a Headers, name: &str) -> impl Iterator<Item = &'a str> {
    headers.0.iter().filter(move |h| h.name().eq_ignore_ascii_case(name)).map(|h| h.value().trim())
}

/// The `tag` parameter of a From or To value.
pub(crate) fn tag_of(value: &str) -> Option<&str> {
    let params = match value.rfind('>') {
        Some(end) => value.get(end + 1..)?,
        None => value.split_once(';').map(|(_, rest)| rest)?,
    };
    params.split(';').find_map(|param| {
        let (name, tag) = param.split_once('=')?;
        name.trim().eq_ignore_ascii_case("tag").then_some(tag.trim())
    })
}

/// A response from a peer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub code: u16,
    pub phrase: String,
    pub body: Vec<u8>,
    headers: Headers,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        all(&self.headers, name)
    }

    pub fn to_tag(&self) -> Option<&str> {
        self.header("To").and_then(tag_of)
    }

    /// `received` and `rport` of our own Via: where the peer saw us (RFC 3581 §4).
    pub fn seen_at(&self) -> (Option<std::net::IpAddr>, Option<u16>) {
        let via = self.header("Via").and_then(|v| v.split(',').next()).unwrap_or_default();
        let param = |wanted: &str| {
            via.split(';').skip(1).find_map(|p| {
                let (name, value) = p.split_once('=')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        let received = param("received").and_then(|v| v.trim_matches(['[', ']']).parse().ok());
        (received, param("rport").and_then(|v| v.parse().ok()))
    }
}

/// What a client transaction yields.
#[derive(Debug)]
pub(crate) enum Heard {
    Reply(Reply),
    /// Nothing within 64·T1 (RFC 3261 timers B and F).
    Timeout,
    /// The connection broke under the request.
    ConnectionLost,
}

impl From<Response> for Heard {
    fn from(response: Response) -> Self {
        let code = response.status_code.code();
        if first(&response.headers, LOCAL_MARK).is_some() {
            return if code == 408 { Self::Timeout } else { Self::ConnectionLost };
        }
        let phrase = response.wire_reason.clone().unwrap_or_else(|| response.status_code.text().to_owned());
        let phrase = phrase.chars().filter(|c| !c.is_control()).take(128).collect();
        Self::Reply(Reply { code, phrase, body: response.body, headers: response.headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_outside_the_uri_only() {
        for (value, tag) in [
            ("<sip:a@b>;tag=x1", Some("x1")),
            ("\"A;tag=no\" <sip:a@b;tag=no> ; Tag = yes ;q=1", Some("yes")),
            ("sip:a@b;tag=plain", Some("plain")),
            ("<sip:a@b;tag=no>", None),
            ("", None),
            (">", None),
        ] {
            assert_eq!(tag_of(value), tag, "{value}");
        }
    }

    #[test]
    fn uris_are_sent_as_they_are() {
        for uri in ["sip:a@b:5060;transport=tcp", "sip:a%20b;x=y@[::1]:5060", "tel:+123", "sip:h"] {
            assert_eq!(verbatim(uri).expect(uri).to_string(), uri);
        }
        assert!(["", "sip:", "no-scheme", "s p:x"].iter().all(|bad| verbatim(bad).is_none()));
    }

    proptest::proptest! {
        /// Whatever gets past the gate is one line for each field, and the lines are those that were meant.
        #[test]
        fn a_message_has_the_lines_that_were_meant(
            uri in "sip:\\PC{0,8}[ -~\\r\\n\\t\u{85}\u{2028}]{0,12}",
            values in proptest::collection::vec("[ -~\\r\\n\\t\0\u{7f}\u{85}\u{2028}é]{0,24}", 1..5),
        ) {
            let fields: Vec<Field> = values.iter().map(|value| ("Subject", value.clone())).collect();
            let draft = Draft { method: Method::Invite, uri: uri.clone(), fields, body: Vec::new(), via: None };
            let Ok(request) = draft.into_request("SIP/2.0/UDP h;branch=z9hG4bKx") else { return Ok(()) };
            let text = String::from_utf8(rsipstack::sip::SipMessage::from(request).to_bytes()).expect("text");
            let head = text.split_once("\r\n\r\n").expect("an end").0;
            let lines: Vec<&str> = head.split(['\r', '\n']).filter(|line| !line.is_empty()).collect();
            proptest::prop_assert_eq!(lines[0], format!("INVITE {uri} SIP/2.0"));
            let subjects = lines.iter().filter(|line| line.starts_with("Subject:")).count();
            let others = lines[1..].iter().filter(|line| line.starts_with("Via:") || line.starts_with("Max-Forwards:")).count();
            proptest::prop_assert_eq!((subjects, others, lines.len()), (values.len(), 2, values.len() + 3));
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_header() {
        let draft = |uri: &str, value: &str| Draft {
            method: Method::Invite,
            uri: uri.into(),
            fields: vec![("Subject", value.into())],
            body: Vec::new(),
            via: None,
        };
        let via = "SIP/2.0/UDP h;branch=z9hG4bKx";
        assert!(draft("sip:a@b", "fine").into_request(via).is_ok());
        for (uri, value) in [("sip:a@b", "x\r\nEvil: 1"), ("sip:a@b", "x\0"), ("sip:a@b\r\n", "x"), ("sip:a@b SIP/2.0", "x")] {
            assert!(matches!(draft(uri, value).into_request(via), Err(SipError::UnsafeHeader(_))), "{uri:?} {value:?}");
        }
    }
}
