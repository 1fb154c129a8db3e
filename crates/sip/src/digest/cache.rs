//! What one account has been challenged with, and its answers.

use super::response::{Answer, header_value};
use super::{AuthAttempt, Challenge};
use crate::header::scan::{has_control, is_token};
use callie_domain::Secret;

/// Realms remembered per account. The oldest goes first; a forgotten one only costs another challenge.
const MAX_REALMS: usize = 8;

/// Who asks: the registrar or called party (401), or a proxy on the way (407).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthKind {
    Www,
    Proxy,
}

impl AuthKind {
    /// The header field of the answer.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Www => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// Who we say we are.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    pub username: &'a str,
    pub password: &'a Secret,
}

/// What to do after a 401 or 407.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send the request again with [`DigestCache::authorize`].
    Retry,
    /// The credentials were refused; asking again changes nothing.
    Rejected,
    /// No challenge that we can answer.
    Unsupported,
}

/// The challenges known to one account, by realm and kind, so that the next request answers before it is asked.
#[derive(Debug, Default)]
pub struct DigestCache {
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    kind: AuthKind,
    challenge: Challenge,
    /// Requests that have used the nonce.
    uses: u32,
    /// The client nonce that a session hash began with, kept for as long as the nonce (RFC 7616 §3.4.2).
    session_cnonce: Option<String>,
}

impl DigestCache {
    /// Takes in the challenges of a 401 or 407 to the request of `attempt`; both headers may be in one response
    /// (RFC 3261 §16.7 step 7).
    pub fn challenged(&mut self, attempt: &mut AuthAttempt, www: &[Challenge], proxy: &[Challenge]) -> Verdict {
        if !attempt.refused() {
            return Verdict::Rejected;
        }
        let mut verdict = Verdict::Unsupported;
        for (kind, challenges) in [(AuthKind::Www, www), (AuthKind::Proxy, proxy)] {
            for challenge in strongest_per_realm(challenges) {
                if !attempt.ask(kind, challenge) {
                    self.forget(kind, &challenge.realm);
                    verdict = Verdict::Rejected;
                    continue;
                }
                self.remember(kind, challenge);
                if verdict == Verdict::Unsupported {
                    verdict = Verdict::Retry;
                }
            }
        }
        verdict
    }

    /// The header fields for a request about to be sent: `("Authorization" | "Proxy-Authorization", value)`, one per
    /// known realm. `cnonce` is fresh random hex.
    ///
    /// A 401's realm is answered unasked in REGISTER alone. Elsewhere it must have challenged this very attempt: the
    /// field travels to the called party, who has no business with our registrar's digests.
    ///
    /// Empty when an argument holds a control character (none may reach a header).
    pub fn authorize(
        &mut self,
        attempt: &mut AuthAttempt,
        method: &str,
        uri: &str,
        credentials: Credentials<'_>,
        cnonce: &str,
    ) -> Vec<(&'static str, String)> {
        if !is_token(method) || [uri, credentials.username, cnonce].into_iter().any(has_control) {
            return Vec::new();
        }
        let mut fields = Vec::new();
        for known in &mut self.known {
            let asked = attempt.was_asked(known.kind, &known.challenge.realm);
            if !asked && known.kind == AuthKind::Www && method != "REGISTER" {
                continue;
            }
            let value = known.answer(method, uri, credentials, cnonce);
            attempt.answer(known.kind, &known.challenge, known.uses == 1);
            fields.push((known.kind.header(), value));
        }
        fields
    }

    fn remember(&mut self, kind: AuthKind, challenge: &Challenge) {
        // The same nonce again goes on counting: a registrar may check that the count never falls.
        let same = |k: &Known| k.kind == kind && k.challenge.realm == challenge.realm && k.challenge.nonce == challenge.nonce;
        if let Some(known) = self.known.iter_mut().find(|k| same(k)) {
            known.challenge = challenge.clone();
            return;
        }
        self.forget(kind, &challenge.realm);
        if self.known.len() >= MAX_REALMS {
            self.known.remove(0);
        }
        // One realm is the rule, and there are many accounts.
        self.known.reserve_exact(1);
        self.known.push(Known { kind, challenge: challenge.clone(), uses: 0, session_cnonce: None });
    }

    fn forget(&mut self, kind: AuthKind, realm: &str) {
        self.known.retain(|k| k.kind != kind || k.challenge.realm != realm);
    }
}

