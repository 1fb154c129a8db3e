//! Keys in SDP by policy, and which lines of strangers are taken.

use super::*;
use callie_media::rtp::srtp::SrtpKey;

const LONG: &str = "AES_CM_128_HMAC_SHA1_80";
const SHORT: &str = "AES_CM_128_HMAC_SHA1_32";
/// 30 octets of 3.
const THREES: &str = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD";

fn with(srtp: SrtpPolicy) -> LocalMedia {
    LocalMedia { srtp, ..local() }
}

fn offer_of(lines: &[String]) -> Vec<u8> {
    let lines: Vec<&str> = HEAD.into_iter().chain([C]).chain(lines.iter().map(String::as_str)).collect();
    body(&lines)
}

fn stream(proto: &str, keys: &[String]) -> Vec<u8> {
    let keys = keys.iter().map(|line| format!("a=crypto:{line}"));
    offer_of(&[format!("m=audio 4000 {proto} 0")].into_iter().chain(keys).collect::<Vec<_>>())
}

fn good(tag: u32, suite: &str) -> String {
    format!("{tag} {suite} inline:{THREES}")
}

#[test]
fn an_offer_by_policy() {
    assert!(!offer(&with(SrtpPolicy::Off)).contains("crypto"));
    for (policy, proto) in [(SrtpPolicy::Optional, "RTP/AVP"), (SrtpPolicy::Required, "RTP/SAVP")] {
        let text = offer(&with(policy));
        assert!(text.contains(&format!("m=audio 10000 {proto} 0 8 101\r\n")), "{text}");
        let keys: Vec<&str> = text.lines().filter(|line| line.starts_with("a=crypto")).collect();
        assert_eq!(
            keys,
            [
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
                "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC",
            ]
        );
    }
}

/// What becomes of an offer: `plain`, a suite with our tag, or the fault.
fn outcome(offer: &[u8], policy: SrtpPolicy) -> String {
    match negotiate(offer, &with(policy)) {
        Err(error) => format!("{error:?} {}", error.status_code()),
        Ok(negotiated) => {
            let line = negotiated.answer.lines().find_map(|line| line.strip_prefix("a=crypto:"));
            assert_eq!(line.is_some(), negotiated.media.srtp.is_some());
            match (line, negotiated.media.srtp) {
                (Some(line), Some(srtp)) => {
                    assert_eq!(srtp.receive, SrtpKey::new([3; 30]), "theirs");
                    assert_eq!(srtp.send, *local().keys.of(srtp.suite), "ours");
                    let (tag, rest) = line.split_once(' ').expect("a tag");
                    assert!(rest.starts_with(srtp.suite.name()));
                    format!("{tag} {}", srtp.suite.name())
                }
                _ => "plain".to_owned(),
            }
        }
    }
}

#[test]
fn an_answer_by_policy() {
    use SrtpPolicy::{Off, Optional, Required};
    let keys = [good(7, SHORT), good(3, LONG)];
    let chosen = format!("3 {LONG}");
    for (proto, keys, policy, want) in [
        ("RTP/AVP", &keys[..0], Off, "plain"),
        ("RTP/AVP", &keys[..0], Optional, "plain"),
        ("RTP/AVP", &keys[..0], Required, "NotEncrypted 488"),
        ("RTP/AVP", &keys[..], Off, "plain"),
        ("RTP/AVP", &keys[..], Optional, &*chosen),
        ("RTP/AVP", &keys[..], Required, &chosen),
        ("RTP/SAVP", &keys[..], Off, "Encrypted 488"),
        ("RTP/SAVP", &keys[..], Optional, &chosen),
        ("RTP/SAVP", &keys[..], Required, &chosen),
        ("RTP/SAVPF", &keys[..], Required, &chosen),
        ("RTP/SAVP", &keys[..1], Optional, "7 AES_CM_128_HMAC_SHA1_32"),
        ("RTP/SAVP", &keys[..0], Optional, "NoUsableKey 488"),
        ("UDP/TLS/RTP/SAVPF", &keys[..], Optional, "NoCommonCodec 488"),
    ] {
        assert_eq!(outcome(&stream(proto, keys), policy), want, "{proto} {keys:?} {policy:?}");
    }
}

#[test]
fn of_two_streams_the_encrypted_one_is_taken() {
    let plain = ["m=audio 4000 RTP/AVP 0".to_owned()];
    let secure = ["m=audio 4002 RTP/SAVP 0".to_owned(), format!("a=crypto:{}", good(1, LONG))];
    for streams in [[&plain[..], &secure].concat(), [&secure[..], &plain].concat()] {
        for (policy, port) in [(SrtpPolicy::Off, 4000), (SrtpPolicy::Optional, 4002), (SrtpPolicy::Required, 4002)] {
            let negotiated = negotiate(&offer_of(&streams), &with(policy)).expect("usable");
            assert_eq!(negotiated.media.remote.port(), port, "{streams:?} {policy:?}");
            assert_eq!(negotiated.answer.matches("m=audio 0 ").count(), 1, "the other is rejected in its place");
        }
    }
}

