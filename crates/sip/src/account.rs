//! One account's task: keeps its registration by driving the pure machine of [`crate::register`].
//!
//! The task is small while it waits (no request, no resolver, no buffer is held); what a REGISTER needs lives in a boxed
//! future for as long as the request is under way. Calls use the account's [`Line`]: its digest cache, its Contact
//! token, its way to the registrar.
//!
//! ```text
//!   AccountHandle ── update, stop ──▶ task ◀── deadline, flow closed
//!                 ◀── status ──────    │ ▲
//!                                      ▼ │ handle(input, now) → outputs
//!                                 Registration ──SendRegister──▶ Attempt (boxed) ──▶ Wire
//! ```

use crate::digest::{AuthAttempt, Credentials, DigestCache, Verdict, parse_challenges};
use crate::error::SipError;
use crate::header::{self, SipTarget};
use crate::register::{Input, Output, RegisterPolicy, Registration, Response};
use crate::stack::{Draft, Field, Flow, Heard, Method, Reply, Wire, random_token};
use callie_domain::registration::RegistrationStatus;
use callie_domain::{Account, ContactToken, HostPort, Transport, UserId};
use futures::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// How long [`AccountHandle::stop`] waits for the registrar to confirm.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// What an account's task, its calls and its handles share.
pub(crate) struct Line {
    account: RwLock<Arc<Account>>,
    pub token: ContactToken,
    digest: Mutex<DigestCache>,
    /// The way to the registrar that last worked.
    flow: Mutex<Option<Flow>>,
    /// Where the registrar saw us, when that is not where we think we are (NAT).
    seen_at: Mutex<Option<SocketAddr>>,
    changed: Notify,
    stopping: CancellationToken,
    gone: CancellationToken,
    kill: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    pub fn new(account: Account, token: ContactToken, cancel: &CancellationToken) -> Self {
        Self {
            account: RwLock::new(Arc::new(account)),
            token,
            digest: Mutex::default(),
            flow: Mutex::default(),
            seen_at: Mutex::default(),
            changed: Notify::new(),
            stopping: CancellationToken::new(),
            gone: CancellationToken::new(),
            kill: cancel.child_token(),
        }
    }

    /// The account has ended: whoever waits in [`AccountHandle::stop`] may go on.
    pub fn gone(&self) {
        self.gone.cancel();
    }

