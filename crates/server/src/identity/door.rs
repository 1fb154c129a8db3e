//! The decision whom a request comes from: a key, a token, a session's cookie, or this machine while the door is open.

use super::first::FirstRun;
use super::login::Login;
use super::rate::Rates;
use super::session::{cookie_in, cookie_name, csrf, set_cookie};
use super::stay::Stays;
use super::token::{TokenFault, Tokens};
use super::{Identity, Proof, digest, key, random_text};
use callie_domain::identity::KeyState;
use callie_domain::{Role, Session};
use callie_store::access::Digest;
use callie_store::{AccessStore, StoreError};
use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// When nobody has to prove anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Openness {
    /// As long as nobody has made a key: programs on this machine may do everything. For a loopback address alone.
    UntilThereIsAKey,
    /// Never.
    Closed,
}

#[derive(Clone)]
pub struct DoorSettings {
    pub openness: Openness,
    /// The browser's connection is encrypted, by us or by a proxy: cookies are for such connections alone.
    pub secure: bool,
    pub tokens: Option<Arc<Tokens>>,
    pub login: Option<Arc<Login>>,
}

/// Cheap to clone; the clones share everything.
#[derive(Clone)]
pub struct Door {
    pub settings: DoorSettings,
    pub access: Arc<dyn AccessStore>,
    pub first: Arc<FirstRun>,
    pub rates: Arc<Rates>,
    pub stays: Stays,
}

