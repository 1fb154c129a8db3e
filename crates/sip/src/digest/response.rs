//! The arithmetic: a request digest and the header value that carries it.

use super::{Algorithm, Challenge, Credentials, Qop};
use crate::header::scan::quote;
use md5::Md5;
use sha2::Sha256;
use std::fmt::Write as _;

/// What an answer takes in besides the challenge and the credentials.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub cnonce: &'a str,
    /// How many requests have used this nonce, this one included.
    pub nc: u32,
}

/// The value of `Authorization` or `Proxy-Authorization`. `qop`, `nc` and `algorithm` go unquoted (RFC 7616 §3.4).
pub(super) fn header_value(challenge: &Challenge, credentials: Credentials<'_>, answer: Answer<'_>) -> String {
    let mut value = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
        quote(credentials.username),
        quote(&challenge.realm),
        quote(&challenge.nonce),
        quote(answer.uri),
        response(challenge, credentials, answer),
        challenge.algorithm.as_str(),
    );
    if let Some(opaque) = &challenge.opaque {
        let _ = write!(value, ", opaque={}", quote(opaque));
    }
    if challenge.qop == Qop::Auth {
        let _ = write!(value, ", qop=auth, nc={:08x}, cnonce={}", answer.nc, quote(answer.cnonce));
    }
    value
}

/// RFC 7616 §3.4.1; without `qop` the form of RFC 2069.
fn response(challenge: &Challenge, credentials: Credentials<'_>, answer: Answer<'_>) -> String {
    let hash = |parts: &[&str]| hash(challenge.algorithm, parts);
    let Challenge { realm, nonce, .. } = challenge;
    let mut ha1 = hash(&[credentials.username, realm, credentials.password.expose()]);
    if challenge.algorithm.is_session() {
        ha1 = hash(&[&ha1, nonce, answer.cnonce]);
    }
    let ha2 = hash(&[answer.method, answer.uri]);
    match challenge.qop {
        Qop::None => hash(&[&ha1, nonce, &ha2]),
        Qop::Auth => hash(&[&ha1, nonce, &format!("{:08x}", answer.nc), answer.cnonce, "auth", &ha2]),
    }
}

/// Lowercase hex of the hash of the parts joined by colons.
fn hash(algorithm: Algorithm, parts: &[&str]) -> String {
    match algorithm {
        Algorithm::Md5 | Algorithm::Md5Sess => hex(&joined::<Md5>(parts)),
        Algorithm::Sha256 | Algorithm::Sha256Sess => hex(&joined::<Sha256>(parts)),
    }
}

fn joined<H: md5::Digest>(parts: &[&str]) -> md5::digest::Output<H> {
    let mut hasher = H::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            hasher.update(b":");
        }
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Secret;

    fn challenge(realm: &str, nonce: &str, algorithm: Algorithm, qop: Qop) -> Challenge {
        Challenge { realm: realm.into(), nonce: nonce.into(), opaque: None, algorithm, qop, stale: false }
    }

    #[track_caller]
    fn check(challenge: &Challenge, user: &str, password: &str, uri: &str, cnonce: &str, want: &str) {
        let password = Secret::new(password);
        let credentials = Credentials { username: user, password: &password };
        assert_eq!(response(challenge, credentials, Answer { method: "GET", uri, cnonce, nc: 1 }), want);
    }

    /// RFC 7616 §3.9.1.
    #[test]
    fn rfc_7616_vectors() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, want) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = challenge("http-auth@example.org", nonce, algorithm, Qop::Auth);
            check(&challenge, "Mufasa", "Circle of Life", "/dir/index.html", cnonce, want);
        }
    }

    /// RFC 2617 §3.5.
    #[test]
    fn rfc_2617_vector() {
        let challenge = challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", Algorithm::Md5, Qop::Auth);
        let want = "6629fae49393a05397450978507c4ef1";
        check(&challenge, "Mufasa", "Circle Of Life", "/dir/index.html", "0a4f113b", want);
    }

    /// RFC 2069 §2.4, with the response of its erratum 749.
    #[test]
    fn rfc_2069_vector() {
        let challenge = challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", Algorithm::Md5, Qop::None);
        check(&challenge, "Mufasa", "CircleOfLife", "/dir/index.html", "", "1949323746fe6a43ef61f9606e7febea");
    }

    /// The session hash by hand: H(H(user:realm:password):nonce:cnonce).
    #[test]
    fn session_variant_takes_in_both_nonces() {
        let plain = hash(Algorithm::Md5, &["u", "r", "p"]);
        let ha1 = hash(Algorithm::Md5, &[&plain, "n", "c"]);
        let ha2 = hash(Algorithm::Md5, &["GET", "sip:r"]);
        let want = hash(Algorithm::Md5, &[&ha1, "n", "00000001", "c", "auth", &ha2]);
        check(&challenge("r", "n", Algorithm::Md5Sess, Qop::Auth), "u", "p", "sip:r", "c", &want);
    }

    #[test]
    fn the_value_quotes_what_must_be_quoted_and_nothing_else() {
        let password = Secret::new("p");
        let mut challenge = challenge(r#"a "b" \c"#, "n", Algorithm::Sha256, Qop::Auth);
        challenge.opaque = Some("o".into());
        let credentials = Credentials { username: r#"al"ice"#, password: &password };
        let answer = Answer { method: "REGISTER", uri: "sip:h", cnonce: "c", nc: 0x1a };
        let value = header_value(&challenge, credentials, answer);
        let (before, rest) = value.split_once("response=\"").expect("has a response");
        assert_eq!(before, r#"Digest username="al\"ice", realm="a \"b\" \\c", nonce="n", uri="sip:h", "#);
        assert!(rest.ends_with(r#"", algorithm=SHA-256, opaque="o", qop=auth, nc=0000001a, cnonce="c""#), "{rest}");
    }
}