    pub fn account(&self) -> Arc<Account> {
        self.account.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The registrar's address, when we have talked to it.
    pub fn registrar(&self) -> Option<(Transport, SocketAddr)> {
        lock(&self.flow).as_ref().map(|flow| (flow.transport, flow.remote))
    }

    /// Our Contact URI toward a peer.
    pub fn contact_uri(&self, wire: &Wire, flow: &Flow) -> String {
        let here = match *lock(&self.seen_at) {
            Some(seen) if flow.transport == Transport::Udp => seen,
            _ => wire.socket_toward(flow.remote.ip()),
        };
        let transport = match flow.transport {
            Transport::Udp => "",
            // Without it a registrar reaches us by UDP, on a port where nobody listens.
            Transport::Tcp => ";transport=tcp",
        };
        format!("sip:{}@{here}{transport}", self.token)
    }

    /// Takes in the challenges of a 401 or 407.
    pub fn challenged(&self, attempt: &mut AuthAttempt, reply: &Reply) -> Verdict {
        let www = parse_challenges(reply.headers("WWW-Authenticate"));
        let proxy = parse_challenges(reply.headers("Proxy-Authenticate"));
        lock(&self.digest).challenged(attempt, &www, &proxy)
    }

    /// Credentials for a request about to be sent.
    pub fn authorize(&self, attempt: &mut AuthAttempt, method: Method, uri: &str) -> Vec<Field> {
        let account = self.account();
        let credentials = Credentials { username: &account.auth_username, password: &account.password };
        let cnonce = format!("{:016x}", rand::random::<u64>());
        lock(&self.digest).authorize(attempt, method.as_str(), uri, credentials, &cnonce)
    }

    /// The first hop of requests outside a dialog: the outbound proxy, else the registrar.
    pub async fn first_hop(&self, wire: &Arc<Wire>) -> Result<Flow, SipError> {
        let account = self.account();
        let hop = account.outbound_proxy.as_ref().unwrap_or(&account.server);
        let known = lock(&self.flow).clone().filter(|flow| !flow.is_closed() && flow.transport == account.transport);
        match known {
            Some(flow) => Ok(flow),
            None => resolve_hop(wire, hop, account.transport, 0).await,
        }
    }
}

/// The way to a host: to its first address, or, after failures, to one of the others (RFC 3263 §4.3).
async fn resolve_hop(wire: &Arc<Wire>, hop: &HostPort, transport: Transport, failures: usize) -> Result<Flow, SipError> {
    let mut failure = None;
    let mut addresses = wire.resolver.resolve(&hop.host, hop.port, transport).await?;
    let skipped = failures.checked_rem(addresses.len()).unwrap_or(0);
    addresses.rotate_left(skipped);
    for address in addresses {
        match wire.flow_to(transport, address).await {
            Ok(flow) => return Ok(flow),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| SipError::Resolve { host: hop.host.clone(), reason: "no address".into() }))
}

/// An account that is being kept registered. The last one dropped ends it, like [`AccountHandle::stop`] without waiting.
#[derive(Clone)]
pub struct AccountHandle {
    inner: Arc<Held>,
}

struct Held {
    line: Arc<Line>,
    user: UserId,
    status: watch::Receiver<RegistrationStatus>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.line.stopping.cancel();
    }
}

impl AccountHandle {
    pub fn user(&self) -> &UserId {
        &self.inner.user
    }

    pub fn status(&self) -> watch::Receiver<RegistrationStatus> {
        self.inner.status.clone()
    }

    /// New details for the same binding: registers again at once under the same Contact.
    pub fn update(&self, account: Account) {
        *self.inner.line.account.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(account);
        self.inner.line.changed.notify_one();
    }

    /// Removes the binding; returns when the registrar has confirmed, or after 2 s without that.
    pub async fn stop(&self) {
        let line = &self.inner.line;
        line.stopping.cancel();
        if tokio::time::timeout(STOP_WITHIN, line.gone.cancelled()).await.is_err() {
            line.kill.cancel();
            line.gone.cancelled().await;
        }
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.inner.line
    }
}

/// How a REGISTER ended.
struct Attempted {
    input: Input,
    auth: AuthAttempt,
    flow: Option<Flow>,
}

/// The task's state.
struct Task {
    wire: Arc<Wire>,
    line: Arc<Line>,
    pace: Arc<Semaphore>,
    machine: Registration,
    status: watch::Sender<RegistrationStatus>,
    call_id: String,
    from_tag: String,
    cseq: u32,
    auth: AuthAttempt,
    contact: Option<String>,
    began: Instant,
    stopping: bool,
    /// Requests that an address of the registrar did not answer: the next one goes to another.
    failures: usize,
    /// The REGISTER under way.
    attempt: Option<BoxFuture<'static, Attempted>>,
}

/// Makes the handle and the task to spawn for it.
pub(crate) fn open(
    wire: Arc<Wire>,
    line: Arc<Line>,
    policy: RegisterPolicy,
    pace: Arc<Semaphore>,
) -> (AccountHandle, impl Future<Output = ()> + Send + 'static) {
    let (status, watched) = watch::channel(RegistrationStatus::OFF);
    let user = line.account().user.clone();
    let handle = AccountHandle { inner: Arc::new(Held { line: line.clone(), user, status: watched }) };
    let task = Task {
        wire,
        line,
        pace,
        machine: Registration::new(policy),
        status,
        call_id: random_token(22),
        from_tag: random_token(10),
        cseq: 0,
        auth: AuthAttempt::default(),
        contact: None,
        began: Instant::now(),
        stopping: false,
        failures: 0,
        attempt: None,
    };
    (handle, task.run())
}

