//! The little SDP a telephone needs: one audio line with G.711 and telephone-event (RFC 4566, RFC 3264).

use callie_media::codec::G711;
use std::net::{IpAddr, SocketAddr};

const EVENT_TYPE: u8 = 101;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn token(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive].into_iter().find(|known| known.token() == text)
    }

    /// The answer to an offer of this (RFC 3264 §6.1).
    fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }
}

/// What this telephone says of itself.
#[derive(Clone, Debug)]
pub(super) struct LocalSdp {
    pub rtp: SocketAddr,
    pub codecs: Vec<G711>,
    version: u32,
}

impl LocalSdp {
    pub fn new(rtp: SocketAddr, codecs: Vec<G711>) -> Self {
        Self { rtp, codecs, version: 0 }
    }

    pub fn offer(&mut self, direction: Direction) -> String {
        let codecs = self.codecs.clone();
        self.write(&codecs, Some(EVENT_TYPE), direction)
    }

    /// `None` when no codec is shared.
    pub fn answer(&mut self, offer: &RemoteSdp) -> Option<String> {
        let codec = offer.codecs.iter().copied().find(|codec| self.codecs.contains(codec))?;
        Some(self.write(&[codec], offer.event_type, offer.direction.mirrored()))
    }

    fn write(&mut self, codecs: &[G711], event_type: Option<u8>, direction: Direction) -> String {
        self.version += 1;
        let (ip, port) = (self.rtp.ip(), self.rtp.port());
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let types = codecs.iter().map(|codec| codec.payload_type()).chain(event_type);
        let types: Vec<String> = types.map(|kind| kind.to_string()).collect();
        let mut text =
            format!("v=0\r\no=phone {port} {} IN {family} {ip}\r\ns=call\r\nc=IN {family} {ip}\r\nt=0 0\r\n", self.version);
        text.push_str(&format!("m=audio {port} RTP/AVP {}\r\n", types.join(" ")));
        for codec in codecs {
            text.push_str(&format!("a=rtpmap:{} {}/8000\r\n", codec.payload_type(), codec.name()));
        }
        if let Some(kind) = event_type {
            text.push_str(&format!("a=rtpmap:{kind} telephone-event/8000\r\na=fmtp:{kind} 0-15\r\n"));
        }
        text.push_str(&format!("a=ptime:20\r\na={}\r\n", direction.token()));
        text
    }
}

/// What the other side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteSdp {
    pub rtp: SocketAddr,
    /// In the other side's order.
    pub codecs: Vec<G711>,
    pub event_type: Option<u8>,
    pub direction: Direction,
}

impl RemoteSdp {
    /// The first audio line that is not refused (port 0).
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let mut address: Option<IpAddr> = None;
        let mut audio: Option<Self> = None;
        for line in text.lines().map(str::trim_end) {
            if line.starts_with("m=") && audio.is_some() {
                break;
            }
            if let Some(rest) = line.strip_prefix("c=IN ") {
                address = rest.split_whitespace().nth(1).and_then(|ip| ip.parse().ok()).or(address);
                if let (Some(audio), Some(address)) = (&mut audio, address) {
                    audio.rtp.set_ip(address);
                }
            } else if let Some(rest) = line.strip_prefix("m=audio ") {
                audio = Self::from_media_line(rest, address);
            } else if let (Some(rest), Some(audio)) = (line.strip_prefix("a="), &mut audio) {
                audio.read_attribute(rest);
            }
        }
        audio.filter(|audio| audio.rtp.port() != 0 && !audio.codecs.is_empty())
    }

    fn from_media_line(rest: &str, address: Option<IpAddr>) -> Option<Self> {
        let mut words = rest.split_whitespace();
        let port = words.next()?.parse().ok()?;
        let codecs = words.skip(1).filter_map(|kind| G711::from_payload_type(kind.parse().ok()?)).collect();
        let rtp = SocketAddr::new(address.unwrap_or(IpAddr::from([127, 0, 0, 1])), port);
        Some(Self { rtp, codecs, event_type: None, direction: Direction::SendRecv })
    }

    fn read_attribute(&mut self, attribute: &str) {
        if let Some(direction) = Direction::parse(attribute) {
            self.direction = direction;
        } else if let Some((kind, name)) = attribute.strip_prefix("rtpmap:").and_then(|rest| rest.split_once(' '))
            && name.eq_ignore_ascii_case("telephone-event/8000")
        {
            self.event_type = kind.parse().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_read_and_answered() {
        let rtp: SocketAddr = "127.0.0.1:4000".parse().expect("addr");
        let mut caller = LocalSdp::new(rtp, vec![G711::Pcma, G711::Pcmu]);
        let offer = RemoteSdp::parse(caller.offer(Direction::SendOnly).as_bytes()).expect("offer");
        let wanted =
            RemoteSdp { rtp, codecs: vec![G711::Pcma, G711::Pcmu], event_type: Some(101), direction: Direction::SendOnly };
        assert_eq!(offer, wanted);
        let mut callee = LocalSdp::new(rtp, vec![G711::Pcmu]);
        let answer = RemoteSdp::parse(callee.answer(&offer).expect("shared").as_bytes()).expect("answer");
        assert_eq!((answer.codecs, answer.direction), (vec![G711::Pcmu], Direction::RecvOnly));
        assert_eq!(LocalSdp::new(rtp, vec![]).answer(&offer), None);
    }

    #[test]
    fn a_refused_or_foreign_description_is_none() {
        for text in ["", "m=audio 0 RTP/AVP 0", "c=IN IP4 1.2.3.4\r\nm=audio 40 RTP/AVP 96", "m=video 40 RTP/AVP 0"] {
            assert_eq!(RemoteSdp::parse(text.as_bytes()), None, "{text}");
        }
        let late = RemoteSdp::parse(b"m=audio 40 RTP/AVP 0\nc=IN IP4 1.2.3.4\n").expect("audio");
        assert_eq!(late.rtp.to_string(), "1.2.3.4:40");
    }
}
