//! `/session`: signing in and out with a browser.

use super::authorize::{Asking, SignedIn};
use super::error::Problem;
use super::extract::{JsonBody, Parameters};
use super::openapi::{BodyProblems, StoreProblems};
use super::state::Clock;
use super::words::RoleWord;
use crate::identity::login::LoginFault;
use crate::identity::token::TokenFault;
use crate::identity::{Door, Identity, Proof, Refusal};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use callie_domain::{Faults, Role, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Who is signed in, and how somebody could sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionDocument {
    /// `open`: programs and pages on this machine need to prove nothing; `required`: they do.
    #[schema(example = "required")]
    pub authentication: &'static str,
    /// Nobody when null.
    pub identity: Option<IdentityDocument>,
    pub login: LoginWays,
}

/// Somebody who was let in.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityDocument {
    #[schema(example = "front desk")]
    pub name: String,
    #[schema(value_type = RoleWord)]
    pub role: &'static str,
    /// Of role `user`: the one user.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// `loopback`, `session`, `token`, or `key` with its id.
    #[schema(example = "session")]
    pub via: String,
    /// In a session: what the header `X-CSRF-Token` of each change must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf_token: Option<String>,
}

/// How somebody can sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoginWays {
    /// With an API key.
    pub key: bool,
    /// At an identity provider, where there is one.
    pub oidc: Option<OidcWay>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct OidcWay {
    /// The provider's host.
    #[schema(example = "accounts.google.com")]
    pub name: String,
    /// Where to send the browser.
    #[schema(example = "/session/oidc")]
    pub url: &'static str,
}

/// What somebody signs in with: one of the two.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct SignIn {
    /// An API key.
    key: Option<String>,
    /// The last part of the link that the server printed at its first start.
    first_run: Option<String>,
}

impl From<Identity> for IdentityDocument {
    fn from(identity: Identity) -> Self {
        let via = identity.via();
        let csrf_token = match identity.proof {
            Proof::Session { csrf, .. } => Some(csrf),
            _ => None,
        };
        Self { name: identity.name, role: identity.role.word(), user_id: identity.role.user().cloned(), via, csrf_token }
    }
}

async fn document(door: &Door, identity: Option<Identity>) -> Result<SessionDocument, Problem> {
    let authentication = if door.is_open().await? { "open" } else { "required" };
    let login = &door.settings.login;
    let oidc = login.as_ref().map(|login| OidcWay { name: login.provider_name(), url: "/session/oidc" });
    Ok(SessionDocument { authentication, identity: identity.map(Into::into), login: LoginWays { key: true, oidc } })
}

/// Tells who is signed in.
#[utoipa::path(get, path = "/session", operation_id = "get_session", tag = "access",
    responses((status = 200, body = SessionDocument), StoreProblems))]
pub async fn show(State(door): State<Door>, identity: Option<Extension<Identity>>) -> Result<Json<SessionDocument>, Problem> {
    Ok(Json(document(&door, identity.map(|Extension(identity)| identity)).await?))
}

/// Signs a browser in: the answer sets its cookie.
#[utoipa::path(post, path = "/session", operation_id = "sign_in", tag = "access", request_body = SignIn,
    responses((status = 200, body = SessionDocument), (status = 401, body = Problem, content_type = "application/problem+json",
        description = "The key, or the link of the first start, is not good (any more)"), BodyProblems, StoreProblems))]
pub async fn sign_in(
    State(door): State<Door>,
    State(clock): State<Clock>,
    peer: Asking,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let now = clock.now();
    let (name, role, key) = match credential(&body)? {
        Credential::Key(key) => match door.of_key(&key, now).await {
            Ok(Identity { name, role, proof: Proof::Key(id) }) => (name, role, Some(id)),
            Ok(identity) => (identity.name, identity.role, None),
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(refusal) => return Err(guessed(&door, peer, &refusal.to_string())),
        },
        Credential::FirstRun(text) if door.first.redeem(&text, now) => ("first admin".to_owned(), Role::Admin, None),
        Credential::FirstRun(_) => {
            let why = "the link was used, is older than an hour, or is of an earlier start: restart the server for another one";
            return Err(guessed(&door, peer, why));
        }
    };
    let (identity, cookie) = door.open_session(name, role, key, now).await?;
    tracing::info!(name = identity.name, role = %identity.role, "signed in: {}", identity.name);
    let signed_in = Extension(SignedIn(identity.clone()));
    Ok((signed_in, [(header::SET_COOKIE, cookie)], Json(document(&door, Some(identity)).await?)).into_response())
}

fn guessed(door: &Door, Asking(peer): Asking, why: &str) -> Problem {
    tracing::warn!(%peer, "somebody could not sign in: {why}");
    match door.rates.guessed(peer) {
        Ok(()) => Problem::unauthorised(why),
        Err(wait) => Problem::too_often(wait),
    }
}

