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
