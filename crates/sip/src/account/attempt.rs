//! One REGISTER on its way: resolve, choose a place, wait for a turn, send, wait, read the reply.

use super::{Line, aor_uri, display, hops, uri_host};
use crate::digest::AuthAttempt;
use crate::error::SipError;
use crate::header::{self, SipTarget};
use crate::register::{Input, Lost, Response, Role, Step, Target, Went};
use crate::stack::{Draft, Flow, Heard, Hop, Method, Reply, Wire};
use callie_domain::HostPort;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How a REGISTER ended.
pub(super) struct Attempted {
    pub input: Input,
    pub auth: AuthAttempt,
    pub flow: Option<Flow>,
    /// Why the addresses are not today's.
    pub stale: Option<String>,
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
    pub step: Step,
    /// Where a redirection led.
    pub redirect: Option<SipTarget>,
    /// The binding to be removed.
    pub of: Option<Went>,
    /// A place that fails is avoided for so long.
    pub avoid_for: Duration,
    /// Where the account's time begins.
    pub began: Instant,
}

/// How long an account holds its turn. It is given back early when resolver or registrar are slow, so that one that is dead
/// does not hold up the accounts of others.
const TURN: Duration = Duration::from_secs(2);
/// Where another place can be asked, one that is silent is left after so many times T1: after four datagrams.
const PATIENCE_T1: u32 = 10;

/// What is asked of whom.
struct Asked {
    target: Target,
    flow: Flow,
    contact: Arc<str>,
}

impl Asked {
    fn went(&self) -> Went {
        Went { contact: self.contact.clone(), role: self.target.role }
    }
}

impl Register {
    /// Who waits for a turn holds little: the rest has a box of its own, made when the turn has come.
    pub async fn run(self, auth: AuthAttempt) -> Attempted {
        let turn = self.pace.clone().acquire_owned().await.ok();
        Box::pin(self.proceed(auth, turn)).await
    }

    async fn proceed(self, mut auth: AuthAttempt, mut turn: Option<OwnedSemaphorePermit>) -> Attempted {
        let mut stale = None;
        let (target, flow) = match within_turn(self.place(&mut stale), &mut turn).await {
            Ok((target, Ok(flow))) => (target, flow),
            Ok((target, Err(error))) => {
                let input = Input::Lost(self.lost(&target, error.to_string(), None));
                return Attempted { input, auth, flow: None, stale };
            }
            Err(error) => {
                let input = Input::Lost(Lost { why: error.to_string(), went: None, another: false });
                return Attempted { input, auth, flow: None, stale };
            }
        };
        flow.keep_alive(self.line.keepalive(&self.wire));
        let contact = match &self.of {
            Some(of) => of.contact.clone(),
            None => self.line.contact_uri(&self.wire, &flow).into(),
        };
        let asked = Asked { target, flow, contact };
        let input = match within_turn(self.exchange(&asked, &mut auth), &mut turn).await {
            Ok(Heard::Reply(reply)) => Input::Response(self.read(&reply, &asked, &mut auth)),
            Ok(Heard::Timeout) => Input::Lost(self.lost(&asked.target, "no answer from the registrar".into(), Some(&asked))),
            Ok(Heard::ConnectionLost) => Input::Lost(self.lost(&asked.target, asked.flow.loss(), Some(&asked))),
            Err(error) => Input::Lost(self.lost(&asked.target, error.to_string(), Some(&asked))),
        };
        Attempted { input, auth, flow: Some(asked.flow), stale }
    }

    /// The place to ask, and the way there.
    async fn place(&self, stale: &mut Option<String>) -> Result<(Target, Result<Flow, SipError>), SipError> {
        let account = self.line.account();
        if self.step == Step::First {
            self.line.targets().begin();
        }
        let again = self.line.targets().asked().filter(|_| self.step == Step::Again).cloned();
        let mut target = match again {
            Some(target) => target,
            None => self.choose(stale).await?,
        };
        if let Some(redirect) = self.redirect.as_ref().filter(|_| account.outbound_proxy.is_none()) {
            target.transport = redirect.transport.unwrap_or(account.transport);
            let HostPort { host, port } = &redirect.host;
            target.address = self.wire.resolver.first(host, *port, target.transport).await?;
            target.host = host.as_str().into();
        } else {
            self.line.targets().asks(&target);
        }
        let hop = match &self.redirect {
            Some(redirect) => Hop::of(&account, &redirect.host.host),
            None => hops::configured(&account, target.role),
        };
        let flow = self.wire.flow_to(target.transport, target.address, hop).await;
        Ok((target, flow))
    }

    async fn choose(&self, stale: &mut Option<String>) -> Result<Target, SipError> {
        let found = hops::find(&self.wire, &self.line).await?;
        *stale = found.stale;
        let mut targets = self.line.targets();
        targets.found(found.targets);
        let chosen = match &self.of {
            Some(of) => targets.of_role(of.role),
            None if self.expires_s == 0 => targets.asked().cloned(),
            None => targets.choose(self.began.elapsed()),
        };
        let host = &self.line.account().server.host;
        chosen.ok_or_else(|| SipError::Resolve { host: host.clone(), reason: "no address left to try".into() })
    }

