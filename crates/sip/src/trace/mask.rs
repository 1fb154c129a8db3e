//! Which parts of a SIP message are secret: digest responses, SRTP keys, passwords in URIs. Everything else stays as it is.
//!
//! The rules look at the text and not at the place: what a peer quotes of our messages (a `message/sipfrag`, a warning) is
//! masked like the original. A secret is overwritten, so that the message keeps its length and its Content-Length.

/// Parameters whose value is made from the password (RFC 7616 §3.4, §3.5).
const DIGESTS: [&str; 2] = ["response", "rspauth"];
/// Schemes whose fields have secrets in known parameters only.
const DIGEST_SCHEME: &str = "digest";

/// The message with asterisks in the place of its secrets.
pub(super) fn masked(message: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(message).into_owned();
    let mut spans: Vec<(usize, usize)> = Vec::new();
    digests(&text, &mut spans);
    passwords(&text, &mut spans);
    lines(&text, &mut spans);
    for (from, to) in spans {
        if let Some(len) = text.get(from..to).map(str::len) {
            text.replace_range(from..to, &"*".repeat(len));
        }
    }
    text
}

/// The values of `response=` and `rspauth=`, quoted or not, wherever they stand.
fn digests(text: &str, spans: &mut Vec<(usize, usize)>) {
    for (at, _) in text.match_indices('=') {
        let name = text.get(..at).unwrap_or_default().trim_end();
        if !DIGESTS.iter().any(|digest| ends(name, digest)) {
            continue;
        }
        let value = text.get(at + 1..).unwrap_or_default();
        let value = value.trim_start().trim_start_matches('"');
        let from = text.len() - value.len();
        spans.push((from, from + until(value, &['"', ',', ';', '\r', '\n'])));
    }
}

/// The password of `sip:user:password@host`.
fn passwords(text: &str, spans: &mut Vec<(usize, usize)>) {
    for (host_at, _) in text.match_indices('@') {
        let before = text.get(..host_at).unwrap_or_default();
        let from = before.rfind(['>', '<', '"', ' ', '\t', '\r', '\n', '@']).map_or(0, |at| at + 1);
        let uri = before.get(from..).unwrap_or_default();
        let Some(scheme) = ["sip:", "sips:"].iter().filter_map(|scheme| find(uri, scheme)).max() else { continue };
        let user = uri.get(scheme..).unwrap_or_default();
        if let Some(colon) = user.find(':') {
            spans.push((from + scheme + colon + 1, host_at));
        }
    }
}

/// Lines that are secret by their name: credentials of other schemes than Digest, keys of SDP (RFC 4568, RFC 4567, RFC 8866 §5.12).
fn lines(text: &str, spans: &mut Vec<(usize, usize)>) {
    let mut at = 0;
    let mut in_credentials = false;
    for line in text.split_inclusive('\n') {
        let (from, bare) = (at, line.trim_end_matches(['\r', '\n']));
        at += line.len();
        let end = from + bare.len();
        let continues = bare.starts_with([' ', '\t']);
        if continues && in_credentials {
            spans.push((from + (bare.len() - bare.trim_start().len()), end));
            continue;
        }
        in_credentials = false;
        // Most lines are none of these.
        if !matches!(bare.as_bytes().first(), Some(b'a' | b'A' | b'p' | b'P' | b'k' | b'K')) {
            continue;
        }
        if let Some(value) = credentials(bare) {
            let first = value.split_whitespace().next().unwrap_or_default();
            if !first.eq_ignore_ascii_case(DIGEST_SCHEME) {
                spans.push((end - value.len() + first.len(), end));
                in_credentials = true;
            }
        } else if let Some(key) = sdp_key(bare) {
            spans.push((end - key.len(), end));
        } else if starts(bare, "a=crypto:") {
            inline_keys(bare, from, spans);
        }
    }
}

/// The value of Authorization or Proxy-Authorization.
fn credentials(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    (name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("proxy-authorization")).then(|| value.trim_start())
}

fn sdp_key(line: &str) -> Option<&str> {
    ["k=", "a=key-mgmt:"].iter().find(|start| starts(line, start)).and_then(|start| line.get(start.len()..))
}

/// Every `inline:` key of a crypto line, up to its lifetime.
fn inline_keys(line: &str, from: usize, spans: &mut Vec<(usize, usize)>) {
    let mut at = 0;
    while let Some(found) = line.get(at..).and_then(|rest| find(rest, "inline:")) {
        let start = at + found;
        let end = start + until(line.get(start..).unwrap_or_default(), &['|', ';', ' ', '\t']);
        spans.push((from + start, from + end));
        at = end;
    }
}

