//! Offers and answers as tables and snapshots, then everything that a stranger may send.

mod crypto;
mod format;
mod session;

use super::*;
use proptest::prelude::*;

fn local() -> LocalMedia {
    LocalMedia {
        address: "192.0.2.1".parse().expect("address"),
        port: 10_000,
        session_id: 42,
        version: 7,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        either_law: true,
        srtp: SrtpPolicy::Off,
        keys: OurKeys::new([[1; 30], [2; 30]]),
        direction: Direction::SendRecv,
    }
}

/// The lines with the ends of line that SDP wants.
fn body(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect()
}

/// For snapshots: every line must end in CRLF.
fn shown(description: &str) -> String {
    assert_eq!(description.matches('\n').count(), description.matches("\r\n").count());
    assert!(description.ends_with("\r\n"));
    description.replace("\r\n", "\n")
}

fn summary(media: &MediaParams) -> String {
    let MediaParams { codec, payload_type, dtmf_payload_type, remote, direction, ptime_ms, .. } = media;
    let dtmf = dtmf_payload_type.map_or("no dtmf".to_owned(), |pt| format!("dtmf {pt}"));
    format!("{} as {payload_type}, {dtmf}, {remote} {} {ptime_ms} ms", codec.name(), direction.as_str())
}

#[test]
fn our_offer() {
    insta::assert_snapshot!(shown(&offer(&local())), @"
    v=0
    o=- 42 7 IN IP4 192.0.2.1
    s=-
    c=IN IP4 192.0.2.1
    t=0 0
    m=audio 10000 RTP/AVP 0 8 101
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=rtcp-mux
    a=ptime:20
    a=sendrecv
    ");
    let v6 = LocalMedia { address: "2001:db8::1".parse().expect("address"), codecs: vec![Codec::Pcma], ..local() };
    insta::assert_snapshot!(shown(&offer(&v6)), @"
    v=0
    o=- 42 7 IN IP6 2001:db8::1
    s=-
    c=IN IP6 2001:db8::1
    t=0 0
    m=audio 10000 RTP/AVP 8 101
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=rtcp-mux
    a=ptime:20
    a=sendrecv
    ");
}

/// RFC 3264 §10.1, with addresses in place of its host names.
#[test]
fn answer_to_the_basic_exchange_of_the_rfc() {
    let offer = body(&[
        "v=0",
        "o=alice 2890844526 2890844526 IN IP4 198.51.100.1",
        "s=",
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "m=audio 49170 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        "m=video 51372 RTP/AVP 31",
        "a=rtpmap:31 H261/90000",
        "m=video 53000 RTP/AVP 32",
        "a=rtpmap:32 MPV/90000",
    ]);
    let negotiated = negotiate(&offer, &local()).expect("usable");
    insta::assert_snapshot!(shown(&negotiated.answer), @"
    v=0
    o=- 42 7 IN IP4 192.0.2.1
    s=-
    c=IN IP4 192.0.2.1
    t=0 0
    m=audio 10000 RTP/AVP 0
    a=rtpmap:0 PCMU/8000
    a=ptime:20
    a=sendrecv
    m=video 0 RTP/AVP 31
    m=video 0 RTP/AVP 32
    ");
    assert_eq!(summary(&negotiated.media), "PCMU as 0, no dtmf, 198.51.100.1:49170 sendrecv 20 ms");
}

#[test]
fn answer_to_a_desk_phone() {
    let offer = body(&[
        "v=0",
        "o=- 20518 20518 IN IP4 203.0.113.1",
        "s=SDP data",
        "t=0 0",
        "m=video 5000 RTP/AVP 99",
        "m=audio 11784 RTP/SAVP 8",
        "c=IN IP4 203.0.113.1",
        "m=audio 11786 RTP/AVP 9 8 0 18 96",
        "c=IN IP4 203.0.113.2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:30",
        "a=sendonly",
        "m=audio 11788 RTP/AVP 0",
    ]);
    let negotiated = negotiate(&offer, &local()).expect("usable");
    insta::assert_snapshot!(shown(&negotiated.answer), @"
    v=0
    o=- 42 7 IN IP4 192.0.2.1
    s=-
    c=IN IP4 192.0.2.1
    t=0 0
    m=video 0 RTP/AVP 99
    m=audio 0 RTP/SAVP 8
    m=audio 10000 RTP/AVP 8 96
    a=rtpmap:8 PCMA/8000
    a=rtpmap:96 telephone-event/8000
    a=fmtp:96 0-15
    a=ptime:20
    a=recvonly
    m=audio 0 RTP/AVP 0
    ");
    assert_eq!(summary(&negotiated.media), "PCMA as 8, dtmf 96, 203.0.113.2:11786 recvonly 30 ms");
}

const HEAD: [&str; 3] = ["v=0", "o=- 1 1 IN IP4 198.51.100.1", "s=-"];

/// `lines` follow [`HEAD`]. What is negotiated is the same as when it comes as an answer to our offer.
#[track_caller]
fn check(lines: &[&str], want: Result<&str, SdpError>) {
    let body = body(&[&HEAD, lines].concat());
    let got = negotiate(&body, &local()).map(|n| summary(&n.media));
    assert_eq!(got, want.map(str::to_owned), "{lines:?}");
    assert_eq!(read_answer(&body, &local()).map(|media| summary(&media)), got, "as answer: {lines:?}");
}

const C: &str = "c=IN IP4 198.51.100.1";

#[test]
fn codecs() {
    let ok = |codec: &str, lines: &[&str]| {
        let want = format!("{codec}, 198.51.100.1:4000 sendrecv 20 ms");
        check(&[&[C], lines].concat(), Ok(&want));
    };
    let none = |lines: &[&str]| check(&[&[C], lines].concat(), Err(SdpError::NoCommonCodec));
    ok("PCMU as 0, no dtmf", &["m=audio 4000 RTP/AVP 0"]);
    ok("PCMA as 8, no dtmf", &["m=audio 4000 RTP/AVP 18 8 0"]);
    ok("PCMU as 0, no dtmf", &["m=audio 4000 RTP/AVPF 0"]);
    ok("PCMU as 0, no dtmf", &["m=AUDIO 4000 rtp/avp 0", "a=rtpmap:0 pcmu/8000/1"]);
    ok("PCMA as 97, no dtmf", &["m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 G722/8000", "a=rtpmap:97 PCMA/8000"]);
    ok("PCMU as 0, dtmf 127", &["m=audio 4000 RTP/AVP 0 127", "a=rtpmap:127 Telephone-Event/8000"]);
    ok("PCMA as 8, no dtmf", &["m=audio 4000 RTP/AVP 0 8", "a=rtpmap:0 PCMU/16000"]);
    ok("PCMU as 0, no dtmf", &["m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/16000"]);
    ok("PCMU as 0, no dtmf", &["m=audio 4000 RTP/AVP 0", "a=rtpmap:101 telephone-event/8000"]);
    none(&["m=audio 4000 RTP/AVP 9 18"]);
    none(&["m=audio 4000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000/2"]);
    none(&["m=audio 4000 RTP/AVP 256 -1 x 96"]);
    check(&[C, "m=audio 4000 RTP/SAVP 0 8"], Err(SdpError::Encrypted));
    check(&[C, "m=audio 4000 RTP/SAVPF 0 8"], Err(SdpError::Encrypted));
    none(&["m=audio 4000 UDP/TLS/RTP/SAVPF 0 8"]);
    none(&["m=audio 4000 udp 0"]);
}

#[test]
fn one_of_several_codecs_of_the_rfc() {
    let lines = ["c=IN IP4 198.51.100.1", "t=0 0", "m=audio 62986 RTP/AVP 0 4 18", "a=rtpmap:0 PCMU/8000", "a=inactive"];
    check(&lines, Ok("PCMU as 0, no dtmf, 198.51.100.1:62986 inactive 20 ms"));
}

#[test]
fn directions() {
    for (session, media, address, want) in [
        ("", "", "198.51.100.1", "sendrecv"),
        ("", "a=sendonly", "198.51.100.1", "recvonly"),
        ("", "a=recvonly", "198.51.100.1", "sendonly"),
        ("", "a=inactive", "198.51.100.1", "inactive"),
        ("a=sendonly", "", "198.51.100.1", "recvonly"),
        ("a=sendonly", "a=sendrecv", "198.51.100.1", "sendrecv"),
        ("", "", "0.0.0.0", "recvonly"),
        ("", "a=sendonly", "0.0.0.0", "recvonly"),
        ("", "a=recvonly", "0.0.0.0", "inactive"),
        ("", "a=inactive", "0.0.0.0", "inactive"),
    ] {
        let connection = format!("c=IN IP4 {address}");
        let want = format!("PCMU as 0, no dtmf, {address}:4000 {want} 20 ms");
        check(&[&connection, session, "m=audio 4000 RTP/AVP 0", media], Ok(&want));
    }
}

#[test]
fn addresses() {
    let ok = |session: &str, media: &str, want: &str| {
        let want = format!("PCMU as 0, no dtmf, {want} sendrecv 20 ms");
        check(&[session, "m=audio 4000 RTP/AVP 0", media], Ok(&want));
    };
    let bad = |connection: &str, fault: SdpError| check(&["m=audio 4000 RTP/AVP 0", connection], Err(fault));
    ok(C, "", "198.51.100.1:4000");
    ok("", C, "198.51.100.1:4000");
    ok("c=IN IP4 192.0.2.99", C, "198.51.100.1:4000");
    ok("c=IN IP4 phone.example.com", C, "198.51.100.1:4000");
    ok("c=IN IP6 ::ffff:198.51.100.1", "", "198.51.100.1:4000");
    bad("", SdpError::Malformed("no connection address".into()));
    bad("c=IN IP4 phone.example.com", SdpError::HostName("phone.example.com".into()));
    bad("c=IN IP4 1.2.3.4.5:6", SdpError::Malformed("connection address".into()));
    bad("c=IN IP4 224.2.1.1/127", SdpError::UnusableAddress("224.2.1.1".into()));
    bad("c=IN IP4 255.255.255.255", SdpError::UnusableAddress("255.255.255.255".into()));
    bad("c=IN IP6 2001:db8::9", SdpError::UnusableAddress("2001:db8::9".into()));
    bad("c=ATM NSAP 198.51.100.1", SdpError::UnusableAddress("198.51.100.1".into()));
    let v6 = LocalMedia { address: "2001:db8::1".parse().expect("address"), ..local() };
    let offer = body(&[&HEAD, &["c=IN IP6 2001:db8::9", "m=audio 4000 RTP/AVP 0"][..]].concat());
    assert_eq!(negotiate(&offer, &v6).map(|n| n.media.remote.to_string()), Ok("[2001:db8::9]:4000".into()));
}

#[test]
fn packet_times() {
    for (line, want) in
        [("a=ptime:30", 30), ("a=ptime: 40", 40), ("a=ptime:0", 20), ("a=ptime:25", 20), ("a=ptime:9999999", 20), ("a=ptime", 20)]
    {
        let want = format!("PCMU as 0, no dtmf, 198.51.100.1:4000 sendrecv {want} ms");
        check(&[C, "m=audio 4000 RTP/AVP 0", line], Ok(&want));
    }
}

#[test]
fn no_audio() {
    check(&[C], Err(SdpError::NoAudio));
    check(&[C, "m=audio 0 RTP/AVP 0"], Err(SdpError::NoAudio));
    check(&[C, "m=video 4000 RTP/AVP 31"], Err(SdpError::NoAudio));
    check(
        &["m=audio 4000 RTP/AVP 0", "c=IN IP4 a.example", "m=audio 4002 RTP/AVP 18"],
        Err(SdpError::HostName("a.example".into())),
    );
}

#[test]
fn lines_that_say_nothing_to_us_may_be_wrong() {
    let lines = ["t=soon", "b=much", "o=again", "i=", "k=x y", "z=1", "r=", "u=\u{1}", "?=1", "", "junk"];
    check(&[&lines[..], &[C, "m=audio 4000 RTP/AVP 0"]].concat(), Ok("PCMU as 0, no dtmf, 198.51.100.1:4000 sendrecv 20 ms"));
    let latin1 = [body(&HEAD), body(&[C, "m=audio 4000 RTP/AVP 0"]), b"a=title:B\xfcro".to_vec()].concat();
    assert!(negotiate(&latin1, &local()).is_ok(), "also without a last end of line");
    let bare = b"v=0\nc=IN IP4 198.51.100.1\nm=audio 4000 RTP/AVP 0";
    assert!(negotiate(bare, &local()).is_ok());
}

#[test]
fn what_cannot_be_read_is_told_from_what_we_do_not_do() {
    let status = |body: &[u8]| negotiate(body, &local()).expect_err("unusable").status_code();
    for malformed in ["", "junk", "v=1\r\n", "v=0\r\nm=audio", "v=0\r\nm=audio x RTP/AVP 0", "v=0\r\nm=audio 70000 RTP/AVP 0"] {
        assert_eq!(status(malformed.as_bytes()), 400, "{malformed:?}");
    }
    assert_eq!(status(&vec![b'v'; 70_000]), 413);
    let many = body(&[&HEAD[..], &["m=audio 4000 RTP/AVP 0"; 33]].concat());
    assert_eq!(status(&many), 400);
    assert_eq!(status(b"v=0\r\nc=IN IP4 198.51.100.1\r\nm=vi\rdeo 1 x 1\r\nm=audio 4000 RTP/AVP 0\r\n"), 400);
    assert_eq!(status(b"v=0\r\nm=audio 4000 RTP/SAVP 0\r\n"), 488);
}

#[test]
fn our_own_descriptions_are_understood() {
    let theirs = LocalMedia { address: "198.51.100.1".parse().expect("address"), port: 4000, ..local() };
    let negotiated = negotiate(offer(&theirs).as_bytes(), &local()).expect("usable");
    assert_eq!(summary(&negotiated.media), "PCMU as 0, dtmf 101, 198.51.100.1:4000 sendrecv 20 ms");
    let answer = read_answer(negotiated.answer.as_bytes(), &theirs).expect("usable");
    assert_eq!(summary(&answer), "PCMU as 0, dtmf 101, 192.0.2.1:10000 sendrecv 20 ms");
}

/// Whatever comes in, an answer is one that we can read ourselves, and as many streams as were offered.
fn never_panics_and_answers_well(offer: &[u8]) {
    for srtp in SrtpPolicy::ALL {
        answers_well(offer, &LocalMedia { codecs: Codec::ALL.to_vec(), srtp: *srtp, ..local() });
    }
}

fn answers_well(offer: &[u8], local: &LocalMedia) {
    let Ok(negotiated) = negotiate(offer, local) else { return };
    let media = &negotiated.media;
    let held = media.remote.ip().is_unspecified();
    // Whoever offers has written keys of his own under the tag that he reads.
    let theirs = LocalMedia { address: media.remote.ip(), ..local.settled(media) };
    let answer = read_answer(negotiated.answer.as_bytes(), &theirs);
    let has_our_tags = media.srtp.is_none() || negotiated.answer.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80");
    assert!(held || !has_our_tags || answer.is_ok(), "{answer:?} to {:?}", String::from_utf8_lossy(offer));
    assert_eq!(negotiated.answer.contains("a=crypto:"), media.srtp.is_some());
    let streams =
        offer.split(|b| *b == b'\n').filter(|line| line.starts_with(b"m=") && std::str::from_utf8(line).is_ok()).count();
    assert_eq!(negotiated.answer.matches("\r\nm=").count(), streams);
    let again = reoffer(&local.settled(media), media);
    assert_eq!(again.matches("\r\nm=").count(), streams, "an offer of ours within the call keeps the streams");
}

/// The bodies of the test messages of RFC 4475 and RFC 5118.
fn torture_bodies() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/torture");
    let files = std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path());
    let body_of = |message: Vec<u8>| {
        let at = message.windows(4).position(|w| w == b"v=0\r" || w == b"v=0\n")?;
        Some(message[at..].to_vec())
    };
    files.filter_map(|path| body_of(std::fs::read(path).expect("file"))).collect()
}

#[test]
fn torture_bodies_and_a_thousand_mutations_of_them() {
    let bodies = torture_bodies();
    assert!(bodies.len() >= 20, "{} bodies", bodies.len());
    let mut random = 1u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below.max(1)
    };
    for body in &bodies {
        never_panics_and_answers_well(body);
    }
    for round in 0..1000 {
        let mut body = bodies[round % bodies.len()].clone();
        for _ in 0..=next(6) {
            let at = next(body.len());
            match next(5) {
                0 => body[at] = next(256) as u8,
                1 => body.insert(at, b" :/=\r\n0\0\xff"[next(9)]),
                2 => drop(body.drain(at..(at + next(20)).min(body.len()))),
                3 => body.truncate(at.max(1)),
                _ => {
                    let piece = body[at..(at + next(60)).min(body.len())].to_vec();
                    body.splice(at..at, piece);
                }
            }
            if body.is_empty() {
                body.push(b'v');
            }
        }
        never_panics_and_answers_well(&body);
    }
}

proptest! {
    #[test]
    fn junk_never_panics(junk in prop::collection::vec(any::<u8>(), 0..2000)) {
        never_panics_and_answers_well(&junk);
    }

    #[test]
    fn attributes_of_junk_never_panic(
        lines in prop::collection::vec("a=(crypto|rtpmap|fmtp|rtcp|ptime|maxptime):[ -~]{0,60}", 0..20),
        formats in "[ 0-9]{0,30}",
    ) {
        let stream = format!("m=audio 4000 RTP/SAVP {formats}");
        let lines: Vec<&str> = ["v=0", C, &stream].into_iter().chain(lines.iter().map(String::as_str)).collect();
        never_panics_and_answers_well(&body(&lines));
    }

    #[test]
    fn lines_of_junk_never_panic(lines in prop::collection::vec("[vocbmaitrzk]=[ -~]{0,40}", 0..30)) {
        never_panics_and_answers_well(&[body(&["v=0", C]), body(&lines.iter().map(String::as_str).collect::<Vec<_>>())].concat());
    }

    #[test]
    fn plausible_offers_are_answered(
        port in 1u16.., number in 0u8..=127, event in proptest::option::of(96u8..=127), law in any::<bool>(),
    ) {
        prop_assume!(event != Some(number));
        let name = if law { "PCMU" } else { "PCMA" };
        let formats = event.map_or(number.to_string(), |event| format!("{number} {event}"));
        let mut lines = vec![C.to_owned(), format!("m=audio {port} RTP/AVP {formats}"), format!("a=rtpmap:{number} {name}/8000")];
        lines.extend(event.map(|event| format!("a=rtpmap:{event} telephone-event/8000")));
        let lines: Vec<&str> = HEAD.into_iter().chain(lines.iter().map(String::as_str)).collect();
        let media = negotiate(&body(&lines), &local()).expect("usable").media;
        prop_assert_eq!((media.payload_type, media.dtmf_payload_type, media.remote.port()), (number, event, port));
    }
}