impl Known {
    fn answer(&mut self, method: &str, uri: &str, credentials: Credentials<'_>, cnonce: &str) -> String {
        self.uses = self.uses.saturating_add(1);
        let cnonce = match self.challenge.algorithm.is_session() {
            true => self.session_cnonce.get_or_insert_with(|| cnonce.to_owned()).as_str(),
            false => cnonce,
        };
        header_value(&self.challenge, credentials, Answer { method, uri, cnonce, nc: self.uses })
    }
}

/// One challenge per realm: the strongest, and among equals the topmost (RFC 8760 §2.4).
fn strongest_per_realm(challenges: &[Challenge]) -> Vec<&Challenge> {
    let mut best: Vec<&Challenge> = Vec::new();
    for challenge in challenges {
        match best.iter_mut().find(|b| b.realm == challenge.realm) {
            Some(b) if challenge.strength() > b.strength() => *b = challenge,
            Some(_) => {}
            None => best.push(challenge),
        }
    }
    best.truncate(MAX_REALMS);
    best
}

#[cfg(test)]
mod tests {
    use super::super::parse_challenges;
    use super::*;

    /// An account that talks to a registrar or proxy, one message per line of a test.
    struct Line {
        cache: DigestCache,
        attempt: AuthAttempt,
        password: Secret,
    }

    impl Line {
        fn new() -> Self {
            Self { cache: DigestCache::default(), attempt: AuthAttempt::default(), password: Secret::new("secret") }
        }

        /// The digest fields of the next request.
        fn send(&mut self, method: &str) -> Vec<(&'static str, String)> {
            let credentials = Credentials { username: "alice", password: &self.password };
            self.cache.authorize(&mut self.attempt, method, "sip:example.com", credentials, "0a4f113b")
        }

        fn register(&mut self) -> Vec<(&'static str, String)> {
            self.send("REGISTER")
        }

        fn refuse(&mut self, www: &str, proxy: &str) -> Verdict {
            let (www, proxy) = (parse_challenges([www].into_iter()), parse_challenges([proxy].into_iter()));
            self.cache.challenged(&mut self.attempt, &www, &proxy)
        }

        fn next_attempt(&mut self) {
            self.attempt = AuthAttempt::default();
        }
    }

