//! What we write: our offer, and the parts that an answer shares with it.

use super::{Direction, G711, LocalMedia};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Payload type that we offer for telephone-event.
const OFFERED_EVENT_TYPE: u8 = 101;

/// Describes our side: our codecs, telephone-event, both directions (RFC 3264 §5).
pub fn offer(local: &LocalMedia) -> String {
    let codecs: Vec<(G711, u8)> = local.codecs.iter().map(|codec| (*codec, codec.payload_type())).collect();
    let audio = Audio {
        proto: "RTP/AVP",
        port: local.port,
        codecs: &codecs,
        event_type: Some(OFFERED_EVENT_TYPE),
        direction: Direction::SendRecv,
    };
    let mut text = session_lines(local);
    audio.write(&mut text);
    text
}

/// The lines before the first stream.
pub(super) fn session_lines(local: &LocalMedia) -> String {
    let family = match local.address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    };
    let LocalMedia { address, session_id, version, .. } = local;
    format!("v=0\r\no=- {session_id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n")
}

/// An audio stream of ours.
pub(super) struct Audio<'a> {
    pub proto: &'a str,
    pub port: u16,
    pub codecs: &'a [(G711, u8)],
    pub event_type: Option<u8>,
    pub direction: Direction,
}

impl Audio<'_> {
    pub fn write(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = self.try_write(text);
    }

    fn try_write(&self, text: &mut String) -> std::fmt::Result {
        write!(text, "m=audio {} {}", self.port, self.proto)?;
        for payload_type in self.codecs.iter().map(|(_, payload_type)| *payload_type).chain(self.event_type) {
            write!(text, " {payload_type}")?;
        }
        text.push_str("\r\n");
        for (codec, payload_type) in self.codecs {
            write!(text, "a=rtpmap:{payload_type} {}/8000\r\n", codec.name())?;
        }
        if let Some(payload_type) = self.event_type {
            write!(text, "a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n")?;
        }
        write!(text, "a=ptime:20\r\na={}\r\n", self.direction.as_str())
    }
}
