//! `WWW-Authenticate` and `Proxy-Authenticate` values as data.

use crate::header::scan::{has_control, is_token, split_outside_quotes, unquote};

/// More challenges than this in one response are not read.
const MAX_CHALLENGES: usize = 16;
/// A realm, nonce or opaque longer than this (bytes) makes its challenge unusable.
const MAX_VALUE_LEN: usize = 1024;

/// Hash of a digest, with or without the session variant (RFC 7616 §3.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
}

impl Algorithm {
    /// As in the `algorithm` parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    pub const fn is_session(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    fn from_token(token: &str) -> Option<Self> {
        [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess].into_iter().find(|a| a.as_str().eq_ignore_ascii_case(token))
    }
}

/// What the challenge lets us protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Qop {
    /// No `qop` parameter: RFC 2069 style, without a client nonce.
    None,
    /// `auth`, perhaps among others.
    Auth,
}

/// One Digest challenge that we can answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub algorithm: Algorithm,
    pub qop: Qop,
    pub stale: bool,
}

impl Challenge {
    /// Greater is better: the hash first, then whether replies are bound to a client nonce.
    pub(super) fn strength(&self) -> u8 {
        let hash = u8::from(matches!(self.algorithm, Algorithm::Sha256 | Algorithm::Sha256Sess));
        hash * 2 + u8::from(self.qop == Qop::Auth)
    }
}

/// The challenges in all values of one header, in the order of the message. What we cannot answer is skipped: other
/// schemes and algorithms, `auth-int` alone, a missing realm or nonce, control characters.
pub fn parse_challenges<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for value in values {
        let mut open: Option<Params> = None;
        for item in split_outside_quotes(value, b',') {
            let (scheme, param) = split_scheme(item);
            if let Some(scheme) = scheme {
                found.extend(open.take().and_then(Params::into_challenge));
                open = scheme.eq_ignore_ascii_case("digest").then(Params::default);
            }
            if let Some(params) = &mut open {
                params.read(param);
            }
        }
        found.extend(open.and_then(Params::into_challenge));
        if found.len() >= MAX_CHALLENGES {
            break;
        }
    }
    found.truncate(MAX_CHALLENGES);
    found
}

/// `Digest realm="x"` begins a challenge, `nonce="y"` continues one, `Negotiate` begins one without parameters.
fn split_scheme(item: &str) -> (Option<&str>, &str) {
    let item = item.trim();
    let head = item.split('=').next().unwrap_or(item).trim_end();
    match head.split_once(|c: char| c.is_ascii_whitespace()) {
        Some((scheme, _)) => (Some(scheme), item.get(scheme.len()..).unwrap_or("").trim_start()),
        None if !item.contains('=') && is_token(item) => (Some(item), ""),
        None => (None, item),
    }
}

/// The parameters of one challenge while they are being read. The first of a name wins.
#[derive(Default)]
struct Params {
    realm: Option<String>,
    nonce: Option<String>,
    opaque: Option<String>,
    algorithm: Option<String>,
    qop: Option<String>,
    stale: Option<String>,
    unusable: bool,
}

impl Params {
    fn read(&mut self, param: &str) {
        let Some((name, value)) = param.split_once('=') else { return };
        let slot = match name.trim().to_ascii_lowercase().as_str() {
            "realm" => &mut self.realm,
            "nonce" => &mut self.nonce,
            "opaque" => &mut self.opaque,
            "algorithm" => &mut self.algorithm,
            "qop" => &mut self.qop,
            "stale" => &mut self.stale,
            _ => return,
        };
        match unquote(value) {
            Some(value) if value.len() <= MAX_VALUE_LEN && !has_control(&value) => {
                slot.get_or_insert(value);
            }
            _ => self.unusable = true,
        }
    }