impl Task {
    async fn run(mut self) {
        let line = self.line.clone();
        let mut done = self.feed(Input::Start);
        while !done {
            let input = tokio::select! {
                biased;
                () = line.kill.cancelled() => break,
                () = line.stopping.cancelled(), if !self.stopping => { self.stopping = true; Input::Stop }
                () = line.changed.notified() => Input::CredentialsChanged,
                attempted = under_way(&mut self.attempt) => self.take(attempted),
                () = flow_closed(&line) => { *lock(&line.flow) = None; Input::FlowClosed }
                () = until(self.began, self.machine.deadline()) => Input::TimerFired,
            };
            done = self.feed(input);
        }
        self.publish_off();
    }

    /// Lets the machine decide and carries it out; `true` when the account has ended.
    fn feed(&mut self, input: Input) -> bool {
        let now = self.began.elapsed();
        let mut done = false;
        for output in self.machine.handle(input, now, rand::random()) {
            match output {
                Output::SendRegister { expires_s, new_attempt, target } => self.send(expires_s, new_attempt, target),
                Output::Status(change) => {
                    let status = change.to_status(now, jiff::Timestamp::now(), self.contact.clone());
                    tracing::debug!(state = ?status.state, reason = status.reason, "registration");
                    self.status.send_replace(status);
                }
                Output::Done => done = true,
            }
        }
        done
    }

    fn send(&mut self, expires_s: u32, new_attempt: bool, target: Option<SipTarget>) {
        if new_attempt {
            self.auth = AuthAttempt::default();
        }
        self.cseq = self.cseq.wrapping_add(1).max(1);
        let register = Register {
            wire: self.wire.clone(),
            line: self.line.clone(),
            pace: self.pace.clone(),
            call_id: self.call_id.clone(),
            from_tag: self.from_tag.clone(),
            cseq: self.cseq,
            expires_s,
            target,
            failures: self.failures,
        };
        self.attempt = Some(Box::pin(register.run(self.auth.clone())));
    }

    fn take(&mut self, attempted: Attempted) -> Input {
        self.attempt = None;
        self.auth = attempted.auth;
        if matches!(attempted.input, Input::Timeout | Input::TransportError(_)) {
            self.failures = self.failures.wrapping_add(1);
        }
        if let Some(flow) = attempted.flow {
            self.contact = Some(self.line.contact_uri(&self.wire, &flow));
            *lock(&self.line.flow) = Some(flow);
        }
        attempted.input
    }

    fn publish_off(&self) {
        let attempts = self.status.borrow().attempts;
        let since = Some(jiff::Timestamp::now());
        self.status.send_replace(RegistrationStatus { attempts, since, ..RegistrationStatus::OFF });
    }
}

async fn under_way(attempt: &mut Option<BoxFuture<'static, Attempted>>) -> Attempted {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

fn flow_closed(line: &Line) -> BoxFuture<'static, ()> {
    match lock(&line.flow).clone() {
        Some(flow) if flow.transport == Transport::Tcp => Box::pin(async move { flow.closed().await }),
        _ => Box::pin(std::future::pending()),
    }
}

