//! The messages as packets: a capture file in the classic format (link type "raw IP"), headers made up around the real addresses.
//!
//! A stream's messages follow one another in sequence, so that a reader puts them together; its opening is not shown, for nobody saw it.

use callie_domain::Transport;
use callie_domain::record::{SipMessage, Way};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Microseconds, big endian.
const MAGIC: u32 = 0xa1b2_c3d4;
const LINK_TYPE_RAW: u32 = 101;
const LONGEST: u32 = 65_535;
const UDP: u8 = 17;
const TCP: u8 = 6;
const PUSH_AND_ACK: u8 = 0x18;

/// A capture file with all messages.
pub(super) fn capture(messages: &[SipMessage]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [MAGIC, 0x0002_0004, 0, 0, LONGEST, LINK_TYPE_RAW] {
        file.extend_from_slice(&word.to_be_bytes());
    }
    let mut sequences = Sequences::default();
    for message in messages {
        let Some(packet) = packet(message, &mut sequences) else { continue };
        let len = u32::try_from(packet.len()).unwrap_or(LONGEST);
        let micros = message.at.as_microsecond();
        let seconds = u32::try_from(micros.div_euclid(1_000_000)).unwrap_or_default();
        let fraction = u32::try_from(micros.rem_euclid(1_000_000)).unwrap_or_default();
        for word in [seconds, fraction, len, len] {
            file.extend_from_slice(&word.to_be_bytes());
        }
        file.extend_from_slice(&packet);
    }
    file
}

/// The next byte of each direction of each stream.
#[derive(Default)]
struct Sequences(HashMap<(SocketAddr, SocketAddr), u32>);

impl Sequences {
    fn of(&self, from: SocketAddr, to: SocketAddr) -> u32 {
        self.0.get(&(from, to)).copied().unwrap_or(1)
    }

    fn advance(&mut self, from: SocketAddr, to: SocketAddr, bytes: u32) {
        let next = self.of(from, to).wrapping_add(bytes);
        self.0.insert((from, to), next);
    }
}

fn packet(message: &SipMessage, sequences: &mut Sequences) -> Option<Vec<u8>> {
    let (from, to) = match message.way {
        Way::Sent => (message.local, message.remote),
        Way::Received => (message.remote, message.local),
    };
    let payload = message.text.as_bytes();
    let (protocol, mut segment) = match message.transport {
        Transport::Udp => (UDP, udp(from, to, payload)?),
        Transport::Tcp | Transport::Tls => {
            let segment = tcp(from, to, sequences.of(from, to), sequences.of(to, from), payload);
            sequences.advance(from, to, u32::try_from(payload.len()).ok()?);
            (TCP, segment)
        }
    };
    let (source, target) = (from.ip().to_canonical(), to.ip().to_canonical());
    let sum = checksum(&[&pseudo(source, target, protocol, segment.len())?, &segment]);
    let (at, sum) = match (protocol, sum) {
        // UDP takes 0 for "no checksum" (RFC 768).
        (UDP, 0) => (6, 0xffff),
        (UDP, sum) => (6, sum),
        (_, sum) => (16, sum),
    };
    segment.get_mut(at..at + 2)?.copy_from_slice(&sum.to_be_bytes());
    let mut packet = ip(source, target, protocol, segment.len())?;
    packet.extend_from_slice(&segment);
    Some(packet)
}

fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let mut datagram = Vec::with_capacity(payload.len() + 8);
    for field in [from.port(), to.port(), u16::try_from(payload.len() + 8).ok()?, 0] {
        datagram.extend_from_slice(&field.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    Some(datagram)
}

fn tcp(from: SocketAddr, to: SocketAddr, sequence: u32, acknowledged: u32, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(payload.len() + 20);
    segment.extend_from_slice(&from.port().to_be_bytes());
    segment.extend_from_slice(&to.port().to_be_bytes());
    segment.extend_from_slice(&sequence.to_be_bytes());
    segment.extend_from_slice(&acknowledged.to_be_bytes());
    // Header of five words, flags, window, checksum, no urgent data.
    segment.extend_from_slice(&[0x50, PUSH_AND_ACK, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    segment
}

/// RFC 791 §3.1, or RFC 8200 §3 when either end has an IPv6 address.
fn ip(source: IpAddr, target: IpAddr, protocol: u8, len: usize) -> Option<Vec<u8>> {
    if let (IpAddr::V4(source), IpAddr::V4(target)) = (source, target) {
        let total = u16::try_from(len + 20).ok()?.to_be_bytes();
        let mut header = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
        header.extend_from_slice(&source.octets());
        header.extend_from_slice(&target.octets());
        let sum = checksum(&[&header]);
        header.get_mut(10..12)?.copy_from_slice(&sum.to_be_bytes());
        return Some(header);
    }
    let length = u16::try_from(len).ok()?.to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    header.extend_from_slice(&v6(source).octets());
    header.extend_from_slice(&v6(target).octets());
    Some(header)
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// What the checksums of UDP and TCP begin with (RFC 9293 §3.1).
fn pseudo(source: IpAddr, target: IpAddr, protocol: u8, len: usize) -> Option<Vec<u8>> {
    let len = u32::try_from(len).ok()?.to_be_bytes();
    let mut header = Vec::new();
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            header.extend_from_slice(&source.octets());
            header.extend_from_slice(&target.octets());
        }
        _ => {
            header.extend_from_slice(&v6(source).octets());
            header.extend_from_slice(&v6(target).octets());
        }
    }
    header.extend_from_slice(&len);
    header.extend_from_slice(&[0, 0, 0, protocol]);
    Some(header)
}

/// The Internet checksum (RFC 1071). All parts but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let high = pair.first().copied().unwrap_or_default();
            let low = pair.get(1).copied().unwrap_or_default();
            sum += u64::from(u16::from_be_bytes([high, low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::io::Write;
    use std::process::Command;

    fn message(way: Way, transport: Transport, ends: [&str; 2], text: &str) -> SipMessage {
        let [local, remote] = ends.map(|end| end.parse().expect("address"));
        let at = Timestamp::from_microsecond(1_768_473_000_123_456).expect("a time");
        SipMessage { at, way, transport, local, remote, text: text.to_owned(), note: None, left_out_before: 0 }
    }

    fn request(method: &str, via: &str) -> String {
        format!(
            "{method} sip:t@h SIP/2.0\r\nVia: SIP/2.0/{via} h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:t@h>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    /// What tshark reads in a capture: source, its port, target, its port, method or code, whether a checksum is wrong.
    /// `None` where there is no tshark; `make test` installs it.
    fn read_by_tshark(capture: &[u8]) -> Option<Vec<String>> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(capture).expect("written");
        let mut tshark = Command::new("tshark");
        tshark.args(["-n", "-Y", "sip", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
        tshark.args(["-o", "tcp.check_checksum:TRUE", "-T", "fields", "-E", "separator=,", "-r"]).arg(file.path());
        for field in ["ip.src", "ipv6.src", "udp.srcport", "tcp.srcport", "sip.Method", "sip.Status-Code", "frame.time_epoch"] {
            tshark.args(["-e", field]);
        }
        tshark.args(["-e", "ip.checksum.status", "-e", "udp.checksum.status", "-e", "tcp.checksum.status"]);
        let read = tshark.output().ok()?;
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        Some(String::from_utf8_lossy(&read.stdout).lines().map(str::to_owned).collect())
    }

    #[test]
    fn tshark_reads_sip_over_every_transport() {
        let (v4, v6) = (["192.0.2.1:5060", "203.0.113.5:5072"], ["[2001:db8::1]:5060", "[2001:db8::2]:5060"]);
        let odd = format!("{}x", request("MESSAGE", "UDP").replace("Length: 0", "Length: 1"));
        let trying = request("INVITE", "TCP").replace("INVITE sip:t@h SIP/2.0", "SIP/2.0 100 Trying");
        let tls = ["192.0.2.1:40001", "203.0.113.5:5061"];
        let capture = capture(&[
            message(Way::Received, Transport::Udp, v4, &request("INVITE", "UDP")),
            message(Way::Sent, Transport::Udp, v6, &odd),
            message(Way::Received, Transport::Tcp, v4, &request("INVITE", "TCP")),
            message(Way::Sent, Transport::Tcp, v4, &trying),
            message(Way::Received, Transport::Tcp, v4, &request("BYE", "TCP")),
            message(Way::Sent, Transport::Tls, tls, &request("REGISTER", "TLS")),
            message(Way::Received, Transport::Tls, tls, &request("OPTIONS", "TLS")),
        ]);
        let Some(read) = read_by_tshark(&capture) else { return };
        let time = "1768473000.123456000";
        assert_eq!(
            read,
            [
                format!("203.0.113.5,,5072,,INVITE,,{time},1,1,"),
                format!(",2001:db8::1,5060,,MESSAGE,,{time},,1,"),
                format!("203.0.113.5,,,5072,INVITE,,{time},1,,1"),
                format!("192.0.2.1,,,5060,,100,{time},1,,1"),
                format!("203.0.113.5,,,5072,BYE,,{time},1,,1"),
                format!("192.0.2.1,,,40001,REGISTER,,{time},1,,1"),
                format!("203.0.113.5,,,5061,OPTIONS,,{time},1,,1"),
            ]
        );
    }
}