enum Credential {
    Key(String),
    FirstRun(String),
}

fn credential(body: &Value) -> Result<Credential, Faults> {
    let map = body.as_object().ok_or_else(|| Faults::one("", "must be a JSON object with key or first_run"))?;
    if let Some(unknown) = map.keys().find(|name| !matches!(name.as_str(), "key" | "first_run")) {
        return Err(Faults::one(unknown, "is not a known field; known are key and first_run"));
    }
    let text = |name: &str| map.get(name).and_then(Value::as_str).map(|text| text.trim().to_owned());
    match (text("key"), text("first_run")) {
        (Some(key), None) => Ok(Credential::Key(key)),
        (None, Some(first)) => Ok(Credential::FirstRun(first)),
        _ => Err(Faults::one("key", "must be an API key; or give first_run, from the link of the first start, instead")),
    }
}

/// Somebody who is signed out.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedOut {
    pub success: bool,
    #[schema(example = "signed_out")]
    pub status: &'static str,
}

/// Signs the browser out. Its feeds and WebSockets end.
#[utoipa::path(delete, path = "/session", operation_id = "sign_out", tag = "access",
    responses((status = 200, body = SignedOut), StoreProblems))]
pub async fn sign_out(
    State(door): State<Door>,
    State(clock): State<Clock>,
    identity: Option<Extension<Identity>>,
) -> Result<Response, Problem> {
    let out = Json(SignedOut { success: true, status: "signed_out" });
    match identity {
        Some(Extension(Identity { proof: Proof::Session { digest, .. }, .. })) => {
            Ok(([(header::SET_COOKIE, door.close_session(digest, clock.now()).await?)], out).into_response())
        }
        _ => Ok(out.into_response()),
    }
}

/// Sends the browser to the identity provider.
#[utoipa::path(get, path = "/session/oidc", operation_id = "begin_login", tag = "access",
    responses((status = 303, description = "To the identity provider"), (status = 404, body = Problem,
        content_type = "application/problem+json", description = "No identity provider is configured"), StoreProblems))]
pub async fn begin(State(door): State<Door>, State(clock): State<Clock>) -> Result<Response, Problem> {
    let begun = login(&door)?.begin(clock.now()).await.map_err(|fault| not_finished(&fault))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, begun.to)], [(header::SET_COOKIE, begun.cookie)]).into_response())
}

/// What the identity provider sends the browser back with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CameBack {
    state: Option<String>,
    code: Option<String>,
    /// Why it did not let the person in.
    error: Option<String>,
}

/// Takes the browser back from the identity provider, signs it in and sends it to the dashboard.
#[utoipa::path(get, path = "/session/oidc/callback", operation_id = "finish_login", tag = "access", params(CameBack),
    responses((status = 303, description = "To the dashboard, signed in"), (status = 401, body = Problem,
        content_type = "application/problem+json", description = "The provider refused, or the login was not begun here"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "No identity provider is configured"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "Query parameters are faulty"),
        StoreProblems))]
pub async fn finish(
    State(door): State<Door>,
    State(clock): State<Clock>,
    headers: HeaderMap,
    Parameters(back): Parameters<CameBack>,
) -> Result<Response, Problem> {
    let now = clock.now();
    let (Some(state), Some(code)) = (back.state, back.code) else {
        let why = back.error.unwrap_or_else(|| "it sent no code".to_owned());
        return Err(not_finished(&LoginFault::Refused(why.chars().filter(|c| !c.is_control()).take(100).collect())));
    };
    let bearer = login(&door)?.finish(&headers, &state, &code, now).await.map_err(|fault| not_finished(&fault))?;
    let (identity, cookie) = door.open_session(bearer.name, bearer.role, None, now).await?;
    tracing::info!(name = identity.name, role = %identity.role, "signed in by the identity provider: {}", identity.name);
    let headers = AppendHeaders([(header::SET_COOKIE, cookie)]);
    Ok((StatusCode::SEE_OTHER, Extension(SignedIn(identity)), [(header::LOCATION, "/dashboard")], headers).into_response())
}

fn login(door: &Door) -> Result<&crate::identity::login::Login, Problem> {
    let none = || Problem::not_found("no identity provider is configured: CALLIE_OIDC_ISSUER and CALLIE_OIDC_CLIENT_ID name one");
    door.settings.login.as_deref().ok_or_else(none)
}

fn not_finished(fault: &LoginFault) -> Problem {
    tracing::warn!("a login at the identity provider failed: {fault}");
    match fault {
        LoginFault::Provider(_) | LoginFault::Addresses(_) | LoginFault::Token(TokenFault::Provider(_)) => {
            Problem::unavailable(fault.to_string())
        }
        _ => Problem::unauthorised(fault.to_string()),
    }
}
