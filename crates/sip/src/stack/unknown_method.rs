//! A 501 for requests whose method nobody knows (RFC 3261 §8.2.1). The stack's parser drops such requests without a
//! word, so they are answered here, statelessly, out of their own text. Not a parser: what is odd in any other way is
//! left to the stack.

use std::net::SocketAddr;

const KNOWN: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

/// The response to send to `source`, when the datagram is a request with a method out of no list.
pub(super) fn refusal(datagram: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
    let line_end = datagram.iter().position(|b| *b == b'\r')?;
    let start = std::str::from_utf8(datagram.get(..line_end)?).ok()?;
    let method = start.strip_suffix(" SIP/2.0")?.split(' ').next()?;
    if method.starts_with("SIP/") || KNOWN.iter().any(|known| known.eq_ignore_ascii_case(method)) || !is_token(method) {
        return None;
    }
    let text = std::str::from_utf8(datagram).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut response = String::from("SIP/2.0 501 Not Implemented\r\n");
    let (mut vias, mut copied) = (0, 0);
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "via" | "v" => {
                vias += 1;
                let seen = if vias == 1 { format!(";received={};rport={}", source.ip(), source.port()) } else { String::new() };
                response.push_str(&format!("Via: {}{seen}\r\n", value.trim().replace(";rport", "")));
            }
            "from" | "f" | "call-id" | "i" | "cseq" => {
                copied += 1;
                response.push_str(line);
                response.push_str("\r\n");
            }
            "to" | "t" => {
                copied += 1;
                let tag = if value.contains(";tag=") { "" } else { ";tag=none" };
                response.push_str(&format!("{line}{tag}\r\n"));
            }
            _ => {}
        }
    }
    if vias == 0 || copied != 4 {
        return None;
    }
    response.push_str(&format!("Allow: {}\r\nContent-Length: 0\r\n\r\n", super::Method::ALLOW));
    Some(response.into_bytes())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_requests_with_unknown_methods_are_refused() {
        let source = "192.0.2.1:5060".parse().expect("address");
        let fields = "Via: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n";
        for (start, refused) in [
            ("PING sip:a@b SIP/2.0", true),
            ("!odd%method sip:a@b SIP/2.0", true),
            ("INVITE sip:a@b SIP/2.0", false),
            ("invite sip:a@b SIP/2.0", false),
            ("SIP/2.0 200 OK", false),
            ("PING sip:a@b SIP/7.0", false),
        ] {
            let whole = format!("{start}\r\n{fields}CSeq: 1 PING\r\n\r\n");
            assert_eq!(refusal(whole.as_bytes(), source).is_some(), refused, "{start}");
            let partial = format!("{start}\r\n{fields}\r\n");
            assert!(refusal(partial.as_bytes(), source).is_none(), "{start}: CSeq is missing");
        }
    }
}
