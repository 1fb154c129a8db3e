//! Between the guard and the handlers: who asks, whether they may, how often, and what is written down of it.

use super::access::{self, is_audited, is_listening};
use super::error::Problem;
use super::state::{ApiState, Audit, Clock, Lines, Records};
use crate::identity::{Door, Identity, Proof, Refusal, Stay, session};
use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts, MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use callie_domain::{CallId, Need, Role, UserId};
use callie_store::audit::Deed;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Arc<[IpNet]>);

impl TrustedProxies {
    /// Who really asks: behind proxies that are trusted, the last one in `X-Forwarded-For` that is none of them.
    fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let trusted = |ip: &IpAddr| self.0.iter().any(|net| net.contains(ip));
        if !trusted(&peer) {
            return peer;
        }
        let lists = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<IpAddr> = lists.flat_map(|list| list.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
        hops.into_iter().rev().find(|hop| !trusted(hop)).unwrap_or(peer)
    }
}

/// What this layer works with.
#[derive(Clone)]
pub struct Porter {
    door: Door,
    audit: Audit,
    records: Records,
    lines: Lines,
    clock: Clock,
    proxies: TrustedProxies,
}

impl FromRef<ApiState> for Porter {
    fn from_ref(state: &ApiState) -> Self {
        Self {
            door: state.door.clone(),
            audit: state.audit.clone(),
            records: state.records.clone(),
            lines: state.exchange.clone(),
            clock: state.clock.clone(),
            proxies: state.proxies.clone(),
        }
    }
}

/// What a handler adds to the entry in the audit; it never holds a secret.
#[derive(Debug, Clone)]
pub struct AuditDetail(pub serde_json::Value);

/// Who the request turned out to be of, where the handler alone could find out: somebody who has just signed in.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Identity);

/// The address that a request came from, for handlers.
#[derive(Debug, Clone, Copy)]
pub struct Asking(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::LOCALHOST))))
    }
}

/// Who asks, for handlers that show each their own.
#[derive(Debug, Clone)]
pub struct Viewer(pub Identity);

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identity = parts.extensions.get::<Identity>().cloned();
        identity.map(Self).ok_or_else(|| Problem::unauthorised("nobody is signed in"))
    }
}

impl Viewer {
    /// The one user that may be seen; `None`: all of them.
    pub fn only(&self) -> Option<&UserId> {
        self.0.role.user()
    }

    /// Of the user asked for, if any, the one that may be seen.
    pub fn narrow(&self, asked: Option<UserId>) -> Result<Option<UserId>, Problem> {
        match (self.only(), asked) {
            (None, asked) => Ok(asked),
            (Some(own), None) => Ok(Some(own.clone())),
            (Some(own), Some(asked)) if *own == asked => Ok(Some(asked)),
            (Some(own), Some(_)) => Err(Problem::forbidden(format!("you are let in for user {own} alone"))),
        }
    }
}

/// For handlers whose answer goes on: until who asks would not be let in any more.
pub struct Staying(pub Stay);

impl<S: Send + Sync> FromRequestParts<S> for Staying
where
    Door: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Viewer(identity) = Viewer::from_request_parts(parts, state).await?;
        Ok(Self(Door::from_ref(state).stays.begin(&identity)))
    }
}

pub async fn authorize(State(porter): State<Porter>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().cloned();
    let path = path.as_ref().map(MatchedPath::as_str);
    let peer = porter.address(&parts);
    let admitted = porter.admit(&mut parts, path, peer).await;
    let action = format!("{} {}", parts.method, path.unwrap_or("?"));
    let (method, target) = (parts.method.clone(), target(&mut parts, path).await);
    let (identity, response) = match admitted {
        Ok(identity) => {
            parts.extensions.insert(Asking(peer));
            if let Some(identity) = &identity {
                parts.extensions.insert(identity.clone());
            }
            (identity, next.run(Request::from_parts(parts, body)).await)
        }
        Err((identity, problem)) => (identity, problem.into_response()),
    };
    let Some(path) = path.filter(|path| is_audited(&method, path)) else { return response };
    let identity = response.extensions().get::<SignedIn>().map(|signed_in| signed_in.0.clone()).or(identity);
    // What strangers try is in the log and in the counters: they could fill a disk.
    let Some(identity) = identity else { return response };
    let status = response.status();
    // A WebSocket that is opened is a success, too.
    let is_told = status.is_success() || matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::FORBIDDEN);
    if !is_told {
        return response;
    }
    let detail = response.extensions().get::<AuditDetail>().map(|detail| detail.0.to_string()).unwrap_or_default();
    let deed = Deed {
        at: porter.clock.now(),
        actor: identity.name.clone(),
        role: identity.role.to_string(),
        via: identity.via(),
        address: peer.to_string(),
        action,
        target,
        status: status.as_u16(),
        detail,
    };
    match porter.audit.note(deed).await {
        Ok(_) => response,
        // Nothing was said to anybody yet: the body goes out after this.
        Err(error) if is_listening(path) => Problem::from(error).into_response(),
        Err(error) => {
            tracing::error!(%error, "a change could not be written into the audit");
            response
        }
    }
}

/// Whoever was recognised, with the reason why they are turned away.
type TurnedAway = (Option<Identity>, Problem);

