//! A telephone written by hand: one UDP socket, messages as text. It does what no well-behaved peer would do: cancels while
//! it is being answered, hangs up twice, never acknowledges, speaks garbage.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

#[derive(Debug)]
pub struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    /// Where requests go.
    remote: SocketAddr,
}

/// One call attempt of a [`Phone`]: what its requests have in common.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The request URI: the Contact of the called account.
    pub uri: String,
    pub call_id: String,
    pub tag: String,
    pub branch: String,
}

impl Phone {
    pub fn new(remote: SocketAddr) -> Self {
        let bind = || {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
            socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout above zero");
            socket
        };
        Self { sip: bind(), rtp: bind(), remote }
    }

    pub fn address(&self) -> SocketAddr {
        self.sip.local_addr().expect("it is bound")
    }

    pub fn send(&self, message: &[u8]) {
        self.sip.send_to(message, self.remote).expect("loopback takes a datagram");
    }

    /// The next message, or `None` once `within` has passed.
    pub fn receive(&self, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        let mut buffer = [0; 65_535];
        while Instant::now() < deadline {
            if let Ok((len, _)) = self.sip.recv_from(&mut buffer) {
                return Some(String::from_utf8_lossy(&buffer[..len]).into_owned());
            }
        }
        None
    }

    /// The next message whose first line begins with `start`; others are passed over.
    pub fn expect(&self, start: &str, within: Duration) -> String {
        let deadline = Instant::now() + within;
        let mut seen = Vec::new();
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.receive(left) {
                Some(message) if message.starts_with(start) => return message,
                Some(message) => seen.push(first_line(&message).to_owned()),
                None => break,
            }
        }
        panic!("no message beginning with {start:?} within {within:?}, only {seen:?}")
    }

    /// A new call to the account behind `contact` (a SIP URI).
    pub fn attempt(&self, contact: &str, name: &str) -> Attempt {
        let port = self.address().port();
        Attempt {
            uri: contact.trim_matches(['<', '>']).to_owned(),
            call_id: format!("{name}-{port}@phone.test"),
            tag: format!("{name}{port}"),
            branch: format!("z9hG4bK{name}{port}"),
        }
    }

    pub fn invite(&self, attempt: &Attempt) -> String {
        let rtp = self.rtp.local_addr().expect("it is bound").port();
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {rtp} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        );
        let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        self.request(attempt, "INVITE", 1, None, &body)
    }

    /// CANCEL of the INVITE (RFC 3261 §9.1: same branch, same CSeq number).
    pub fn cancel(&self, attempt: &Attempt) -> String {
        self.request(attempt, "CANCEL", 1, None, "Content-Length: 0\r\n\r\n")
    }

    /// ACK of a final response: within the INVITE's transaction for a refusal, of its own for a 200 (RFC 3261 §13.2.2.4, §17.1.1.3).
    pub fn ack(&self, attempt: &Attempt, response: &str) -> String {
        let mut attempt = attempt.clone();
        if response.starts_with("SIP/2.0 2") {
            attempt.branch.push_str("ack");
            attempt.uri = contact_of(response).unwrap_or(attempt.uri);
        }
        self.request(&attempt, "ACK", 1, header(response, "To"), "Content-Length: 0\r\n\r\n")
    }

    pub fn bye(&self, attempt: &Attempt, response: &str, cseq: u32) -> String {
        let mut attempt = attempt.clone();
        attempt.branch.push_str(&format!("bye{cseq}"));
        attempt.uri = contact_of(response).unwrap_or(attempt.uri);
        self.request(&attempt, "BYE", cseq, header(response, "To"), "Content-Length: 0\r\n\r\n")
    }

    fn request(&self, attempt: &Attempt, method: &str, cseq: u32, to: Option<&str>, rest: &str) -> String {
        let Attempt { uri, call_id, tag, branch } = attempt;
        let here = self.address();
        let to = to.map_or_else(|| format!("<{uri}>"), str::to_owned);
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:phone@phone.test>;tag={tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:phone@{here}>\r\n{rest}"
        )
    }

    /// 200 OK to a request, which needs no more than its own headers back (RFC 3261 §8.2.6).
    pub fn ok(&self, request: &str) -> String {
        let mut response = String::from("SIP/2.0 200 OK\r\n");
        for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
            for value in headers(request, name) {
                response.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        response + "Content-Length: 0\r\n\r\n"
    }

    /// One RTP packet of µ-law to where the SDP of `response` says.
    pub fn speak(&self, response: &str, sequence: u16, payload: &[u8; 160]) {
        let Some(port) = media_port(response) else { return };
        let timestamp = u32::from(sequence) * 160;
        let mut packet = vec![0x80, 0x00];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(0x00c0_ffeeu32.to_be_bytes());
        packet.extend(payload);
        let _ = self.rtp.send_to(&packet, (Ipv4Addr::LOCALHOST, port));
    }

    /// RTP packets that arrive within `span`.
    pub fn listen(&self, span: Duration) -> usize {
        let end = Instant::now() + span;
        let mut buffer = [0; 2_048];
        let mut packets = 0;
        while Instant::now() < end {
            packets += usize::from(self.rtp.recv_from(&mut buffer).is_ok());
        }
        packets
    }
}

pub fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// The first header of that name.
pub fn header<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    headers(message, name).next()
}

fn headers<'a>(message: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().skip(1).filter_map(move |line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The URI of the Contact header.
pub fn contact_of(message: &str) -> Option<String> {
    let contact = header(message, "Contact")?;
    let uri = contact.split_once('<').map_or(contact, |(_, rest)| rest.split('>').next().unwrap_or(rest));
    Some(uri.to_owned())
}

/// The port of the audio line of the SDP.
pub fn media_port(message: &str) -> Option<u16> {
    message.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
}