    fn ask(realm: &str, nonce: &str, more: &str) -> String {
        format!(r#"Digest realm="{realm}", nonce="{nonce}", qop="auth"{more}"#)
    }

    #[test]
    fn answers_and_reuses_a_nonce() {
        let mut line = Line::new();
        assert_eq!(line.register(), []);
        assert_eq!(line.refuse(&ask("r", "n1", ""), ""), Verdict::Retry);
        for nc in ["00000001", "00000002", "00000003"] {
            let fields = line.register();
            assert_eq!(fields.len(), 1);
            assert_eq!(fields[0].0, "Authorization");
            assert!(fields[0].1.contains(&format!("nc={nc}")), "{}", fields[0].1);
            line.next_attempt();
        }
    }

    #[test]
    fn a_wrong_password_is_told_from_a_nonce_that_ran_out() {
        let mut line = Line::new();
        line.register();
        line.refuse(&ask("r", "n1", ""), "");
        line.register();
        assert_eq!(line.refuse(&ask("r", "n1", ""), ""), Verdict::Rejected, "same nonce");

        let mut line = Line::new();
        line.register();
        line.refuse(&ask("r", "n1", ""), "");
        line.register();
        assert_eq!(line.refuse(&ask("r", "n2", ""), ""), Verdict::Rejected, "new nonce right after");
        line.next_attempt();
        assert_eq!(line.register(), [], "a refused realm is forgotten");

        let mut line = Line::new();
        line.register();
        line.refuse(&ask("r", "n1", ""), "");
        line.register();
        line.next_attempt();
        line.register();
        assert_eq!(line.refuse(&ask("r", "n2", ""), ""), Verdict::Retry, "an old nonce may run out without a word");
        line.register();
        assert_eq!(line.refuse(&ask("r", "n3", ""), ""), Verdict::Rejected);
    }

    #[test]
    fn stale_is_honoured_but_not_for_ever() {
        let mut line = Line::new();
        line.register();
        assert_eq!(line.refuse(&ask("r", "n1", ""), ""), Verdict::Retry);
        line.register();
        assert_eq!(line.refuse(&ask("r", "n2", ", stale=true"), ""), Verdict::Retry);
        assert!(line.register()[0].1.contains(r#"nonce="n2""#));
        assert_eq!(line.refuse(&ask("r", "n3", ", stale=true"), ""), Verdict::Rejected);
    }

    #[test]
    fn two_requests_at_once_do_not_take_each_other_for_refused() {
        let mut line = Line::new();
        let mut call = AuthAttempt::default();
        line.register();
        line.refuse(&ask("r", "n1", ""), "");
        line.register();
        // The second was on its way before the first was answered.
        let challenges = parse_challenges([ask("r", "n2", "").as_str()].into_iter());
        assert_eq!(line.cache.challenged(&mut call, &challenges, &[]), Verdict::Retry);
    }

    #[test]
    fn registrar_and_proxy_are_answered_together() {
        let mut line = Line::new();
        line.register();
        assert_eq!(line.refuse(&ask("r", "n1", ""), &ask("p", "n2", "")), Verdict::Retry);
        let headers: Vec<_> = line.register().into_iter().map(|(name, _)| name).collect();
        assert_eq!(headers, ["Authorization", "Proxy-Authorization"]);

        let mut line = Line::new();
        line.register();
        assert_eq!(line.refuse("", &ask("p", "n1", "")), Verdict::Retry);
        line.register();
        assert_eq!(line.refuse(&ask("r", "n2", ""), ""), Verdict::Retry);
        assert_eq!(line.register().len(), 2);
    }

    #[test]
    fn the_strongest_hash_is_taken() {
        let mut line = Line::new();
        let both = format!("{}, {}", ask("r", "n1", ", algorithm=MD5"), ask("r", "n1", ", algorithm=SHA-256"));
        assert_eq!(line.refuse(&both, ""), Verdict::Retry);
        let fields = line.register();
        assert_eq!(fields.len(), 1);
        assert!(fields[0].1.contains("algorithm=SHA-256"));
    }

    #[test]
    fn nothing_to_answer_is_unsupported() {
        let mut line = Line::new();
        assert_eq!(line.refuse("", ""), Verdict::Unsupported);
        assert_eq!(line.refuse(r#"Basic realm="r""#, ""), Verdict::Unsupported);
    }

    #[test]
    fn a_registrar_digest_does_not_travel_with_calls() {
        let mut line = Line::new();
        line.refuse(&ask("r", "n1", ""), &ask("p", "n2", ""));
        line.next_attempt();
        let headers: Vec<_> = line.send("INVITE").into_iter().map(|(name, _)| name).collect();
        assert_eq!(headers, ["Proxy-Authorization"]);
        line.refuse(&ask("r", "n3", ""), "");
        assert_eq!(line.send("INVITE").len(), 2, "asked in this call");
        assert_eq!(line.send("BYE").len(), 2, "and so in its dialog");
    }

    #[test]
    fn session_hash_keeps_its_first_client_nonce() {
        let mut line = Line::new();
        line.refuse(&ask("r", "n1", ", algorithm=MD5-sess"), "");
        let credentials = Credentials { username: "alice", password: &line.password };
        for (cnonce, nc) in [("first", "00000001"), ("second", "00000002")] {
            let fields = line.cache.authorize(&mut line.attempt, "REGISTER", "sip:h", credentials, cnonce);
            assert!(fields[0].1.contains(&format!(r#"nc={nc}, cnonce="first""#)), "{}", fields[0].1);
        }
    }

    #[test]
    fn control_characters_never_reach_a_header() {
        let mut line = Line::new();
        line.refuse(&ask("r", "n1", ""), "");
        for (method, uri, user, cnonce) in [
            ("REG\r\nX:", "sip:h", "alice", "c"),
            ("REGISTER", "sip:h\r\nX: y", "alice", "c"),
            ("REGISTER", "sip:h", "alice\n", "c"),
            ("REGISTER", "sip:h", "alice", "\0"),
        ] {
            let credentials = Credentials { username: user, password: &line.password };
            assert_eq!(line.cache.authorize(&mut line.attempt, method, uri, credentials, cnonce), []);
        }
    }

    #[test]
    fn a_long_dialog_may_be_challenged_again_after_each_success() {
        let mut line = Line::new();
        for nonce in 0..20 {
            line.send("INVITE");
            assert_eq!(line.refuse(&ask("r", &nonce.to_string(), ""), ""), Verdict::Retry);
            line.send("INVITE");
            line.attempt.accepted();
        }
    }

    #[test]
    fn a_new_realm_each_time_is_given_up() {
        let mut line = Line::new();
        let answered = (0..100).take_while(|realm| line.refuse(&ask(&realm.to_string(), "n", ""), "") == Verdict::Retry);
        assert_eq!(answered.count(), 6);
    }

    #[test]
    fn memory_is_bounded() {
        let mut line = Line::new();
        for realm in 0..100 {
            line.refuse(&ask(&realm.to_string(), "n", ""), "");
            line.next_attempt();
        }
        assert_eq!(line.cache.known.len(), MAX_REALMS);
    }
}
