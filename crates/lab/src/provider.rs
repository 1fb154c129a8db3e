//! An identity provider on loopback: it publishes itself and its keys, lets a person in without a question, and gives ID
//! tokens for codes (OpenID Connect Core 1.0 §3.1, Discovery 1.0, PKCE by RFC 7636). It also signs whatever a test asks for.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A running provider. Dropping it closes its port.
#[derive(Debug)]
pub struct IdentityProvider {
    pub issuer: String,
    state: Arc<Shared>,
    tasks: TaskTracker,
    _running: DropGuard,
}

#[derive(Debug)]
struct Shared {
    issuer: String,
    keys: Mutex<Vec<SigningKey>>,
    /// Claims of whoever signs in next.
    person: Mutex<Map<String, Value>>,
    codes: Mutex<HashMap<String, Grant>>,
    asked_for_keys: AtomicUsize,
}

/// A key that tokens are signed with.
#[derive(Debug, Clone)]
pub struct SigningKey {
    kid: String,
    secret: Arc<[u8]>,
}

/// What a code stands for.
#[derive(Debug)]
struct Grant {
    client_id: String,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
}

impl SigningKey {
    /// A fresh P-256 key.
    pub fn new(kid: &str) -> io::Result<Self> {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(io::Error::other)?;
        Ok(Self { kid: kid.to_owned(), secret: made.as_ref().into() })
    }

    /// The claims as a token.
    pub fn sign(&self, claims: &Value) -> io::Result<String> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.encoding()).map_err(io::Error::other)
    }

    fn encoding(&self) -> EncodingKey {
        EncodingKey::from_ec_der(&self.secret)
    }

    fn published(&self) -> Option<Jwk> {
        let mut jwk = Jwk::from_encoding_key(&self.encoding(), Algorithm::ES256).ok()?;
        jwk.common.key_id = Some(self.kid.clone());
        Some(jwk)
    }
}

impl IdentityProvider {
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Shared {
            issuer: issuer.clone(),
            keys: Mutex::new(vec![SigningKey::new("first")?]),
            person: Mutex::default(),
            codes: Mutex::default(),
            asked_for_keys: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(state.clone());
        let cancel = CancellationToken::new();
        let over = cancel.clone();
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            let serving = axum::serve(listener, router).with_graceful_shutdown(over.cancelled_owned());
            // Loopback sockets fail only when the test is over anyway.
            let _ = serving.await;
        });
        tasks.close();
        Ok(Self { issuer, state, tasks, _running: cancel.drop_guard() })
    }

    /// Goes away, for good.
    pub async fn stop(self) {
        let Self { tasks, _running: running, .. } = self;
        drop(running);
        tasks.wait().await;
    }

    /// Whoever signs in next, by claims such as `email` and `callie_role`.
    pub fn person(&self, claims: &Value) {
        *locked(&self.state.person) = claims.as_object().cloned().unwrap_or_default();
    }

    /// From now on it signs with another key, and publishes only that.
    pub fn change_key(&self, kid: &str) -> io::Result<()> {
        *locked(&self.state.keys) = vec![SigningKey::new(kid)?];
        Ok(())
    }

    /// A good token for `audience`, with `claims` over the usual ones.
    pub fn token(&self, audience: &str, claims: &Value) -> io::Result<String> {
        self.signing_key()?.sign(&self.state.claims(audience, claims))
    }

    /// The claims of a good token, to be spoilt.
    pub fn claims(&self, audience: &str, claims: &Value) -> Value {
        self.state.claims(audience, claims)
    }

    pub fn signing_key(&self) -> io::Result<SigningKey> {
        locked(&self.state.keys).first().cloned().ok_or_else(|| io::Error::other("it has no key"))
    }

    /// How often the keys were read.
    pub fn asked_for_keys(&self) -> usize {
        self.state.asked_for_keys.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn claims(&self, audience: &str, over: &Value) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut claims = json!({
            "iss": self.issuer, "aud": audience, "sub": "person-1", "iat": now, "exp": now + 600,
        });
        if let (Some(claims), Some(over)) = (claims.as_object_mut(), over.as_object()) {
            claims.extend(over.clone());
        }
        claims
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn configuration(State(state): State<Arc<Shared>>) -> Json<Value> {
    let issuer = &state.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(State(state): State<Arc<Shared>>) -> Json<JwkSet> {
    state.asked_for_keys.fetch_add(1, Ordering::Relaxed);
    let keys = locked(&state.keys).iter().filter_map(SigningKey::published).collect();
    Json(JwkSet { keys })
}

#[derive(Debug, Deserialize)]
struct AuthorizationRequest {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: String,
    scope: String,
    code_challenge: String,
    code_challenge_method: String,
    nonce: Option<String>,
}

/// Lets the person in at once.
async fn authorize(State(state): State<Arc<Shared>>, Query(asked): Query<AuthorizationRequest>) -> Response {
    let is_good = asked.response_type == "code" && asked.code_challenge_method == "S256" && asked.scope.contains("openid");
    if !is_good {
        return (StatusCode::BAD_REQUEST, "not a code flow with PKCE").into_response();
    }
    let code = format!("code-{}", locked(&state.codes).len() + 1);
    let separator = if asked.redirect_uri.contains('?') { '&' } else { '?' };
    let to = format!("{}{separator}code={code}&state={}", asked.redirect_uri, asked.state);
    let grant = Grant {
        client_id: asked.client_id,
        redirect_uri: asked.redirect_uri,
        challenge: asked.code_challenge,
        nonce: asked.nonce,
    };
    locked(&state.codes).insert(code, grant);
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

#[derive(Debug, Deserialize)]
struct TokenRequest {
    grant_type: String,
    code: String,
    redirect_uri: String,
    client_id: Option<String>,
    code_verifier: String,
}

async fn token(State(state): State<Arc<Shared>>, Form(asked): Form<TokenRequest>) -> Response {
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let Some(grant) = locked(&state.codes).remove(&asked.code) else { return refused("invalid_grant") };
    let digest = Sha256::digest(asked.code_verifier.as_bytes());
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
    let same_client = asked.client_id.as_ref().is_none_or(|client| *client == grant.client_id);
    if asked.grant_type != "authorization_code"
        || !same_client
        || asked.redirect_uri != grant.redirect_uri
        || challenge != grant.challenge
    {
        return refused("invalid_grant");
    }
    let mut claims = Value::Object(locked(&state.person).clone());
    if let (Some(nonce), Some(claims)) = (grant.nonce, claims.as_object_mut()) {
        claims.entry("nonce").or_insert(nonce.into());
    }
    let claims = state.claims(&grant.client_id, &claims);
    let key = locked(&state.keys).first().cloned();
    let signed = key.ok_or_else(|| io::Error::other("no key")).and_then(|key| key.sign(&claims));
    match signed {
        Ok(id_token) => {
            Json(json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": id_token }))
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
