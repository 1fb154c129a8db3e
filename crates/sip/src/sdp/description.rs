//! A stranger's description, read as far as we need it: streams, addresses, directions, formats.

use super::{Direction, G711, SdpError};
use sdp_types::{Connection, Media, NetType, Session};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Longest body that is read, bytes.
const MAX_LEN: usize = 64 * 1024;
/// Most streams: each must be answered, and nobody has more.
const MAX_STREAMS: usize = 32;
/// Clock rate and channels of G.711 and its telephone-event, as strangers write them after the encoding name.
const CLOCKS: [&str; 3] = ["8000", "8000/1", "8000/"];
/// Static payload types and the first and last dynamic one end here (RFC 3550 §5.1).
const MAX_PAYLOAD_TYPE: u8 = 127;

/// The description of the other side.
pub(super) struct Description(Session);

/// One `m=` line with what hangs on it.
#[derive(Clone, Copy)]
pub(super) struct Stream<'a> {
    session: &'a Session,
    media: &'a Media,
}

impl Description {
    /// Reads versions, connections, media and attributes; the other lines say nothing to us, and strangers get them
    /// wrong in ways that should not cost a call.
    pub fn read(body: &[u8]) -> Result<Self, SdpError> {
        if body.len() > MAX_LEN {
            return Err(SdpError::TooLarge(body.len()));
        }
        let relevant = |line: &&[u8]| matches!(line, [b'v' | b'c' | b'm' | b'a', b'=', ..]) && std::str::from_utf8(line).is_ok();
        let lines: Vec<&[u8]> =
            body.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(relevant).collect();
        let malformed = |what: String| SdpError::Malformed(what);
        let session = Session::parse(&lines.join(&b'\n')).map_err(|e| malformed(e.to_string()))?;
        if session.medias.len() > MAX_STREAMS {
            return Err(malformed(format!("{} media streams", session.medias.len())));
        }
        // These words go back in our answer.
        let plain = |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b));
        if !session.medias.iter().all(|m| plain(&m.media) && plain(&m.proto) && plain(&m.fmt)) {
            return Err(malformed("control characters in a media line".to_owned()));
        }
        Ok(Self(session))
    }

    pub fn streams(&self) -> impl Iterator<Item = Stream<'_>> {
        self.0.medias.iter().map(|media| Stream { session: &self.0, media })
    }
}

impl<'a> Stream<'a> {
    /// Audio, and not rejected or withdrawn by port 0.
    pub fn is_live_audio(&self) -> bool {
        self.media.media.eq_ignore_ascii_case("audio") && self.media.port != 0
    }

    /// Plain RTP, with or without the feedback profile (RFC 4585), of which we send none.
    pub fn is_plain_rtp(&self) -> bool {
        ["RTP/AVP", "RTP/AVPF"].iter().any(|proto| self.media.proto.eq_ignore_ascii_case(proto))
    }

    pub fn media(&self) -> &'a str {
        &self.media.media
    }

    pub fn proto(&self) -> &'a str {
        &self.media.proto
    }

    pub fn formats(&self) -> &'a str {
        &self.media.fmt
    }

    /// The first of our codecs in the other side's order, with its payload type there (RFC 3264 §6.1).
    pub fn codec(&self, ours: &[G711]) -> Option<(G711, u8)> {
        self.payload_types().find_map(|payload_type| {
            let codec = match self.rtpmap(payload_type) {
                Some((name, clock)) if CLOCKS.contains(&clock) => {
                    [G711::Pcmu, G711::Pcma].into_iter().find(|c| c.name().eq_ignore_ascii_case(name))
                }
                Some(_) => None,
                None => G711::from_payload_type(payload_type),
            }?;
            ours.contains(&codec).then_some((codec, payload_type))
        })
    }

    /// Payload type of telephone-event at our clock rate (RFC 4733 §2.4.1).
    pub fn telephone_event(&self) -> Option<u8> {
        let is_event = |(name, clock): (&str, &str)| name.eq_ignore_ascii_case("telephone-event") && CLOCKS.contains(&clock);
        self.payload_types().find(|payload_type| self.rtpmap(*payload_type).is_some_and(is_event))
    }

    fn payload_types(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.media.fmt.split(' ').filter_map(|format| format.parse().ok()).filter(|pt| *pt <= MAX_PAYLOAD_TYPE)
    }

    /// `("PCMA", "8000/1")` of `a=rtpmap:8 PCMA/8000/1`.
    fn rtpmap(&self, payload_type: u8) -> Option<(&'a str, &'a str)> {
        self.values("rtpmap").find_map(|value| {
            let (number, encoding) = value.trim().split_once(' ')?;
            if number.parse() == Ok(payload_type) { encoding.trim().split_once('/') } else { None }
        })
    }

    /// How long the other side's packets shall be (RFC 8866 §6.4), where it makes sense; else 20 ms.
    pub fn ptime_ms(&self) -> u16 {
        let asked = self.values("ptime").find_map(|v| v.trim().parse::<u16>().ok());
        asked.filter(|ms| (10..=200).contains(ms) && ms.is_multiple_of(10)).unwrap_or(20)
    }

    /// Who may speak, seen from the other side: at the stream, else at the session, else both (RFC 8866 §6.7).
    pub fn direction(&self) -> Direction {
        let named = |attributes: &[sdp_types::Attribute]| {
            attributes.iter().find_map(|a| Direction::from_attribute(&a.attribute.to_ascii_lowercase()))
        };
        named(&self.media.attributes).or_else(|| named(&self.session.attributes)).unwrap_or(Direction::SendRecv)
    }

    /// Where the other side receives.
    pub fn remote(&self) -> Result<SocketAddr, SdpError> {
        let connection = self.media.connections.first().or(self.session.connection.as_ref());
        let connection = connection.ok_or_else(|| SdpError::Malformed("no connection address".to_owned()))?;
        Ok(SocketAddr::new(address(connection)?, self.media.port))
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let media = self.media;
        media.attributes.iter().filter(move |a| a.attribute.eq_ignore_ascii_case(name)).filter_map(|a| a.value.as_deref())
    }
}

/// IPv4-mapped addresses (RFC 5118 §4.9) become IPv4.
fn address(connection: &Connection) -> Result<IpAddr, SdpError> {
    let text = connection.connection_address.trim();
    let Ok(address) = text.split('/').next().unwrap_or(text).parse::<IpAddr>() else {
        return Err(not_an_address(text));
    };
    let address = address.to_canonical();
    let usable = connection.nettype == NetType::In && !address.is_multicast() && address != IpAddr::V4(Ipv4Addr::BROADCAST);
    if usable { Ok(address) } else { Err(SdpError::UnusableAddress(address.to_string())) }
}

fn not_an_address(text: &str) -> SdpError {
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.len() <= 253;
    if is_name { SdpError::HostName(text.to_owned()) } else { SdpError::Malformed("connection address".to_owned()) }
}
