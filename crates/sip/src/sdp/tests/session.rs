//! A call's descriptions after its first: refreshes, hold both ways, other addresses.

use super::*;

const VIDEO: &str = "m=video 5000 RTP/AVP 99";

fn theirs(lines: &[&str]) -> Vec<u8> {
    body(&[&HEAD[..], &[C], lines].concat())
}

/// A call that is up: its codec is Opus as 96.
fn call(srtp: SrtpPolicy) -> (LocalMedia, Negotiated) {
    let local = LocalMedia { codecs: vec![Codec::Opus, Codec::Pcmu], srtp, ..local() };
    let key = "a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD";
    let stream = ["m=audio 4000 RTP/AVP 96 0 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000", key];
    let offer = theirs(&[&[VIDEO], &stream[..], &["m=application 9 x y"]].concat());
    let negotiated = negotiate(&offer, &local).expect("usable");
    (local, negotiated)
}

#[test]
fn our_offer_within_a_call_repeats_what_was_agreed() {
    let (local, negotiated) = call(SrtpPolicy::Optional);
    let local = LocalMedia { version: 8, direction: Direction::SendOnly, address: "192.0.2.9".parse().expect("valid"), ..local };
    insta::assert_snapshot!(shown(&reoffer(&local, &negotiated.media)), @"
    v=0
    o=- 42 8 IN IP4 192.0.2.9
    s=-
    c=IN IP4 192.0.2.9
    t=0 0
    m=video 0 RTP/AVP 99
    m=audio 10000 RTP/AVP 96 97
    a=rtpmap:96 opus/48000/2
    a=fmtp:96 maxplaybackrate=16000;stereo=0;useinbandfec=1
    a=rtpmap:97 telephone-event/48000
    a=fmtp:97 0-15
    a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC
    a=ptime:20
    a=sendonly
    m=application 0 x y
    ");
}

#[test]
fn the_answer_to_our_hold_is_read() {
    let (local, negotiated) = call(SrtpPolicy::Optional);
    let local = LocalMedia { direction: Direction::SendOnly, ..local };
    let answer = |suite: &str| {
        let key = format!("a=crypto:1 {suite} inline:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE");
        let stream = ["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", &key, "a=recvonly"];
        theirs(&[&["m=video 0 RTP/AVP 99"], &stream[..]].concat())
    };
    let read = |answer: &[u8]| read_reanswer(answer, &local, &negotiated.media);
    let media = read(&answer("AES_CM_128_HMAC_SHA1_32")).expect("usable");
    assert_eq!((media.direction, media.allowed), (Direction::SendOnly, Direction::SendOnly));
    assert!(media.is_held() && media.srtp.is_some());
    assert_eq!(read(&answer("AES_CM_128_HMAC_SHA1_80")), Err(SdpError::NoUsableKey), "we offered the other suite alone");
    let plain = theirs(&["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2"]);
    assert_eq!(read(&plain), Err(SdpError::NotEncrypted), "nobody goes back to plain");
}

#[test]
fn offers_within_a_call_keep_its_codec_and_its_encryption() {
    let opus = ["a=rtpmap:96 opus/48000/2"];
    let key = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD"];
    for (srtp, lines, want) in [
        (SrtpPolicy::Off, [&["m=audio 4000 RTP/AVP 0 96"][..], &opus].concat(), Ok(Codec::Opus)),
        (SrtpPolicy::Off, vec!["m=audio 4000 RTP/AVP 0"], Err(SdpError::NoCommonCodec)),
        (SrtpPolicy::Off, [&["m=audio 4000 RTP/SAVP 96"][..], &opus, &key].concat(), Err(SdpError::Encrypted)),
        (SrtpPolicy::Optional, [&["m=audio 4000 RTP/AVP 96"][..], &opus].concat(), Err(SdpError::NotEncrypted)),
        (SrtpPolicy::Optional, [&["m=audio 4000 RTP/SAVP 96"][..], &opus, &key].concat(), Ok(Codec::Opus)),
    ] {
        let (local, negotiated) = call(srtp);
        let got = negotiate(&theirs(&lines), &local.settled(&negotiated.media));
        assert_eq!(got.map(|negotiated| negotiated.media.codec), want, "{srtp:?} {lines:?}");
    }
}

#[test]
fn hold_is_answered_by_both_sides_wishes() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (ours, theirs_attribute, want, held) in [
        (SendRecv, "a=sendrecv", SendRecv, false),
        (SendRecv, "a=sendonly", RecvOnly, true),
        (SendRecv, "a=recvonly", SendOnly, true),
        (SendRecv, "a=inactive", Inactive, true),
        (SendOnly, "a=sendrecv", SendOnly, false),
        (SendOnly, "a=sendonly", Inactive, true),
        (SendOnly, "a=recvonly", SendOnly, true),
        (Inactive, "a=sendrecv", Inactive, false),
    ] {
        let local = LocalMedia { direction: ours, ..local() };
        let negotiated = negotiate(&theirs(&["m=audio 4000 RTP/AVP 0", theirs_attribute]), &local).expect("usable");
        let media = negotiated.media;
        assert_eq!((media.direction, media.is_held()), (want, held), "{ours:?} {theirs_attribute}");
        assert!(negotiated.answer.ends_with(&format!("a={}\r\n", want.as_str())), "{}", negotiated.answer);
    }
}

#[test]
fn the_version_grows_with_what_is_said_and_not_otherwise() {
    let (mut local, negotiated) = call(SrtpPolicy::Off);
    let again = theirs(&["m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000"]);
    let held = theirs(&["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000/2", "a=sendonly"]);
    let mut last = negotiated.answer.clone();
    let mut versions = Vec::new();
    for offer in [&again, &again, &held, &held, &again] {
        let write = |local: &LocalMedia| negotiate(offer, local).expect("usable").answer;
        last = renewed(&mut local, &last, write);
        assert!(last.contains(&format!("o=- 42 {} IN", local.version)));
        versions.push(local.version);
    }
    // The first differs from the answer to the INVITE, which had other streams beside ours.
    assert_eq!(versions, [8, 8, 9, 9, 10]);
}
