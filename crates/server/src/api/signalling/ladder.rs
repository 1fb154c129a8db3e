//! The messages as a ladder: this server on the left, one lifeline for each other address, an arrow for each message; the whole
//! messages below it.

use super::document::{Participant, summary};
use callie_domain::record::{SipMessage, Way};
use jiff::Timestamp;
use std::collections::HashSet;
use std::fmt::Write;
use std::net::SocketAddr;

/// Columns from one lifeline to the next.
const WIDTH: usize = 44;
/// Columns before the first lifeline: the time.
const MARGIN: usize = 14;

/// Something beside the messages.
pub(super) struct Mark {
    pub at: Timestamp,
    pub text: String,
}

pub(super) struct Ladder {
    messages: Vec<SipMessage>,
    /// Which of them went the same way before.
    repeated: Vec<bool>,
    marks: Vec<Mark>,
    begun: Timestamp,
    /// The other ends, in order of appearance.
    peers: Vec<SocketAddr>,
}

/// A line of the drawing, in order of time.
enum Row<'a> {
    Message(usize, &'a SipMessage, bool),
    Mark(&'a Mark),
}

impl Ladder {
    /// Times count from the first message, or from `begun` if that was earlier.
    pub fn new(messages: Vec<SipMessage>, mut marks: Vec<Mark>, begun: Option<Timestamp>) -> Self {
        marks.sort_by_key(|mark| mark.at);
        let first = messages.first().map(|message| message.at);
        let begun = first.into_iter().chain(begun).min().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut seen = HashSet::new();
        let mut peers = Vec::new();
        let mut repeated = Vec::new();
        for message in &messages {
            repeated.push(!seen.insert((message.way, message.remote, message.text.clone())));
            if !peers.contains(&message.remote) {
                peers.push(message.remote);
            }
        }
        Self { messages, repeated, marks, begun, peers }
    }

    /// Each message, and whether it is a repetition.
    pub fn messages(&self) -> impl Iterator<Item = (&SipMessage, bool)> {
        self.messages.iter().zip(self.repeated.iter().copied())
    }

    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    pub fn offset_ms(&self, at: Timestamp) -> f64 {
        // A call of a century has 2^52 µs: nothing is lost.
        #[expect(clippy::cast_precision_loss, reason = "the difference is small, see above")]
        let micros = (at.as_microsecond() - self.begun.as_microsecond()) as f64;
        micros / 1_000.0
    }

    pub fn participants(&self) -> Vec<Participant> {
        let mut ours: Vec<String> = self.messages.iter().map(|message| message.local.to_string()).collect();
        ours.sort_unstable();
        ours.dedup();
        let us = Participant { name: "callie".to_owned(), addresses: ours };
        let peers = self.peers.iter().map(|peer| Participant { name: peer.to_string(), addresses: vec![peer.to_string()] });
        std::iter::once(us).chain(peers).collect()
    }

    /// The drawing. Writing to a String cannot fail.
    pub fn drawn(&self, title: &str) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "{}\nTimes in seconds from {}\n", printable(title), self.begun);
        if self.messages.is_empty() {
            text.push_str("no SIP messages are kept\n");
            return text;
        }
        self.head(&mut text);
        for row in self.rows() {
            match row {
                Row::Message(number, message, repeated) => self.arrow(&mut text, number, message, repeated),
                Row::Mark(mark) => self.aside(&mut text, mark.at, &mark.text),
            }
        }
        for (number, (message, _)) in self.messages().enumerate() {
            self.whole(&mut text, number + 1, message);
        }
        text
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let mut marks = self.marks.iter().peekable();
        let mut rows = Vec::new();
        for (number, (message, repeated)) in self.messages().enumerate() {
            while let Some(mark) = marks.next_if(|mark| mark.at < message.at) {
                rows.push(Row::Mark(mark));
            }
            rows.push(Row::Message(number + 1, message, repeated));
        }
        rows.extend(marks.map(Row::Mark));
        rows
    }

    fn head(&self, text: &mut String) {
        let names = std::iter::once("callie".to_owned()).chain(self.peers.iter().map(ToString::to_string));
        let mut line = " ".repeat(MARGIN);
        for name in names {
            let _ = write!(line, "{name:<WIDTH$}");
        }
        let _ = writeln!(text, "{}\n{}{}", line.trim_end(), " ".repeat(MARGIN), self.lifelines());
    }

    fn lifelines(&self) -> String {
        let mut lines = "|".to_owned();
        for _ in &self.peers {
            let _ = write!(lines, "{:>WIDTH$}", "|");
        }
        lines
    }

    fn arrow(&self, text: &mut String, number: usize, message: &SipMessage, repeated: bool) {
        if message.left_out_before > 0 {
            let _ = writeln!(text, "{:MARGIN$}: {} messages are not kept", "", message.left_out_before);
        }
        let column = self.peers.iter().position(|peer| *peer == message.remote).unwrap_or(0) + 1;
        let again = if repeated { ", repeated" } else { "" };
        let label = format!(" #{number} {}{again} ", printable(&summary(message)));
        let shaft = column * WIDTH - 3;
        let label: String = label.chars().take(shaft).collect();
        let arrow = match message.way {
            Way::Sent => format!("{label:-<shaft$}->"),
            Way::Received => format!("<-{label:-<shaft$}"),
        };
        let beyond = self.peers.len() - column;
        let rest = format!("{:>WIDTH$}", "|").repeat(beyond);
        let _ = writeln!(text, "{:>12.6}  |{arrow}|{rest}", self.offset_ms(message.at) / 1_000.0);
        if let Some(note) = &message.note {
            self.aside(text, message.at, note);
        }
    }

    fn aside(&self, text: &mut String, at: Timestamp, what: &str) {
        let _ = writeln!(text, "{:>12.6}  : {}", self.offset_ms(at) / 1_000.0, printable(what));
    }

    fn whole(&self, text: &mut String, number: usize, message: &SipMessage) {
        let seconds = self.offset_ms(message.at) / 1_000.0;
        let (from, to) = match message.way {
            Way::Sent => (message.local, message.remote),
            Way::Received => (message.remote, message.local),
        };
        let transport = message.transport.as_str();
        let _ = writeln!(text, "\n#{number} at {seconds:.6}, {from} to {to} by {transport}");
        for line in message.text.lines() {
            let _ = writeln!(text, "    {}", printable(line));
        }
    }
}