async fn until(began: Instant, deadline: Option<Duration>) {
    match deadline.and_then(|deadline| began.checked_add(deadline)) {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// One REGISTER on its way.
struct Register {
    wire: Arc<Wire>,
    line: Arc<Line>,
    pace: Arc<Semaphore>,
    call_id: String,
    from_tag: String,
    cseq: u32,
    expires_s: u32,
    target: Option<SipTarget>,
    failures: usize,
}

impl Register {
    async fn run(self, mut auth: AuthAttempt) -> Attempted {
        let flow = match self.flow().await {
            Ok(flow) => flow,
            Err(error) => return Attempted { input: Input::TransportError(error.to_string()), auth, flow: None },
        };
        let input = match self.exchange(&flow, &mut auth).await {
            Ok(Heard::Reply(reply)) => Input::Response(self.read(&reply, &flow, &mut auth)),
            Ok(Heard::Timeout) => Input::Timeout,
            Ok(Heard::ConnectionLost) => Input::TransportError("connection lost".into()),
            Err(error) => Input::TransportError(error.to_string()),
        };
        Attempted { input, auth, flow: Some(flow) }
    }

    async fn flow(&self) -> Result<Flow, SipError> {
        let account = self.line.account();
        let (hop, transport) = match (&account.outbound_proxy, &self.target) {
            (Some(proxy), _) => (proxy, account.transport),
            (None, Some(target)) => (&target.host, target.transport.unwrap_or(account.transport)),
            (None, None) => (&account.server, account.transport),
        };
        resolve_hop(&self.wire, hop, transport, self.failures).await
    }

    /// Sends and waits. The turn is given back early when the registrar is slow, so that one that is dead does not hold
    /// up the accounts of others.
    async fn exchange(&self, flow: &Flow, auth: &mut AuthAttempt) -> Result<Heard, SipError> {
        const TURN: Duration = Duration::from_secs(2);
        let turn = self.pace.acquire().await.ok();
        let mut sent = self.wire.send(self.draft(flow, auth), flow).await?;
        tokio::select! {
            heard = sent.outcome() => return Ok(heard),
            () = tokio::time::sleep(TURN) => {}
        }
        drop(turn);
        Ok(sent.outcome().await)
    }

    fn draft(&self, flow: &Flow, auth: &mut AuthAttempt) -> Draft {
        let account = self.line.account();
        let uri = match &self.target {
            Some(target) => format!("sip:{}", target.host),
            None => format!("sip:{}", uri_host(&account.aor_host)),
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
        let here = self.wire.socket_toward(flow.remote.ip());
        let (received, rport) = reply.seen_at();
        let seen = SocketAddr::new(received.unwrap_or(here.ip()), rport.unwrap_or(here.port()));
        if flow.transport == Transport::Udp && !self.wire.has_external() {
            *lock(&self.line.seen_at) = (seen != here && rport.is_some()).then_some(seen);
        }
    }
}

/// `sip:user@host` of the account, or of another user at its host.
pub(crate) fn aor_uri(account: &Account, user: Option<&str>) -> String {
    format!("sip:{}@{}", escape_user(user.unwrap_or(&account.aor_user)), uri_host(&account.aor_host))
}

/// A user part with everything escaped that RFC 3261 §25.1 does not allow there, `#` of a feature code among it.
pub(crate) fn escape_user(user: &str) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// IPv6 addresses in brackets.
pub(crate) fn uri_host(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') && host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

pub(crate) fn route_to(proxy: &HostPort, transport: Transport) -> String {
    match transport {
        Transport::Udp => format!("<sip:{proxy};lr>"),
        Transport::Tcp => format!("<sip:{proxy};transport=tcp;lr>"),
    }
}

/// A display name as a quoted string with a space after it, or nothing.
pub(crate) fn display(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    match name.trim() {
        "" => String::new(),
        name => format!("\"{}\" ", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_are_quoted() {
        for (name, quoted) in [("", ""), ("Bob", "\"Bob\" "), ("a\"b\\c", "\"a\\\"b\\\\c\" "), ("x\r\ny", "\"xy\" ")] {
            assert_eq!(display(name), quoted);
        }
    }

    #[test]
    fn users_are_escaped() {
        for (user, written) in [("+123", "+123"), ("*97#", "*97%23"), ("a b", "a%20b"), ("a@b:c", "a%40b%3Ac")] {
            assert_eq!(escape_user(user), written);
        }
    }

    #[test]
    fn hosts_are_bracketed() {
        for (host, written) in [("a.b", "a.b"), ("::1", "[::1]"), ("[::1]", "[::1]"), ("h:5060", "h:5060")] {
            assert_eq!(uri_host(host), written);
        }
    }
}
