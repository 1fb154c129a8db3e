//! Digest authentication for both sides (RFC 7616, RFC 8760): MD5 and SHA-256, `qop=auth` or none.
//!
//! Values only: no nonce bookkeeping (that is `carrier::auth`) and no SIP messages.

use md5::Md5;
use sha2::{Digest, Sha256};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// The token on the wire.
    pub fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn parse(token: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|known| known.token().eq_ignore_ascii_case(token))
    }

    fn hex(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

/// What a WWW-Authenticate or Proxy-Authenticate header asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub algorithm: Algorithm,
    pub stale: bool,
    /// `qop="auth"` is offered.
    pub qop_auth: bool,
    pub opaque: Option<String>,
}

impl Challenge {
    /// `None` for another scheme or an unknown algorithm.
    pub fn parse(header: &str) -> Option<Self> {
        let params = Params::parse(header)?;
        let algorithm = params.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse)?;
        Some(Self {
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            algorithm,
            stale: params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            qop_auth: params.get("qop").is_some_and(|qop| qop.split(',').any(|one| one.trim() == "auth")),
            opaque: params.get("opaque").map(str::to_owned),
        })
    }

    pub fn to_header(&self) -> String {
        let Self { realm, nonce, .. } = self;
        let mut text = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}", self.algorithm.token());
        if self.qop_auth {
            text.push_str(", qop=\"auth\"");
        }
        if self.stale {
            text.push_str(", stale=true");
        }
        if let Some(opaque) = &self.opaque {
            text.push_str(&format!(", opaque=\"{opaque}\""));
        }
        text
    }

    /// The Authorization header's value that answers it, as the first use (`nc=00000001`) of its nonce.
    pub fn answer(&self, username: &str, password: &str, method: &str, uri: &str) -> String {
        let cnonce = hex(&rand::random::<[u8; 8]>());
        let mut answer = Answer {
            username: username.to_owned(),
            realm: self.realm.clone(),
            nonce: self.nonce.clone(),
            uri: uri.to_owned(),
            algorithm: self.algorithm,
            response: String::new(),
            count: self.qop_auth.then(|| ("00000001".to_owned(), cnonce)),
        };
        answer.response = answer.expected(password, method);
        answer.to_header(self.opaque.as_deref())
    }
}

/// What an Authorization or Proxy-Authorization header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    pub uri: String,
    pub algorithm: Algorithm,
    pub response: String,
    /// `nc` as written (eight hex digits) and `cnonce`, with `qop=auth`.
    pub count: Option<(String, String)>,
}

impl Answer {
    /// `None` when a part is missing or the algorithm or qop is not one of ours.
    pub fn parse(header: &str) -> Option<Self> {
        let params = Params::parse(header)?;
        let text = |name| params.get(name).map(str::to_owned);
        let count = match params.get("qop") {
            Some("auth") => Some((text("nc")?, text("cnonce")?)),
            Some(_) => return None,
            None => None,
        };
        Some(Self {
            username: text("username")?,
            realm: text("realm")?,
            nonce: text("nonce")?,
            uri: text("uri")?,
            algorithm: params.get("algorithm").map_or(Some(Algorithm::Md5), Algorithm::parse)?,
            response: text("response")?,
            count,
        })
    }

    /// The nonce count as a number; `None` when it is not eight hex digits.
    pub fn nonce_count(&self) -> Option<u32> {
        let (nc, _) = self.count.as_ref()?;
        if nc.len() == 8 { u32::from_str_radix(nc, 16).ok() } else { None }
    }

    /// The response that this password would give (RFC 7616 §3.4.1).
    pub fn expected(&self, password: &str, method: &str) -> String {
        let Self { username, realm, nonce, uri, algorithm, .. } = self;
        let secret = algorithm.hex(&format!("{username}:{realm}:{password}"));
        let request = algorithm.hex(&format!("{method}:{uri}"));
        match &self.count {
            Some((nc, cnonce)) => algorithm.hex(&format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}")),
            None => algorithm.hex(&format!("{secret}:{nonce}:{request}")),
        }
    }

    fn to_header(&self, opaque: Option<&str>) -> String {
        let Self { username, realm, nonce, uri, algorithm, response, count } = self;
        let algorithm = algorithm.token();
        let mut text = format!(
            "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", algorithm={algorithm}"
        );
        if let Some((nc, cnonce)) = count {
            text.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        if let Some(opaque) = opaque {
            text.push_str(&format!(", opaque=\"{opaque}\""));
        }
        text
    }
}

/// `name=value` pairs of a Digest header, quotes taken off.
struct Params(Vec<(String, String)>);

impl Params {
    fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut quoted = false;
        let parts = rest.split(move |letter: char| {
            quoted ^= letter == '"';
            letter == ',' && !quoted
        });
        let pair = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
        };
        Some(Self(parts.filter_map(pair).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1, whose request is `GET /dir/index.html`.
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let check = |algorithm, wanted: &str| {
            let answer = Answer {
                username: "Mufasa".into(),
                realm: "http-auth@example.org".into(),
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
                uri: "/dir/index.html".into(),
                algorithm,
                response: String::new(),
                count: Some(("00000001".into(), "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".into())),
            };
            assert_eq!(answer.expected("Circle of Life", "GET"), wanted);
        };
        check(Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec");
        check(Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn an_answer_to_a_challenge_is_read_back_and_fits() {
        for (algorithm, qop_auth) in [(Algorithm::Md5, true), (Algorithm::Md5, false), (Algorithm::Sha256, true)] {
            let challenge =
                Challenge { realm: "a, b".into(), nonce: "n".into(), algorithm, stale: true, qop_auth, opaque: Some("o".into()) };
            assert_eq!(Challenge::parse(&challenge.to_header()).as_ref(), Some(&challenge));
            let answer = Answer::parse(&challenge.answer("alice", "secret", "REGISTER", "sip:x")).expect("answer");
            assert_eq!(answer.nonce_count(), qop_auth.then_some(1));
            assert_eq!(answer.response, answer.expected("secret", "REGISTER"));
            assert_ne!(answer.response, answer.expected("wrong", "REGISTER"));
        }
    }

    #[test]
    fn another_scheme_or_algorithm_is_not_answered() {
        assert_eq!(Challenge::parse("Basic realm=\"x\""), None);
        assert_eq!(Challenge::parse("Digest realm=\"x\", nonce=\"n\", algorithm=MD5-sess"), None);
        assert_eq!(Answer::parse("Digest username=\"a\", qop=auth-int"), None);
    }
}