fn starts(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|given| given.eq_ignore_ascii_case(start))
}

fn ends(text: &str, end: &str) -> bool {
    let from = text.len().checked_sub(end.len());
    from.and_then(|from| text.get(from..)).is_some_and(|given| given.eq_ignore_ascii_case(end))
}

/// Behind the first `word`, in whatever letters.
fn find(text: &str, word: &str) -> Option<usize> {
    let at = text.as_bytes().windows(word.len()).position(|at| at.eq_ignore_ascii_case(word.as_bytes()))?;
    Some(at + word.len())
}

/// How far the text goes before one of these.
fn until(text: &str, ends: &[char]) -> usize {
    text.find(ends).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_are_masked_and_nothing_else() {
        for (message, kept) in [
            (
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"0123456789abcdef\", cnonce=\"c\", qop=auth\r\n",
                "Authorization: Digest username=\"a\", nonce=\"n\", response=\"****************\", cnonce=\"c\", qop=auth\r\n",
            ),
            ("PROXY-AUTHORIZATION : digest RESPONSE = abc,nc=1\r\n", "PROXY-AUTHORIZATION : digest RESPONSE = ***,nc=1\r\n"),
            (
                "Authorization: Digest a=1,\r\n response=\"abc\"\r\nX: y\r\n",
                "Authorization: Digest a=1,\r\n response=\"***\"\r\nX: y\r\n",
            ),
            ("Authorization: Basic dTpw\r\n more\r\nX: y\r\n", "Authorization: Basic*****\r\n ****\r\nX: y\r\n"),
            ("Authentication-Info: rspauth=\"aa\", nc=1\r\n", "Authentication-Info: rspauth=\"**\", nc=1\r\n"),
            (
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19z|2^20|1:32;inline:QUJD\r\n",
                "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:********|2^20|1:32;inline:****\r\n",
            ),
            ("k=base64:abc\r\na=key-mgmt:mikey AAA\r\n", "k=**********\r\na=key-mgmt:*********\r\n"),
            ("From: <sip:bob:pw@h>;tag=1\r\n", "From: <sip:bob:**@h>;tag=1\r\n"),
            ("To: SIPS:bob:p:w@h:5061;x=1\r\n", "To: SIPS:bob:***@h:5061;x=1\r\n"),
            ("Contact: <sip:bob@h:5060>\r\nCall-ID: a:b@c\r\n", "Contact: <sip:bob@h:5060>\r\nCall-ID: a:b@c\r\n"),
            ("a=rtpmap:0 PCMU/8000\r\nX-Key: k=1\r\n", "a=rtpmap:0 PCMU/8000\r\nX-Key: k=1\r\n"),
        ] {
            assert_eq!(masked(message.as_bytes()), kept);
            assert_eq!(kept.len(), message.len(), "{message}");
        }
    }

    const CANARY: &str = "CaNaRy";

    /// A message of many odd lines, one of which holds the canary where a secret stands.
    fn with_a_secret() -> impl Strategy<Value = String> {
        let noise = "[ -~]{0,40}";
        let secret = prop_oneof![
            Just(format!("Authorization: Digest username=\"u\", response=\"{CANARY}\"")),
            Just(format!("proxy-authorization:Digest a=b,Response= {CANARY} , c=d")),
            Just(format!("Authorization: Bearer {CANARY}")),
            Just(format!("Authorization: Digest u=x,\r\n\tresponse=\"{CANARY}\"")),
            Just(format!("a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{CANARY}|2^20")),
            Just(format!("A=CRYPTO:2 X inline:{CANARY}")),
            Just(format!("To: \"x\" <sips:user:{CANARY}@host>")),
            Just(format!("m: sip:u:{CANARY}@h")),
            Just(format!("k=clear:{CANARY}")),
        ];
        let lines = (prop::collection::vec(noise, 0..6), secret, prop::collection::vec("[ -~é€]{0,40}", 0..6));
        (lines, prop_oneof![Just("\r\n"), Just("\n")]).prop_map(|((before, secret, after), end)| {
            let all: Vec<String> = before.into_iter().chain([secret]).chain(after).collect();
            all.join(end)
        })
    }

    proptest! {
        #[test]
        fn no_secret_is_ever_kept(message in with_a_secret()) {
            let kept = masked(message.as_bytes());
            prop_assert!(!kept.contains(CANARY), "{}", kept);
            prop_assert_eq!(kept.len(), message.len());
        }

        #[test]
        fn any_bytes_can_be_masked(message in prop::collection::vec(any::<u8>(), 0..400)) {
            masked(&message);
        }
    }
}
