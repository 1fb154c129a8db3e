//! One REGISTER on its way: resolve, wait for a turn, send, wait, read the reply.

use super::{Line, aor_uri, display, hops, route_to, uri_host};
use crate::digest::AuthAttempt;
use crate::error::SipError;
use crate::header::{self, SipTarget};
use crate::register::{Input, Response};
use crate::stack::{Draft, Flow, Heard, Hop, Method, Reply, Wire};
use callie_domain::Transport;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How a REGISTER ended.
pub(super) struct Attempted {
    pub input: Input,
    pub auth: AuthAttempt,
    pub flow: Option<Flow>,
}

/// One REGISTER on its way.
pub(super) struct Register {
    pub wire: Arc<Wire>,
    pub line: Arc<Line>,
    pub pace: Arc<Semaphore>,
    pub call_id: String,
    pub from_tag: String,
    pub cseq: u32,
    pub expires_s: u32,
    pub target: Option<SipTarget>,
    pub failures: usize,
}

/// How long an account holds its turn. It is given back early when resolver or registrar are slow, so that one that is dead
/// does not hold up the accounts of others.
const TURN: Duration = Duration::from_secs(2);

impl Register {
    /// Who waits for a turn holds little: the rest has a box of its own, made when the turn has come.
    pub async fn run(self, auth: AuthAttempt) -> Attempted {
        let turn = self.pace.clone().acquire_owned().await.ok();
        Box::pin(self.proceed(auth, turn)).await
    }

    async fn proceed(self, mut auth: AuthAttempt, mut turn: Option<OwnedSemaphorePermit>) -> Attempted {
        let flow = match within_turn(self.flow(), &mut turn).await {
            Ok(flow) => flow,
            Err(error) => return Attempted { input: Input::TransportError(error.to_string()), auth, flow: None },
        };
        let input = match within_turn(self.exchange(&flow, &mut auth), &mut turn).await {
            Ok(Heard::Reply(reply)) => Input::Response(self.read(&reply, &flow, &mut auth)),
            Ok(Heard::Timeout) => Input::Timeout,
            Ok(Heard::ConnectionLost) => Input::TransportError(flow.loss()),
            Err(error) => Input::TransportError(error.to_string()),
        };
        Attempted { input, auth, flow: Some(flow) }
    }

    async fn flow(&self) -> Result<Flow, SipError> {
        let account = self.line.account();
        let mut hops = hops::find(&self.wire, &self.line).await?;
        if let (None, Some(redirect)) = (&account.outbound_proxy, &self.target) {
            let transport = redirect.transport.unwrap_or(account.transport);
            let address = self.wire.resolver.first(&redirect.host.host, redirect.host.port, transport).await?;
            return self.wire.flow_to(transport, address, Hop::of(&account, &redirect.host.host)).await;
        }
        let skipped = self.failures.checked_rem(hops.targets.len()).unwrap_or(0);
        hops.targets.rotate_left(skipped);
        hops::first_that_takes(&self.wire, &self.line, &hops).await
    }

    async fn exchange(&self, flow: &Flow, auth: &mut AuthAttempt) -> Result<Heard, SipError> {
        let mut sent = self.wire.send(self.draft(flow, auth), flow).await?;
        Ok(sent.outcome().await)
    }

    fn draft(&self, flow: &Flow, auth: &mut AuthAttempt) -> Draft {
        let account = self.line.account();
        let uri = match &self.target {
            Some(target) => format!("sip:{}", target.host),
            None => format!("{}:{}", account.scheme(), uri_host(&account.aor_host)),
        };
        let aor = aor_uri(&account, None);
        let mut fields = vec![
            ("From", format!("{}<{aor}>;tag={}", display(&account.display_name), self.from_tag)),
            ("To", format!("<{aor}>")),
            ("Call-ID", self.call_id.clone()),
            ("CSeq", format!("{} REGISTER", self.cseq)),
            ("Contact", format!("<{}>", self.line.contact_uri(&self.wire, flow))),
            ("Expires", self.expires_s.to_string()),
            ("Allow", Method::ALLOW.to_owned()),
            ("User-Agent", account.user_agent.clone()),
        ];
        if let Some(proxy) = &account.outbound_proxy {
            fields.push(("Route", route_to(proxy, account.transport)));
        }
        fields.extend(self.line.authorize(auth, Method::Register, &uri));
        Draft { method: Method::Register, uri, fields, body: Vec::new(), via: None }
    }

    fn read(&self, reply: &Reply, flow: &Flow, auth: &mut AuthAttempt) -> Response {
        let is_challenge = matches!(reply.code, 401 | 407);
        if is_challenge {
            self.learn_address(reply, flow);
        } else {
            auth.accepted();
        }
        let seconds = |name| reply.header(name).and_then(header::delta_seconds);
        let token = self.line.token.as_str();
        Response {
            code: reply.code,
            phrase: reply.phrase.clone(),
            granted_s: header::granted_expires(reply.headers("Contact"), reply.header("Expires"), token, self.expires_s),
            min_expires_s: seconds("Min-Expires"),
            retry_after_s: reply.header("Retry-After").and_then(header::retry_after),
            verdict: is_challenge.then(|| self.line.challenged(auth, reply)),
            targets: if (300..400).contains(&reply.code) {
                header::redirect_targets(reply.headers("Contact"))
            } else {
                Vec::new()
            },
        }
    }

    /// Behind a NAT the registrar sees another address than ours: the authorised REGISTER that follows names that one.
    fn learn_address(&self, reply: &Reply, flow: &Flow) {
        let here = self.wire.socket_of(flow);
        let (received, rport) = reply.seen_at();
        let seen = SocketAddr::new(received.unwrap_or(here.ip()), rport.unwrap_or(here.port()));
        let is_known = flow.transport == Transport::Udp && self.wire.has_external();
        if self.wire.is_reached_by(flow) && !is_known {
            self.line.learn((seen != here && rport.is_some()).then_some(seen));
        }
    }
}

/// Does the work, and gives the turn back if it takes longer than a turn lasts.
async fn within_turn<T>(work: impl Future<Output = T>, turn: &mut Option<OwnedSemaphorePermit>) -> T {
    let mut work = std::pin::pin!(work);
    if turn.is_some() {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(TURN) => *turn = None,
        }
    }
    work.await
}
