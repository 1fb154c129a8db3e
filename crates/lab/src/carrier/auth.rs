//! Challenges and the checking of their answers: nonces with a life and a count (RFC 7616 §3.3, §3.4).

use super::directory::Subscriber;
use crate::digest::{Answer, Challenge, hex};
use crate::message::Message;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Why a request may not pass yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No credentials, or for another realm.
    Missing,
    /// The nonce is too old, unknown or its count was used: the same password may try again at once.
    Stale,
    /// The digest does not fit the password.
    Wrong,
}

#[derive(Debug)]
struct Nonce {
    issued: Instant,
    last_count: u32,
}

#[derive(Debug)]
pub(super) struct Authenticator {
    pub realm: String,
    qop: bool,
    life: Duration,
    nonces: HashMap<String, Nonce>,
}

impl Authenticator {
    pub fn new(realm: String, qop: bool, life: Duration) -> Self {
        Self { realm, qop, life, nonces: HashMap::new() }
    }

    /// One challenge per algorithm of the subscriber, with one fresh nonce.
    pub fn challenge(&mut self, subscriber: &Subscriber, stale: bool, now: Instant) -> Vec<Challenge> {
        let nonce = hex(&rand::random::<[u8; 16]>());
        self.nonces.insert(nonce.clone(), Nonce { issued: now, last_count: 0 });
        let one = |algorithm: &_| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            algorithm: *algorithm,
            stale,
            qop_auth: self.qop,
            opaque: None,
        };
        subscriber.algorithms.list().iter().map(one).collect()
    }

    /// Checks the credentials that a request brings in this header.
    pub fn check(&mut self, request: &Message, header: &str, subscriber: &Subscriber, now: Instant) -> Result<(), Refusal> {
        let mut answers = request.all(header).filter_map(Answer::parse);
        let answer = answers.find(|answer| answer.realm == self.realm).ok_or(Refusal::Missing)?;
        let named = answer.username == subscriber.username || answer.username.split('@').next() == Some(&subscriber.username);
        let offered = subscriber.algorithms.list().contains(&answer.algorithm) && answer.count.is_some() == self.qop;
        // Its URI is the request's own (RFC 7616 §3.4.6).
        let meant = answer.uri == request.subject();
        if !named || !offered || !meant || answer.response != answer.expected(&subscriber.password, request.method()) {
            return Err(Refusal::Wrong);
        }
        let nonce = self.nonces.get_mut(&answer.nonce).ok_or(Refusal::Stale)?;
        if now.duration_since(nonce.issued) > self.life {
            return Err(Refusal::Stale);
        }
        if let Some(count) = answer.count.as_ref().map(|_| answer.nonce_count().unwrap_or(0)) {
            if count <= nonce.last_count {
                return Err(Refusal::Stale);
            }
            nonce.last_count = count;
        }
        Ok(())
    }

    /// No nonce is known any more.
    pub fn forget(&mut self) {
        self.nonces.clear();
    }

    pub fn purge(&mut self, now: Instant) {
        self.nonces.retain(|_, nonce| now.duration_since(nonce.issued) <= self.life);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Algorithms;
    use crate::digest::Algorithm;

    struct Setting {
        authenticator: Authenticator,
        subscriber: Subscriber,
        start: Instant,
    }

    fn setting(algorithms: Algorithms) -> Setting {
        let subscriber = Subscriber::new("alice", "secret").with_algorithms(algorithms);
        let authenticator = Authenticator::new("realm".into(), true, Duration::from_secs(60));
        Setting { authenticator, subscriber, start: Instant::now() }
    }

    impl Setting {
        fn check(&mut self, header: &str, after_s: u64) -> Result<(), Refusal> {
            let now = self.start + Duration::from_secs(after_s);
            let request = Message::request("REGISTER", "sip:x").with("Authorization", header);
            self.authenticator.check(&request, "Authorization", &self.subscriber, now)
        }
    }

    #[test]
    fn both_algorithms_both_names_pass_and_wrong_ones_do_not() {
        let mut setting = setting(Algorithms::Both);
        for (name, password, wanted) in [
            ("alice", "secret", Ok(())),
            ("alice@example.test", "secret", Ok(())),
            ("alice", "Secret", Err(Refusal::Wrong)),
            ("bob", "secret", Err(Refusal::Wrong)),
        ] {
            let challenges = setting.authenticator.challenge(&setting.subscriber, false, setting.start);
            assert_eq!(challenges.iter().map(|one| one.algorithm).collect::<Vec<_>>(), [Algorithm::Sha256, Algorithm::Md5]);
            for challenge in &challenges[..1] {
                assert_eq!(setting.check(&challenge.answer(name, password, "REGISTER", "sip:x"), 1), wanted, "{name}");
            }
        }
        assert_eq!(setting.check("Basic abc", 1), Err(Refusal::Missing));
        let elsewhere = setting.authenticator.challenge(&setting.subscriber, false, setting.start)[0]
            .answer("alice", "secret", "REGISTER", "sip:y");
        assert_eq!(setting.check(&elsewhere, 1), Err(Refusal::Wrong), "digest of another uri");
    }

    #[test]
    fn a_nonce_is_stale_when_old_counted_twice_or_unknown() {
        let mut setting = setting(Algorithms::Md5);
        let header = setting.authenticator.challenge(&setting.subscriber, false, setting.start)[0]
            .answer("alice", "secret", "REGISTER", "sip:x");
        assert_eq!(setting.check(&header, 61), Err(Refusal::Stale));
        assert_eq!(setting.check(&header, 1), Ok(()));
        assert_eq!(setting.check(&header, 1), Err(Refusal::Stale));
        setting.authenticator.forget();
        assert_eq!(setting.check(&header, 1), Err(Refusal::Stale));
    }

    #[test]
    fn an_algorithm_that_was_not_offered_is_wrong() {
        let mut setting = setting(Algorithms::Sha256);
        let mut challenge = setting.authenticator.challenge(&setting.subscriber, false, setting.start).remove(0);
        challenge.algorithm = Algorithm::Md5;
        assert_eq!(setting.check(&challenge.answer("alice", "secret", "REGISTER", "sip:x"), 1), Err(Refusal::Wrong));
    }
}