/// Why what somebody showed does not open.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such key")]
    UnknownKey,
    #[error("the key {0} has expired")]
    ExpiredKey(String),
    #[error("the key {0} was revoked")]
    RevokedKey(String),
    #[error("the Authorization header must be: Bearer and a key of this server, or a token of its identity provider")]
    NotBearer,
    #[error("this server takes no tokens: set CALLIE_OIDC_ISSUER and CALLIE_OIDC_AUDIENCE, or use a key")]
    NoTokens,
    #[error(transparent)]
    Token(#[from] TokenFault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The last use of a key or session is written down at most so often.
const NOTE_USE_EVERY: Duration = Duration::from_secs(60);

impl Door {
    /// Who asks; `None` when the request shows nothing, or a session that is over.
    pub async fn identify(&self, headers: &HeaderMap, now: Timestamp) -> Result<Option<Identity>, Refusal> {
        if let Some(shown) = shown(headers) {
            return self.bearer(shown?, now).await.map(Some);
        }
        if let Some(cookie) = cookie_in(headers, cookie_name(self.settings.secure))
            && let Some(identity) = self.of_cookie(cookie, now).await?
        {
            return Ok(Some(identity));
        }
        Ok(self.is_open().await?.then(Identity::this_machine))
    }

    /// Whether programs on this machine need no key.
    pub async fn is_open(&self) -> Result<bool, StoreError> {
        match self.settings.openness {
            Openness::Closed => Ok(false),
            Openness::UntilThereIsAKey => Ok(!self.access.has_keys().await?),
        }
    }

    async fn bearer(&self, shown: &str, now: Timestamp) -> Result<Identity, Refusal> {
        if shown.starts_with(key::BEGINNING) {
            return self.of_key(shown, now).await;
        }
        let tokens = self.settings.tokens.as_ref().ok_or(Refusal::NoTokens)?;
        let bearer = tokens.verify(shown).await?;
        Ok(Identity { name: bearer.name, role: bearer.role, proof: Proof::Token { until: bearer.until } })
    }

    /// Revokes a key, and ends what was opened with it. `false` when there is no such key, or it was revoked before.
    pub async fn revoke_key(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let revoked = self.access.revoke_key(id, now).await?;
        self.look_round(now).await;
        Ok(revoked)
    }

    /// Whom a key is for.
    pub async fn of_key(&self, shown: &str, now: Timestamp) -> Result<Identity, Refusal> {
        let id = key::id_of(shown).ok_or(Refusal::UnknownKey)?;
        let (key, proof) = self.access.key(id).await?.ok_or(Refusal::UnknownKey)?;
        if proof != digest(shown) {
            return Err(Refusal::UnknownKey);
        }
        match key.state(now) {
            KeyState::Valid => {}
            KeyState::Expired => return Err(Refusal::ExpiredKey(key.id)),
            KeyState::Revoked => return Err(Refusal::RevokedKey(key.id)),
        }
        if key.last_used_at.is_none_or(|at| now.duration_since(at).unsigned_abs() >= NOTE_USE_EVERY) {
            self.access.key_used(&key.id, now).await?;
        }
        Ok(Identity { name: key.name, role: key.role, proof: Proof::Key(key.id) })
    }

    async fn of_cookie(&self, cookie: &str, now: Timestamp) -> Result<Option<Identity>, Refusal> {
        let proof = digest(cookie);
        let Some(session) = self.access.session(proof).await? else { return Ok(None) };
        if session.is_over(now) || !self.key_is_valid(session.key.as_deref(), now).await? {
            self.access.end_session(proof).await?;
            return Ok(None);
        }
        if now.duration_since(session.last_used_at).unsigned_abs() >= NOTE_USE_EVERY {
            self.access.session_used(proof, now).await?;
        }
        let proof = Proof::Session { digest: proof, csrf: csrf(cookie) };
        Ok(Some(Identity { name: session.name, role: session.role, proof }))
    }

    /// A session that was opened with a key ends with it.
    async fn key_is_valid(&self, id: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let Some(id) = id else { return Ok(true) };
        Ok(self.access.key(id).await?.is_some_and(|(key, _)| key.state(now) == KeyState::Valid))
    }

    /// Opens a session: its identity, and the cookie to set.
    pub async fn open_session(
        &self,
        name: String,
        role: Role,
        key: Option<String>,
        now: Timestamp,
    ) -> Result<(Identity, HeaderValue), StoreError> {
        let session = Session { name, role, key, created_at: now, last_used_at: now };
        let cookie = random_text();
        self.access.forget_sessions(now - Session::LONGEST).await?;
        self.access.add_session(digest(&cookie), &session).await?;
        let proof = Proof::Session { digest: digest(&cookie), csrf: csrf(&cookie) };
        let identity = Identity { name: session.name, role: session.role, proof };
        Ok((identity, set_cookie(self.settings.secure, Some(&cookie))))
    }

    /// Ends it, and the feeds that were opened in it; the header takes the cookie away.
    pub async fn close_session(&self, session: Digest, now: Timestamp) -> Result<HeaderValue, StoreError> {
        self.access.end_session(session).await?;
        self.look_round(now).await;
        Ok(set_cookie(self.settings.secure, None))
    }
}

/// A key or token in the headers.
fn shown(headers: &HeaderMap) -> Option<Result<&str, Refusal>> {
    if let Some(value) = headers.get("x-api-key") {
        return Some(value.to_str().map_err(|_| Refusal::UnknownKey));
    }
    let value = headers.get(header::AUTHORIZATION)?;
    let bearer = value.to_str().ok().and_then(|text| {
        let (scheme, rest) = text.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    Some(bearer.ok_or(Refusal::NotBearer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::ApiKey;
    use callie_store::{Keyring, SqliteStore};
    use std::num::NonZeroU32;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn door(folder: &tempfile::TempDir) -> Door {
        let keyring = Keyring::load_or_create(&folder.path().join("keyring.json"), at(0)).expect("keys");
        let store = SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened");
        Door {
            settings: DoorSettings { openness: Openness::UntilThereIsAKey, secure: false, tokens: None, login: None },
            access: Arc::new(store),
            first: Arc::default(),
            rates: Arc::new(Rates::new(NonZeroU32::MIN)),
            stays: Stays::default(),
        }
    }

    /// An admin's key.
    async fn a_key(door: &Door, expires_at: Option<Timestamp>) -> (String, String) {
        let (id, text) = key::fresh();
        let (name, created_by, created_at) = ("head".to_owned(), "test".to_owned(), at(0));
        let key =
            ApiKey { id, name, role: Role::Admin, created_at, created_by, expires_at, last_used_at: None, revoked_at: None };
        door.access.add_key(&key, digest(&text)).await.expect("written");
        (key.id, text)
    }

    fn browser(cookie: &HeaderValue) -> HeaderMap {
        let pair = cookie.to_str().expect("text").split(';').next().expect("a pair");
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(pair).expect("a value"))])
    }

    #[tokio::test]
    async fn a_session_ends_with_its_key_when_nobody_uses_it_and_after_a_week() {
        const HOUR: i64 = 3_600;
        let folder = tempfile::tempdir().expect("a folder");
        let door = door(&folder);
        let (id, _) = a_key(&door, Some(at(20 * HOUR))).await;
        let open = async |key: Option<&str>| {
            let opened = door.open_session("head".into(), Role::Admin, key.map(str::to_owned), at(0)).await;
            browser(&opened.expect("opened").1)
        };
        let is_in = async |headers: &HeaderMap, hour: i64| {
            let identity = door.identify(headers, at(hour * HOUR)).await.expect("answered");
            identity.is_some_and(|identity| matches!(identity.proof, Proof::Session { .. }))
        };
        let idle = open(None).await;
        assert!(is_in(&idle, 12).await, "the last second of twelve hours");
        assert!(!is_in(&idle, 25).await, "unused for longer");
        let of_key = open(Some(&id)).await;
        assert!(is_in(&of_key, 11).await && is_in(&of_key, 19).await);
        assert!(!is_in(&of_key, 20).await, "its key has expired");
        let used = open(None).await;
        for hour in (10..=168).step_by(10) {
            assert!(is_in(&used, hour).await, "{hour} h");
        }
        assert!(!is_in(&used, 169).await, "a week is the end");
        assert!(!is_in(&used, 160).await, "and it does not come back");
    }

    #[tokio::test]
    async fn what_is_shown_goes_before_a_cookie_and_a_bad_key_is_not_helped_by_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let door = door(&folder);
        let (id, text) = a_key(&door, None).await;
        let mut headers = browser(&door.open_session("page".into(), Role::Operator, None, at(0)).await.expect("opened").1);
        assert_eq!(door.identify(&headers, at(1)).await.expect("answered").map(|who| who.name), Some("page".to_owned()));
        headers.insert("x-api-key", HeaderValue::from_str(&text).expect("a value"));
        assert_eq!(door.identify(&headers, at(1)).await.expect("answered").map(|who| who.proof), Some(Proof::Key(id.clone())));
        assert!(door.revoke_key(&id, at(2)).await.expect("written"));
        assert!(matches!(door.identify(&headers, at(3)).await, Err(Refusal::RevokedKey(revoked)) if revoked == id));
    }

    #[tokio::test]
    async fn an_expired_key_keeps_the_door_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let door = door(&folder);
        assert!(door.is_open().await.expect("answered"));
        let (id, text) = a_key(&door, Some(at(10))).await;
        assert!(door.of_key(&text, at(9)).await.is_ok());
        assert!(matches!(door.of_key(&text, at(10)).await, Err(Refusal::ExpiredKey(expired)) if expired == id));
        assert!(!door.is_open().await.expect("answered"), "time alone opens nothing");
        assert!(door.revoke_key(&id, at(11)).await.expect("written"));
        assert!(door.is_open().await.expect("answered"));
    }

    #[tokio::test]
    async fn who_stays_is_looked_at_again() {
        const HOUR: i64 = 3_600;
        let folder = tempfile::tempdir().expect("a folder");
        let door = door(&folder);
        let (id, text) = a_key(&door, Some(at(HOUR))).await;
        let session = async |key: Option<&str>| {
            let opened = door.open_session("page".into(), Role::Operator, key.map(str::to_owned), at(0)).await;
            opened.expect("opened").0
        };
        let (of_key, idle) = (session(Some(&id)).await, session(None).await);
        let key = door.of_key(&text, at(0)).await.expect("good");
        let token = Identity { name: "t".into(), role: Role::Admin, proof: Proof::Token { until: at(2 * HOUR) } };
        // As if it had been narrowed since.
        let narrowed = |identity: &Identity| Identity { role: Role::Admin, ..identity.clone() };
        let operator = |identity: &Identity| Identity { role: Role::Operator, ..identity.clone() };
        for (what, identity, stays_s, over_s) in [
            ("a key", key.clone(), HOUR - 1, HOUR),
            ("a key with another role", operator(&key), -1, 0),
            ("a session of a key", of_key.clone(), HOUR - 1, HOUR),
            ("a session with another role", narrowed(&idle), -1, 0),
            ("a session that nobody uses", idle.clone(), 12 * HOUR, 12 * HOUR + 1),
            ("a token", token.clone(), 2 * HOUR - 1, 2 * HOUR),
            ("nobody", Identity::this_machine(), -1, 0),
        ] {
            assert!(door.ended(&identity, at(over_s)).await.expect("answered").is_some(), "{what} at its end");
            if stays_s >= 0 {
                assert_eq!(door.ended(&identity, at(stays_s)).await.expect("answered"), None, "{what} before it");
            }
        }
        // Each is told its own end, and those who have left are forgotten.
        let (mut first, mut second) = (door.stays.begin(&token), door.stays.begin(&token));
        let mut longer = door.stays.begin(&idle);
        door.look_round(at(2 * HOUR)).await;
        assert_eq!((first.over().await, second.over().await), ("the token has expired", "the token has expired"));
        drop((first, second));
        let waits = tokio::time::timeout(Duration::from_millis(1), longer.over()).await;
        assert!(waits.is_err(), "who may stay stays");
    }
}