    fn into_challenge(self) -> Option<Challenge> {
        if self.unusable {
            return None;
        }
        let algorithm = match self.algorithm.as_deref().map(str::trim) {
            None | Some("") => Algorithm::Md5,
            Some(token) => Algorithm::from_token(token)?,
        };
        let qop = match self.qop.as_deref().map(str::trim) {
            None | Some("") => Qop::None,
            Some(list) => list.split(',').find(|q| q.trim().eq_ignore_ascii_case("auth")).map(|_| Qop::Auth)?,
        };
        // A session hash takes in a client nonce, which RFC 2069 style has no place for.
        if algorithm.is_session() && qop == Qop::None {
            return None;
        }
        let stale = self.stale.is_some_and(|s| s.trim().eq_ignore_ascii_case("true"));
        Some(Challenge { realm: self.realm?, nonce: self.nonce?, opaque: self.opaque, algorithm, qop, stale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(realm: &str, nonce: &str) -> Challenge {
        Challenge {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: None,
            algorithm: Algorithm::Md5,
            qop: Qop::None,
            stale: false,
        }
    }

    #[track_caller]
    fn check(values: &[&str], want: &[Challenge]) {
        assert_eq!(parse_challenges(values.iter().copied()), want, "{values:?}");
    }

    #[test]
    fn reads_one_challenge() {
        check(&[r#"Digest realm="a", nonce="n""#], &[md5("a", "n")]);
        check(&[r#"DIGEST  nonce = "n" ,REALM="a",, unknown=7, auth-param="x,y=z""#], &[md5("a", "n")]);
        check(
            &[r#"Digest realm="a",nonce="n",opaque="",algorithm=sha-256,qop="auth,auth-int",stale=TRUE"#],
            &[Challenge {
                opaque: Some(String::new()),
                algorithm: Algorithm::Sha256,
                qop: Qop::Auth,
                stale: true,
                ..md5("a", "n")
            }],
        );
        check(&[r#"Digest realm="a",nonce="n",qop=auth,algorithm="MD5""#], &[Challenge { qop: Qop::Auth, ..md5("a", "n") }]);
        check(&[r#"Digest realm="a",nonce="n",qop="""#], &[md5("a", "n")]);
    }

    #[test]
    fn reads_quotes_and_utf8_in_realms() {
        check(&[r#"Digest realm="the \"big, bad\" \\ one", nonce="n""#], &[md5(r#"the "big, bad" \ one"#, "n")]);
        check(&[r#"Digest realm="Büro", nonce="n""#], &[md5("Büro", "n")]);
        check(&[r#"Digest realm=plain, nonce=n"#], &[md5("plain", "n")]);
    }

    #[test]
    fn reads_several_challenges_in_one_value_and_in_many() {
        let want = [md5("a", "1"), md5("b", "2"), md5("c", "3")];
        check(
            &[
                r#"Digest realm="a", nonce="1", Basic realm="x", Negotiate, Digest realm="b", nonce="2""#,
                r#"Digest realm="c", nonce="3""#,
            ],
            &want,
        );
    }

    #[test]
    fn skips_what_cannot_be_answered() {
        for value in [
            "",
            ",,,",
            "Digest",
            r#"Basic realm="a""#,
            r#"Digest realm="a""#,
            r#"Digest nonce="n""#,
            r#"Digest realm="a", nonce="n", algorithm=SHA-512-256"#,
            r#"Digest realm="a", nonce="n", algorithm=AKAv1-MD5"#,
            r#"Digest realm="a", nonce="n", qop="auth-int""#,
            r#"Digest realm="a", nonce="n", algorithm=MD5-sess"#,
            "Digest realm=\"a\r\nX: y\", nonce=\"n\"",
            "Digest realm=\"a\", nonce=\"n\0\"",
            r#"Digest realm="a, nonce="n""#,
            &format!(r#"Digest realm="a", nonce="{}""#, "n".repeat(MAX_VALUE_LEN + 1)),
        ] {
            check(&[value], &[]);
        }
    }

    #[test]
    fn a_flood_of_challenges_is_cut() {
        let flood = r#"Digest realm="a", nonce="n", "#.repeat(1000);
        assert_eq!(parse_challenges([flood.as_str()].into_iter()).len(), MAX_CHALLENGES);
    }
}
