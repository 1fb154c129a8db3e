//! SIP as it was on the wire: the evidence of a call, and of an account's registration.

use crate::Transport;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    Sent,
    Received,
}

/// One SIP message, with its secrets masked before it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipMessage {
    /// To the microsecond.
    pub at: Timestamp,
    pub way: Way,
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The other end, as the socket saw it.
    pub remote: SocketAddr,
    /// The whole message; secrets in it are asterisks.
    pub text: String,
    /// What the server made of it, where that is not in the message: why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Messages just before this one that were not kept, because there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out_before: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl SipMessage {
    /// `INVITE` of a request, `200` of a response, with the rest of the first line.
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The first field of this name, in its long or its compact form (RFC 3261 §7.3.3).
    pub fn field(&self, name: &str) -> Option<&str> {
        let long = |given: &str| {
            if given.eq_ignore_ascii_case(name) { true } else { compact(name).is_some_and(|c| given.eq_ignore_ascii_case(c)) }
        };
        self.fields().find(|(given, _)| long(given)).map(|(_, value)| value)
    }

    /// Name and value of each header field, in order. A value that was folded over lines is given as far as its first line goes.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let head = self.text.split_once("\r\n\r\n").map_or(self.text.as_str(), |(head, _)| head);
        let lines = head.lines().skip(1).filter(|line| !line.starts_with([' ', '\t']));
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

fn compact(name: &str) -> Option<&'static str> {
    const FORMS: [(&str, &str); 8] = [
        ("Call-ID", "i"),
        ("Contact", "m"),
        ("Content-Length", "l"),
        ("Content-Type", "c"),
        ("From", "f"),
        ("Supported", "k"),
        ("To", "t"),
        ("Via", "v"),
    ];
    FORMS.iter().find(|(long, _)| long.eq_ignore_ascii_case(name)).map(|(_, short)| *short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart() {
        let message = SipMessage {
            at: Timestamp::UNIX_EPOCH,
            way: Way::Received,
            transport: Transport::Udp,
            local: ([127, 0, 0, 1], 5060).into(),
            remote: ([127, 0, 0, 2], 5060).into(),
            text: "INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h\r\nSubject: one\r\n two\r\ni: x\r\n\r\nv=0\r\n".into(),
            note: None,
            left_out_before: 0,
        };
        assert_eq!(message.start_line(), "INVITE sip:a@b SIP/2.0");
        assert_eq!(message.field("Via"), Some("SIP/2.0/UDP h"));
        assert_eq!(message.field("call-id"), Some("x"));
        assert_eq!(message.field("To"), None);
        assert_eq!(message.fields().count(), 3);
        assert_eq!(message.body(), "v=0\r\n");
    }
}
