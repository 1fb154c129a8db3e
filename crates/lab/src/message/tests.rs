//! Reading and writing messages, framing a stream, and junk.

use super::*;

const REGISTER: &str = "REGISTER sip:example.test SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKa;rport, SIP/2.0/TCP [::1]:99;branch=b\r\n\
    f: \"A, <Lice>\" <sip:alice@example.test>;tag=x1\r\nTo: sip:alice@example.test;q=1\r\ni: abc\r\nCSeq: 7  REGISTER\r\n\
    m: \"a,b\" <sip:alice@10.0.0.1:5070;transport=tcp>;expires=60, <sip:b@c>\r\nSubject: one\r\n\ttwo\r\nl: 3\r\n\r\nabcdef";

#[test]
fn a_request_with_compact_and_folded_headers_is_read() {
    let message = Message::parse(REGISTER.as_bytes()).expect("parses");
    assert_eq!((message.method(), message.subject(), message.cseq()), ("REGISTER", "sip:example.test", Some((7, "REGISTER"))));
    assert_eq!(message.all("Via").count(), 2);
    assert_eq!(
        message.top_via().map(|via| (via.host.clone(), via.port, via.branch().to_owned())),
        Some(("10.0.0.1".into(), Some(5070), "z9hG4bKa".into()))
    );
    assert_eq!(message.from().map(|from| (from.display_name.clone(), from.user())), Some(("A, <Lice>".into(), "alice".into())));
    assert_eq!((message.from_tag().as_deref(), message.to_tag()), (Some("x1"), None));
    assert_eq!(message.contact().and_then(|contact| contact.param("expires").map(str::to_owned)).as_deref(), Some("60"));
    assert!(message.contact().and_then(|contact| Uri::parse(&contact.uri)).is_some_and(|uri| uri.is_tcp()));
    assert_eq!((message.header("subject"), message.body.as_slice()), (Some("one two"), b"abc".as_slice()));
    assert_eq!(Message::parse(&message.to_bytes()).as_ref().map(Message::call_id), Ok("abc"));
}

#[test]
fn a_source_is_noted_in_the_via() {
    let check = |via: &str, wanted: &str| {
        let mut parsed = Via::parse(via).expect("via");
        parsed.set_source("127.0.0.1:4321".parse().expect("addr"));
        assert_eq!(parsed.to_string(), wanted);
    };
    check("SIP/2.0/UDP host:1;rport;branch=x", "SIP/2.0/UDP host:1;rport=4321;branch=x;received=127.0.0.1");
    check("SIP/2.0/TCP [::1];branch=x", "SIP/2.0/TCP [::1];branch=x;received=127.0.0.1");
}

#[test]
fn what_is_not_sip_is_refused() {
    let check = |bytes: &[u8], wanted: MessageError| assert_eq!(Message::parse(bytes), Err(wanted));
    check(b"", MessageError::NoHeaderEnd);
    check(b"INVITE sip:a SIP/2.0\r\nVia: x", MessageError::NoHeaderEnd);
    check(b"GET / HTTP/1.1\r\n\r\n", MessageError::StartLine);
    check(b"SIP/2.0 9999 x\r\n\r\n", MessageError::StartLine);
    check(b"INVITE sip:a SIP/2.0\r\nnonsense\r\n\r\n", MessageError::Header);
    check(b"INVITE sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nabc", MessageError::Truncated);
    check(b"INVITE sip:a SIP/2.0\r\nContent-Length: -5\r\n\r\nabc", MessageError::ContentLength);
}

#[test]
fn a_stream_is_cut_into_messages_whatever_its_pieces() {
    let one = Message::request("OPTIONS", "sip:a").with("Call-ID", "1").with_body("text/plain", "hello").to_bytes();
    let stream: Vec<u8> = [b"\r\n\r\n".as_slice(), &one, b"\r\n", &one, b"\r\n\r\n"].concat();
    for piece in 1..stream.len() {
        let mut framer = Framer::default();
        let (mut messages, mut pings) = (0, 0);
        for bytes in stream.chunks(piece) {
            framer.push(bytes);
            while let Some(framed) = framer.next_framed().expect("framed") {
                match framed {
                    Framed::Message(message) => messages += usize::from(message.body == b"hello"),
                    Framed::Ping => pings += 1,
                }
            }
        }
        assert_eq!((messages, pings), (2, 2), "pieces of {piece}");
    }
}

#[test]
fn mutated_messages_never_panic() {
    let mut seed = 7_u32;
    let mut next = move |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for _ in 0..5_000 {
        let mut bytes = REGISTER.as_bytes().to_vec();
        for _ in 0..1 + next(6) {
            let at = next(bytes.len());
            bytes[at] = b"\0\r\n:;,<>\"@ \xff9["[next(14)];
        }
        bytes.truncate(1 + next(bytes.len()));
        if let Ok(message) = Message::parse(&bytes) {
            let _ = (message.from(), message.to(), message.contact(), message.uri(), message.cseq(), message.top_via());
            let _ = message.reply(400).to_bytes();
        }
    }
}