#[test]
fn lines_that_are_not_for_us_are_passed_over() {
    let inline = |key: &str| format!("1 {LONG} inline:{key}");
    for (line, taken) in [
        (good(1, LONG), true),
        (good(999_999_999, SHORT), true),
        (format!("1 {LONG}  inline:{THREES}|2^31"), true),
        (format!("1 {LONG} inline:{THREES}|1048576"), true),
        (format!("1 aes_cm_128_hmac_sha1_80 INLINE:{THREES}"), true),
        (format!("{} WSH=64 -EXTENSION KDR=0", good(1, LONG)), true),
        // A master key identifier, with a lifetime and without.
        (format!("1 {LONG} inline:{THREES}|2^20|1:4"), false),
        (format!("1 {LONG} inline:{THREES}|1:4"), false),
        (format!("1 {LONG} inline:{THREES};inline:{THREES}"), false),
        (format!("{} UNENCRYPTED_SRTP", good(1, LONG)), false),
        (format!("{} UNENCRYPTED_SRTCP", good(1, LONG)), false),
        (format!("{} UNAUTHENTICATED_SRTP", good(1, LONG)), false),
        (format!("{} KDR=1", good(1, LONG)), false),
        (format!("{} FEC_ORDER=SRTP_FEC", good(1, LONG)), false),
        (good(1, "AES_256_CM_HMAC_SHA1_80"), false),
        (good(1, "F8_128_HMAC_SHA1_80"), false),
        (format!("1234567890 {LONG} inline:{THREES}"), false),
        (format!("-1 {LONG} inline:{THREES}"), false),
        (format!("x {LONG} inline:{THREES}"), false),
        (format!("1 {LONG}"), false),
        (format!("1 {LONG} {THREES}"), false),
        (format!("1 {LONG} uri:{THREES}"), false),
        (String::new(), false),
        // 29 and 31 octets, and what is no base64.
        (inline("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="), false),
        (inline("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw=="), false),
        (inline("!wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD"), false),
        (inline(""), false),
        (format!("1 {LONG} inline:{THREES}|"), false),
        (format!("1 {LONG} inline:{THREES}|2^"), false),
    ] {
        let offer = stream("RTP/SAVP", std::slice::from_ref(&line));
        let got = outcome(&offer, SrtpPolicy::Required);
        assert_eq!(got != "NoUsableKey 488", taken, "{line}: {got}");
        let beside = stream("RTP/SAVP", &[line.clone(), good(5, LONG)]);
        assert!(negotiate(&beside, &with(SrtpPolicy::Required)).is_ok(), "another line is there: {line}");
    }
}

#[test]
fn an_answer_must_name_a_line_of_ours() {
    use SrtpPolicy::{Off, Optional, Required};
    for (proto, keys, policy, want) in [
        ("RTP/AVP", vec![good(1, LONG)], Optional, Ok(Some(SrtpSuite::AesCm128HmacSha1_80))),
        ("RTP/SAVP", vec![good(2, SHORT)], Required, Ok(Some(SrtpSuite::AesCm128HmacSha1_32))),
        ("RTP/AVP", vec![good(2, SHORT)], Required, Ok(Some(SrtpSuite::AesCm128HmacSha1_32))),
        ("RTP/AVP", vec![], Optional, Ok(None)),
        ("RTP/AVP", vec![], Required, Err(SdpError::NotEncrypted)),
        ("RTP/SAVP", vec![], Required, Err(SdpError::NoUsableKey)),
        ("RTP/SAVP", vec![good(2, LONG)], Required, Err(SdpError::NoUsableKey)),
        ("RTP/SAVP", vec![good(3, LONG)], Required, Err(SdpError::NoUsableKey)),
        ("RTP/SAVP", vec![good(1, LONG)], Off, Err(SdpError::Encrypted)),
    ] {
        let got = read_answer(&stream(proto, &keys), &with(policy)).map(|media| media.srtp_suite());
        assert_eq!(got, want, "{proto} {keys:?} {policy:?}");
    }
}

#[test]
fn both_sides_have_each_others_keys() {
    let ours = with(SrtpPolicy::Required);
    let theirs = LocalMedia { keys: OurKeys::new([[5; 30], [6; 30]]), ..with(SrtpPolicy::Optional) };
    let negotiated = negotiate(offer(&ours).as_bytes(), &theirs).expect("usable");
    let answered = read_answer(negotiated.answer.as_bytes(), &ours).expect("usable");
    let (here, there) = (answered.srtp.expect("encrypted"), negotiated.media.srtp.expect("encrypted"));
    assert_eq!((&here.send, &here.receive, here.suite), (&there.receive, &there.send, there.suite));
    assert_ne!(here.send, here.receive);
}

#[test]
fn keys_are_not_printed() {
    let negotiated = negotiate(&stream("RTP/SAVP", &[good(1, LONG)]), &with(SrtpPolicy::Required)).expect("usable");
    let printed = format!("{negotiated:?} {:?}", with(SrtpPolicy::Required));
    for key in [THREES, "AQEBAQ", "3, 3, 3", "1, 1, 1"] {
        assert!(!printed.contains(key), "{printed}");
    }
}