/// What strangers wrote, without anything that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Transport;

    fn message(at_us: i64, way: Way, remote: &str, text: &str) -> SipMessage {
        SipMessage {
            at: Timestamp::from_microsecond(1_768_473_000_000_000 + at_us).expect("a time"),
            way,
            transport: Transport::Udp,
            local: "192.0.2.1:5060".parse().expect("address"),
            remote: remote.parse().expect("address"),
            text: text.to_owned(),
            note: None,
            left_out_before: 0,
        }
    }

    fn call() -> Ladder {
        let (peer, other) = ("203.0.113.5:5060", "198.51.100.7:5062");
        let invite = "INVITE sip:t@192.0.2.1 SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
        let ok = "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n";
        let mut messages = vec![
            message(0, Way::Received, peer, invite),
            message(480, Way::Sent, peer, "SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\n\r\n"),
            message(20_100, Way::Sent, peer, ok),
            message(520_150, Way::Sent, peer, ok),
            message(530_000, Way::Received, other, "ACK sip:t@192.0.2.1 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n"),
            message(9_000_000, Way::Received, peer, "BYE sip:t@\x1b[31m SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n"),
        ];
        messages[5].left_out_before = 7;
        messages[5].note = Some("late".to_owned());
        let mark = Mark { at: messages[4].at, text: "first audio packet, from 203.0.113.9:20000".to_owned() };
        Ladder::new(messages, vec![mark], None)
    }

    #[test]
    fn a_call_is_drawn() {
        insta::assert_snapshot!(call().drawn("Call x"));
    }

    #[test]
    fn repetitions_are_the_same_message_the_same_way() {
        let repeated: Vec<bool> = call().messages().map(|(_, repeated)| repeated).collect();
        assert_eq!(repeated, [false, false, false, true, false, false]);
    }

    #[test]
    fn nothing_can_be_drawn() {
        assert!(Ladder::new(Vec::new(), Vec::new(), None).drawn("Line of alice").contains("no SIP messages"));
    }
}
