//! Signing in at an identity provider with a browser: OpenID Connect's code flow (Core 1.0 §3.1) with PKCE (RFC 7636).
//!
//! ```text
//! browser ── GET /session/oidc ──▶ us: state, nonce, verifier kept; a cookie ties them to this browser
//!         ◀── 303 to the provider ──
//!         ── signs in there, comes back ── GET /session/oidc/callback?code&state ──▶ us
//!                                          us ── code, verifier ──▶ provider ── ID token ──▶ us
//!         ◀── 303 to the dashboard, session cookie ──
//! ```

use super::provider::ProviderFault;
use super::session::{cookie, cookie_in};
use super::token::{Bearer, TokenFault, Tokens};
use super::{digest, random_text};
use callie_domain::Secret;
use callie_store::access::Digest;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(600);
/// Logins under way; a stranger who begins more pushes out the oldest.
const MOST: usize = 1_000;
const COOKIE: &str = "callie_login";

#[derive(Debug, Clone)]
pub struct LoginSettings {
    pub client_id: String,
    /// A public client has none.
    pub client_secret: Option<Secret>,
    /// `https://calls.example.org/session/oidc/callback`; must be known to the provider.
    pub redirect: String,
    pub secure: bool,
}

#[derive(Debug)]
pub struct Login {
    settings: LoginSettings,
    tokens: Arc<Tokens>,
    under_way: Mutex<HashMap<String, UnderWay>>,
}

#[derive(Debug)]
struct UnderWay {
    began: Timestamp,
    browser: Digest,
    nonce: String,
    verifier: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LoginFault {
    #[error("this login was not begun in this browser, or more than ten minutes ago: begin again")]
    Unknown,
    #[error("the identity provider refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Token(#[from] TokenFault),
    #[error(transparent)]
    Provider(#[from] ProviderFault),
    #[error("the identity provider's addresses cannot be used: {0}")]
    Addresses(#[from] oauth2::url::ParseError),
}

/// Where to send the browser, and the cookie that ties the login to it.
#[derive(Debug)]
pub struct Begun {
    pub to: String,
    pub cookie: HeaderValue,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type Answer = StandardTokenResponse<IdToken, BasicTokenType>;
type OidcClient = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Login {
    pub fn new(settings: LoginSettings, tokens: Arc<Tokens>) -> Self {
        Self { settings, tokens, under_way: Mutex::default() }
    }

    /// The host that people know it by.
    pub fn provider_name(&self) -> String {
        let issuer = self.tokens.provider.issuer.as_str();
        let host = url::Url::parse(issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_else(|| issuer.to_owned())
    }

    pub async fn begin(&self, now: Timestamp) -> Result<Begun, LoginFault> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (browser, nonce) = (random_text(), random_text());
        let client = self.client().await?;
        let request = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
        let request = request.add_scopes(["openid", "email", "profile"].map(|scope| Scope::new(scope.to_owned())));
        let (url, state) = request.add_extra_param("nonce", &nonce).url();
        let begun = UnderWay { began: now, browser: digest(&browser), nonce, verifier: verifier.into_secret() };
        self.remember(state.into_secret(), begun, now);
        // The browser comes back from another site: with Strict it would not bring the cookie.
        let cookie = cookie(COOKIE, Some(&browser), self.settings.secure, "Lax", PATIENCE.as_secs());
        Ok(Begun { to: url.into(), cookie })
    }

    fn remember(&self, state: String, begun: UnderWay, now: Timestamp) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, login| now.duration_since(login.began).unsigned_abs() <= PATIENCE);
        if under_way.len() >= MOST
            && let Some(oldest) = under_way.iter().min_by_key(|(_, login)| login.began).map(|(state, _)| state.clone())
        {
            under_way.remove(&oldest);
        }
        under_way.insert(state, begun);
    }

    /// The browser is back with a code.
    pub async fn finish(&self, headers: &HeaderMap, state: &str, code: &str, now: Timestamp) -> Result<Bearer, LoginFault> {
        let login = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
        let browser = cookie_in(headers, COOKIE).map(digest);
        let login =
            login.filter(|login| Some(login.browser) == browser && now.duration_since(login.began).unsigned_abs() <= PATIENCE);
        let login = login.ok_or(LoginFault::Unknown)?;
        let client = self.client().await?;
        let request = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(login.verifier));
        let http = |request| asked(self.tokens.provider.client().clone(), request);
        let answer = request.request_async(&http).await.map_err(|error| LoginFault::Refused(error.to_string()))?;
        let token = answer.extra_fields().id_token.as_deref();
        let token = token.ok_or_else(|| LoginFault::Refused("its answer holds no ID token".into()))?;
        let bearer = self.tokens.verify(token).await?;
        if bearer.nonce.as_deref() != Some(&login.nonce) {
            return Err(LoginFault::Refused("its ID token belongs to another login".into()));
        }
        Ok(bearer)
    }

    async fn client(&self) -> Result<OidcClient, LoginFault> {
        let addresses = self.tokens.provider.addresses().await?;
        let client = Client::new(ClientId::new(self.settings.client_id.clone()))
            .set_auth_uri(AuthUrl::new(addresses.authorization_endpoint)?)
            .set_token_uri(TokenUrl::new(addresses.token_endpoint)?)
            .set_redirect_uri(RedirectUrl::new(self.settings.redirect.clone())?);
        Ok(match &self.settings.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        })
    }
}

/// `oauth2` asks in its own types; ours is the client that the rest uses.
async fn asked(client: reqwest::Client, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let answer = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send().await?;
    let mut response = oauth2::HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::super::provider::Provider;
    use super::super::token::Claims;
    use super::*;

    #[test]
    fn who_begins_logins_without_end_pushes_out_the_oldest() {
        let none = || String::new();
        let claims = Claims { audience: none(), role: none(), user: none(), admins: Vec::new() };
        let provider = Provider::new("http://127.0.0.1:1", None).expect("a client");
        let tokens = Arc::new(Tokens::new(Arc::new(provider), claims));
        let settings = LoginSettings { client_id: none(), client_secret: None, redirect: none(), secure: false };
        let login = Login::new(settings, tokens);
        let at = |n: usize| Timestamp::from_millisecond(1_800_000_000_000 + n as i64).expect("a time");
        let begun = |n: usize| UnderWay { began: at(n), browser: [0; 32], nonce: none(), verifier: none() };
        for n in 0..=MOST {
            login.remember(n.to_string(), begun(n), at(n));
        }
        let states = || login.under_way.lock().expect("not poisoned").keys().cloned().collect::<Vec<_>>();
        assert_eq!(states().len(), MOST);
        assert!(!states().contains(&"0".to_owned()) && states().contains(&MOST.to_string()));
        login.remember("late".to_owned(), begun(0), at(0) + PATIENCE + Duration::from_secs(60));
        assert_eq!(states(), ["late"], "and what is too old is forgotten");
    }
}