impl Porter {
    async fn admit(&self, parts: &mut Parts, path: Option<&str>, peer: IpAddr) -> Result<Option<Identity>, TurnedAway> {
        let now = self.clock.now();
        let Some(need) = access::need(&parts.method, path) else {
            let detail = "nobody has decided yet who may do this";
            return Err((None, Problem::internal(detail)));
        };
        let identity = match self.door.identify(&parts.headers, now).await {
            Ok(identity) => identity,
            Err(Refusal::Store(error)) => return Err((None, error.into())),
            Err(_) if need == Need::Nobody => None,
            Err(refusal) => return Err((None, self.refused(&refusal, peer))),
        };
        let limited = |wait: Duration| Problem::too_often(wait);
        let Some(identity) = identity else {
            self.door.rates.of_address(peer).map_err(|wait| (None, limited(wait)))?;
            return match need {
                Need::Nobody => Ok(None),
                _ => Err((None, Problem::unauthorised(NOTHING_SHOWN))),
            };
        };
        if identity.proof != Proof::ThisMachine {
            let name = format!("{} {}", identity.via(), identity.name);
            let within = self.door.rates.of_address(peer).and_then(|()| self.door.rates.of_name(&name));
            within.map_err(|wait| (None, limited(wait)))?;
        }
        if let Err(problem) = forged(&identity, &parts.method, &parts.headers) {
            return Err((Some(identity), problem));
        }
        match self.check(&identity.role, need, parts).await {
            Ok(()) => Ok(Some(identity)),
            Err(problem) => Err((Some(identity), problem)),
        }
    }

    fn refused(&self, refusal: &Refusal, peer: IpAddr) -> Problem {
        tracing::warn!(%peer, "somebody was not let in: {refusal}");
        match self.door.rates.guessed(peer) {
            Ok(()) => Problem::unauthorised(refusal.to_string()),
            Err(wait) => Problem::too_often(wait),
        }
    }

    async fn check(&self, role: &Role, need: Need, parts: &mut Parts) -> Result<(), Problem> {
        let named = match need {
            Need::OwnUser | Need::OwnCall => parameter(parts).await,
            _ => None,
        };
        let named = named.unwrap_or_default();
        let owner = match (need, role) {
            (Need::OwnUser, _) => named.parse().ok(),
            (Need::OwnCall, Role::User(_)) => self.owner_of(&named).await?,
            _ => None,
        };
        if role.may(need, owner.as_ref()) {
            return Ok(());
        }
        // Who is in for one user learns nothing of others, not even that they are there.
        Err(match need {
            Need::OwnUser => Problem::no_such_user(&named),
            Need::OwnCall => Problem::no_such_call(&named),
            _ => Problem::forbidden(format!(
                "this is for {}, and you are let in as {role}",
                if need == Need::Admin { "admins" } else { "operators and admins" }
            )),
        })
    }

    async fn owner_of(&self, call: &str) -> Result<Option<UserId>, Problem> {
        let Ok(call) = call.parse::<CallId>() else { return Ok(None) };
        if let Some(active) = self.lines.active_calls().into_iter().find(|active| active.id == call) {
            return Ok(Some(active.user_id));
        }
        Ok(self.records.get(call).await?.map(|cdr| cdr.user_id))
    }

    fn address(&self, parts: &Parts) -> IpAddr {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(ip))| *ip);
        self.proxies.sender(peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), &parts.headers)
    }
}

const NOTHING_SHOWN: &str =
    "show who you are: Authorization: Bearer and an API key (callie api-keys add makes one), or sign in at /dashboard";

/// The one parameter that says whose it is.
async fn parameter(parts: &mut Parts) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    params.iter().find(|(name, _)| matches!(*name, "user_id" | "call_id")).map(|(_, value)| value.to_owned())
}

/// What it is done to, by its name and not as the client encoded it: `/users/a@b` also when `/users/a%40b` was asked for.
async fn target(parts: &mut Parts, declared: Option<&str>) -> String {
    let asked = parts.uri.path().to_owned();
    let Some(declared) = declared.filter(|_| asked.contains('%')) else { return asked };
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else { return asked };
    params.iter().fold(declared.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

/// A browser's cookie proves who sits there, not that they meant it.
fn forged(identity: &Identity, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let Proof::Session { csrf, .. } = &identity.proof else { return Ok(()) };
    let repeated = || headers.get(session::CSRF_HEADER).is_some_and(|value| value.as_bytes() == csrf.as_bytes());
    if method.is_safe() || repeated() {
        return Ok(());
    }
    Err(Problem::forged("a change in a browser's session needs the header X-CSRF-Token with csrf_token of GET /session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_believed_of_trusted_proxies_alone() {
        let proxies = TrustedProxies(["10.0.0.0/8", "127.0.0.1/32"].map(|net| net.parse().expect("a network")).into());
        for (peer, forwarded, want) in [
            ("192.0.2.7", vec![], "192.0.2.7"),
            ("192.0.2.7", vec!["198.51.100.1"], "192.0.2.7"),
            ("127.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            // What a client puts in front of it does not count.
            ("127.0.0.1", vec!["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", vec!["203.0.113.9", "198.51.100.1, 10.1.2.3"], "198.51.100.1"),
            ("127.0.0.1", vec!["10.1.2.3"], "127.0.0.1"),
            ("127.0.0.1", vec!["somebody, ,"], "127.0.0.1"),
            ("127.0.0.1", vec![], "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for list in &forwarded {
                headers.append("x-forwarded-for", list.parse().expect("a value"));
            }
            let sender = proxies.sender(peer.parse().expect("an address"), &headers);
            assert_eq!(sender.to_string(), want, "{peer} {forwarded:?}");
        }
    }
}
