//! A stranger's description, read as far as we need it: streams, addresses, directions, formats.

use super::crypto::CryptoLine;
use super::{Direction, SdpError};
use sdp_types::{Connection, Media, NetType, Session};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Longest body that is read, bytes.
const MAX_LEN: usize = 64 * 1024;
/// Most streams: each must be answered, and nobody has more.
const MAX_STREAMS: usize = 32;
/// How long a packet may be, milliseconds.
const PACKET_MS: std::ops::RangeInclusive<u16> = 10..=200;
/// What it is when nobody says otherwise.
const USUAL_PACKET_MS: u16 = 20;
/// RTP with keys in SDP and without, with or without the feedback profile (RFC 4585), of which we send none.
const PROFILES: [&str; 4] = ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"];

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

    /// RTP over UDP with keys in SDP or without; `None` for anything else.
    pub fn profile(&self) -> Option<&'static str> {
        PROFILES.into_iter().find(|profile| self.media.proto.eq_ignore_ascii_case(profile))
    }

    /// The keys that we can use, in the other side's order.
    pub fn keys(&self) -> impl Iterator<Item = CryptoLine> {
        self.values("crypto").filter_map(CryptoLine::read)
    }

    /// Whether keys are named at all.
    pub fn names_keys(&self) -> bool {
        self.values("crypto").next().is_some()
    }

    /// RTCP may share the port of RTP (RFC 5761).
    pub fn shares_port(&self) -> bool {
        self.media.attributes.iter().any(|attribute| attribute.attribute.eq_ignore_ascii_case("rtcp-mux"))
    }

    /// Where RTCP goes when it does not share the port (RFC 3605): to the port above RTP's unless the stream says otherwise.
    pub fn rtcp(&self, rtp: SocketAddr) -> Option<SocketAddr> {
        let named = self.values("rtcp").find_map(|value| {
            let mut words = value.split_ascii_whitespace();
            let port = words.next()?.parse::<u16>().ok().filter(|port| *port != 0)?;
            let address = match (words.next(), words.next(), words.next()) {
                (Some("IN"), Some(_), Some(text)) => text.parse::<IpAddr>().ok()?.to_canonical(),
                _ => rtp.ip(),
            };
            let usable = is_usable(address) && address.is_ipv4() == rtp.is_ipv4();
            usable.then(|| SocketAddr::new(address, port))
        });
        named.or_else(|| Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))).filter(|to| !to.ip().is_unspecified())
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

    /// How long the other side's packets shall be and may be at most (RFC 8866 §6.4), where it makes sense; else 20 ms.
    pub fn ptime_ms(&self) -> u16 {
        let read = |name| self.values(name).find_map(|v| v.trim().parse::<u16>().ok()).filter(|ms| PACKET_MS.contains(ms));
        let asked = read("ptime").filter(|ms| ms.is_multiple_of(10)).unwrap_or(USUAL_PACKET_MS);
        read("maxptime").map_or(asked, |most| asked.min(most / 10 * 10))
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

    pub fn values(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
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
    if connection.nettype == NetType::In && is_usable(address) {
        Ok(address)
    } else {
        Err(SdpError::UnusableAddress(address.to_string()))
    }
}

fn is_usable(address: IpAddr) -> bool {
    !address.is_multicast() && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn not_an_address(text: &str) -> SdpError {
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && text.len() <= 253;
    if is_name { SdpError::HostName(text.to_owned()) } else { SdpError::Malformed("connection address".to_owned()) }
}
