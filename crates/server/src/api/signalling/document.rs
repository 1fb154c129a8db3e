//! The messages as JSON.

use super::ladder::{Ladder, Mark};
use callie_domain::record::{SipMessage, Way};
use callie_domain::{CallId, UserId};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The SIP messages of a call, in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallSignalling {
    #[schema(value_type = String, example = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M")]
    pub call_id: CallId,
    /// Who took part: this server first.
    pub participants: Vec<Participant>,
    pub messages: Vec<SipMessageDocument>,
    /// What happened to the audio meanwhile.
    pub marks: Vec<MarkDocument>,
}

/// The last SIP messages of a user's line, in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineTrace {
    #[schema(value_type = String, example = "alice")]
    pub user_id: UserId,
    pub participants: Vec<Participant>,
    pub messages: Vec<SipMessageDocument>,
}

/// An end of the signalling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Participant {
    /// `callie` for this server, else the address.
    #[schema(example = "callie")]
    pub name: String,
    #[schema(example = json!(["192.0.2.10:5060"]))]
    pub addresses: Vec<String>,
}

/// One message.
#[derive(Debug, Serialize, ToSchema)]
pub struct SipMessageDocument {
    pub at: Timestamp,
    /// Milliseconds since the call began, to the microsecond.
    #[schema(example = 12.345)]
    pub offset_ms: f64,
    /// `sent` or `received`.
    #[schema(example = "received")]
    pub direction: &'static str,
    #[schema(example = "udp")]
    pub transport: &'static str,
    #[schema(example = "203.0.113.5:5060")]
    pub from: String,
    #[schema(example = "192.0.2.10:5060")]
    pub to: String,
    /// From participant to participant.
    #[schema(example = "203.0.113.5:5060 → callie")]
    pub arrow: String,
    #[schema(example = "INVITE (SDP)")]
    pub summary: String,
    /// The same message has gone the same way before.
    pub retransmission: bool,
    /// What the server made of it, where that is not in the message.
    pub note: Option<String>,
    /// Messages just before this one that were not kept, because there were too many.
    pub left_out_before: u32,
    /// The first line.
    #[schema(example = "INVITE sip:k3v9@192.0.2.10:5060 SIP/2.0")]
    pub start_line: String,
    pub headers: Vec<HeaderDocument>,
    /// Secrets in it are asterisks, as they are in the headers.
    pub body: String,
}

/// A header field.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeaderDocument {
    #[schema(example = "Call-ID")]
    pub name: String,
    pub value: String,
}

/// Something beside the messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct MarkDocument {
    pub at: Timestamp,
    pub offset_ms: f64,
    #[schema(example = "first audio packet, from 203.0.113.9:20000")]
    pub text: String,
}

impl CallSignalling {
    pub(super) fn of(call_id: CallId, ladder: &Ladder) -> Self {
        let mark = |Mark { at, text }: &Mark| MarkDocument { at: *at, offset_ms: ladder.offset_ms(*at), text: text.clone() };
        Self {
            call_id,
            participants: ladder.participants(),
            messages: messages(ladder),
            marks: ladder.marks().iter().map(mark).collect(),
        }
    }
}

impl LineTrace {
    pub(super) fn of(user_id: UserId, ladder: &Ladder) -> Self {
        Self { user_id, participants: ladder.participants(), messages: messages(ladder) }
    }
}

fn messages(ladder: &Ladder) -> Vec<SipMessageDocument> {
    ladder.messages().map(|(message, repeated)| document(message, repeated, ladder.offset_ms(message.at))).collect()
}

fn document(message: &SipMessage, retransmission: bool, offset_ms: f64) -> SipMessageDocument {
    let (local, remote) = (message.local.to_string(), message.remote.to_string());
    let (direction, from, to, arrow) = match message.way {
        Way::Sent => ("sent", &local, &remote, format!("callie → {remote}")),
        Way::Received => ("received", &remote, &local, format!("{remote} → callie")),
    };
    SipMessageDocument {
        at: message.at,
        offset_ms,
        direction,
        transport: message.transport.as_str(),
        from: from.clone(),
        to: to.clone(),
        arrow,
        summary: summary(message),
        retransmission,
        note: message.note.clone(),
        left_out_before: message.left_out_before,
        start_line: message.start_line().to_owned(),
        headers: headers(message),
        body: message.body().to_owned(),
    }
}

/// The method, or code and phrase with the method they answer; and what it carries.
pub(super) fn summary(message: &SipMessage) -> String {
    let start = message.start_line();
    let said = match start.strip_prefix("SIP/2.0 ") {
        Some(status) => {
            let method = message.field("CSeq").and_then(|cseq| cseq.split_whitespace().nth(1)).unwrap_or("?");
            format!("{status} to {method}")
        }
        None => start.split(' ').next().unwrap_or_default().to_owned(),
    };
    let kind = message.field("Content-Type").filter(|_| !message.body().is_empty());
    match kind.map(|kind| kind.split(';').next().unwrap_or_default().trim()) {
        Some("application/sdp") => format!("{said} (SDP)"),
        Some(kind) => format!("{said} ({kind})"),
        None => said,
    }
}

/// The fields in their order, folded lines put together (RFC 3261 §7.3.1).
fn headers(message: &SipMessage) -> Vec<HeaderDocument> {
    let head = message.text.split_once("\r\n\r\n").map_or(message.text.as_str(), |(head, _)| head);
    let mut headers: Vec<HeaderDocument> = Vec::new();
    for line in head.lines().skip(1) {
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some(last), _) => {
                last.value.push(' ');
                last.value.push_str(line.trim());
            }
            (_, _, Some((name, value))) => {
                headers.push(HeaderDocument { name: name.trim().to_owned(), value: value.trim().to_owned() });
            }
            _ => {}
        }
    }
    headers
}