    /// Waits for the final response, and not long where another place can be asked.
    async fn exchange(&self, asked: &Asked, auth: &mut AuthAttempt) -> Result<Heard, SipError> {
        let mut sent = self.wire.send(self.draft(asked, auth), &asked.flow).await?;
        let hurried = self.expires_s > 0 && self.line.targets().has_other_than(&asked.target);
        let patience = if hurried { self.wire.t1 * PATIENCE_T1 } else { self.wire.patience() * 2 };
        tokio::select! {
            heard = sent.outcome() => Ok(heard),
            () = tokio::time::sleep(patience) => Ok(Heard::Timeout),
            error = self.wire.refused(&asked.flow) => Err(error),
        }
    }

    fn draft(&self, asked: &Asked, auth: &mut AuthAttempt) -> Draft {
        let account = self.line.account();
        let uri = match &self.redirect {
            Some(target) => format!("sip:{}", target.host),
            None => format!("{}:{}", account.scheme(), uri_host(&account.aor_host)),
        };
        let aor = aor_uri(&account, None);
        let mut fields = vec![
            ("From", format!("{}<{aor}>;tag={}", display(&account.display_name), self.from_tag)),
            ("To", format!("<{aor}>")),
            ("Call-ID", self.call_id.clone()),
            ("CSeq", format!("{} REGISTER", self.cseq)),
            ("Contact", format!("<{}>", asked.contact)),
            ("Expires", self.expires_s.to_string()),
            ("Allow", Method::ALLOW.to_owned()),
            // RFC 3327 §5.1: without it a registrar must not take a Path from the proxies on the way.
            ("Supported", "path".to_owned()),
            ("User-Agent", account.user_agent.clone()),
        ];
        if let Some(proxy) = account.outbound_proxy.as_ref().filter(|_| asked.target.role == Role::Primary) {
            fields.push(("Route", super::route_to(proxy, account.transport)));
        }
        fields.extend(self.line.authorize(auth, Method::Register, &uri));
        Draft { method: Method::Register, uri, fields, body: Vec::new(), via: None }
    }

    fn read(&self, reply: &Reply, asked: &Asked, auth: &mut AuthAttempt) -> Response {
        let is_challenge = matches!(reply.code, 401 | 407);
        let is_accepted = (200..300).contains(&reply.code);
        if !is_challenge {
            auth.accepted();
        }
        let mut moved = false;
        if self.of.is_none() && (is_challenge || is_accepted) {
            self.line.learn_address(&self.wire, reply, &asked.flow);
            moved = is_accepted && self.line.contact_uri(&self.wire, &asked.flow) != *asked.contact;
        }
        if self.of.is_none() && is_accepted && self.expires_s > 0 {
            self.line.set_service_routes(reply);
        }
        let seconds = |name| reply.header(name).and_then(header::delta_seconds);
        let token = self.line.token.as_str();
        let retry_after_s = reply.header("Retry-After").and_then(header::retry_after);
        Response {
            code: reply.code,
            phrase: reply.phrase.clone(),
            granted_s: header::granted_expires(reply.headers("Contact"), reply.header("Expires"), token, self.expires_s),
            min_expires_s: seconds("Min-Expires"),
            retry_after_s,
            verdict: is_challenge.then(|| self.line.challenged(auth, reply)),
            targets: if (300..400).contains(&reply.code) {
                header::redirect_targets(reply.headers("Contact"))
            } else {
                Vec::new()
            },
            went: asked.went(),
            moved,
            another: self.judge(reply, asked, retry_after_s),
        }
    }

    /// RFC 3263 §4.3: a 503 sends us on to the next place, and so does a proxy that got no answer. A redirected request says
    /// nothing about the place that redirected it.
    fn judge(&self, reply: &Reply, asked: &Asked, retry_after_s: Option<u32>) -> bool {
        if self.redirect.is_some() || self.of.is_some() {
            return false;
        }
        let mut targets = self.line.targets();
        if matches!(reply.code, 408 | 503 | 504) {
            let why = format!("{} answered {} {}", asked.target.host, reply.code, reply.phrase);
            let asked_for = Duration::from_secs(u64::from(retry_after_s.unwrap_or(0)));
            targets.failed(&asked.target, &why, self.avoid_for.max(asked_for.min(LONGEST_AVOIDED)), self.began.elapsed());
            return targets.has_another();
        }
        if (200..300).contains(&reply.code) && self.expires_s > 0 {
            targets.works(&asked.target);
        }
        false
    }

    fn lost(&self, target: &Target, why: String, asked: Option<&Asked>) -> Lost {
        let went = asked.map(Asked::went);
        if self.redirect.is_some() || self.of.is_some() || self.expires_s == 0 {
            return Lost { why, went, another: false };
        }
        let mut targets = self.line.targets();
        targets.failed(target, &format!("{}: {why}", target.host), self.avoid_for, self.began.elapsed());
        Lost { why, went, another: targets.has_another() }
    }
}

/// Longest that a `Retry-After` keeps us away from a place where there are others.
const LONGEST_AVOIDED: Duration = Duration::from_secs(3600);

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
