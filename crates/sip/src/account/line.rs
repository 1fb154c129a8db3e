//! What an account's task, its calls and its handles share.

use super::{hops, route_to};
use crate::digest::{AuthAttempt, Credentials, DigestCache, Verdict, parse_challenges};
use crate::door::{Door, Held};
use crate::error::SipError;
use crate::header;
use crate::register::Targets;
use crate::stack::{Field, Flow, Hop, Method, Reply, Wire};
use crate::trace::AccountTrace;
use callie_domain::{Account, ContactToken, Transport};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What an account's task, its calls and its handles share.
pub(crate) struct Line {
    account: RwLock<Arc<Account>>,
    pub token: ContactToken,
    pub trace: Arc<AccountTrace>,
    digest: Mutex<DigestCache>,
    /// The way to the registrar that last worked.
    flow: Mutex<Option<Flow>>,
    /// Where we are seen, when that is not where we think we are (NAT), and over what.
    seen_at: Mutex<Option<(Transport, SocketAddr)>>,
    targets: Mutex<Targets>,
    /// What the registrar wants calls to be routed through (RFC 3608).
    service_routes: RwLock<Arc<[String]>>,
    /// What the account's hosts resolved to last.
    peers: RwLock<Arc<[IpAddr]>>,
    /// These, and the one registered at, are no strangers.
    door: Arc<Door>,
    known: Mutex<(Vec<Held>, Option<Held>)>,
    /// The operator has been told that calls come from elsewhere.
    told: AtomicBool,
    pub(super) changed: Notify,
    pub(super) stopping: CancellationToken,
    pub(super) gone: CancellationToken,
    pub(super) kill: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    pub fn new(account: Account, token: ContactToken, wire: &Wire) -> Self {
        Self {
            account: RwLock::new(Arc::new(account)),
            token,
            trace: wire.recorder.account(),
            digest: Mutex::default(),
            flow: Mutex::default(),
            seen_at: Mutex::default(),
            targets: Mutex::default(),
            service_routes: RwLock::new([].into()),
            peers: RwLock::new([].into()),
            door: wire.door.clone(),
            known: Mutex::default(),
            told: AtomicBool::new(false),
            changed: Notify::new(),
            stopping: CancellationToken::new(),
            gone: CancellationToken::new(),
            kill: wire.cancel.child_token(),
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

    /// The addresses of the account's server, backup and proxy, as of the last REGISTER, and of the one registered at.
    pub fn is_peer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner).clone();
        peers.contains(&address) || self.registrar().is_some_and(|(_, at)| at.ip().to_canonical() == address)
    }

    /// `true` the first time: a call has come from an address that is none of the provider's.
    pub fn is_news(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    pub(super) fn set_peers(&self, mut peers: Vec<IpAddr>) {
        peers.sort_unstable();
        peers.dedup();
        let mut known = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if **known != *peers {
            lock(&self.known).0 = peers.iter().map(|peer| self.door.hold(*peer)).collect();
            *known = peers.into();
        }
    }

    /// The places to register at.
    pub(super) fn targets(&self) -> MutexGuard<'_, Targets> {
        lock(&self.targets)
    }

    /// Behind a NAT the registrar sees another address than ours: the REGISTER that follows names that one (RFC 3581 §4).
    /// Where peers reach us by a listener and not by the flow itself, only another address tells of a NAT.
    pub(super) fn learn_address(&self, wire: &Wire, reply: &Reply, flow: &Flow) {
        let is_told = self.external(wire).is_some() || self.account().upkeep.stun_server.is_some();
        if flow.transport == Transport::Udp && is_told {
            return;
        }
        let here = self.here(wire, flow);
        let (received, rport) = reply.seen_at();
        let seen = SocketAddr::new(received.map_or(here.ip(), |ip| ip.to_canonical()), rport.unwrap_or(here.port()));
        let is_elsewhere = if wire.is_reached_by(flow) { seen != here } else { seen.ip() != here.ip() };
        self.learn((is_elsewhere && rport.is_some()).then_some((flow.transport, seen)));
    }

    /// Where we think that we are.
    fn here(&self, wire: &Wire, flow: &Flow) -> SocketAddr {
        let here = wire.socket_of(flow);
        SocketAddr::new(self.account().upkeep.external_address.unwrap_or(here.ip()), here.port())
    }

    pub(super) fn learn(&self, seen_at: Option<(Transport, SocketAddr)>) {
        *lock(&self.seen_at) = seen_at;
    }

    /// A STUN server has told where we are; `true` when that is news.
    pub(super) fn is_seen_at(&self, seen: SocketAddr) -> bool {
        let now = Some((Transport::Udp, seen));
        std::mem::replace(&mut *lock(&self.seen_at), now) != now
    }

    pub(super) fn has_external(&self, wire: &Wire) -> bool {
        self.external(wire).is_some()
    }

    /// The address set for this account, else that of the server.
    fn external(&self, wire: &Wire) -> Option<IpAddr> {
        self.account().upkeep.external_address.or(wire.external())
    }

    /// Under which we are reached, where that is not the host's own.
    pub fn public_address(&self, wire: &Wire) -> Option<SocketAddr> {
        let external = self.external(wire).map(|ip| SocketAddr::new(ip, wire.local.port()));
        external.or(lock(&self.seen_at).map(|(_, seen)| seen))
    }

    /// The address to write into SDP.
    pub fn media_address(&self, wire: &Wire) -> IpAddr {
        let known = self.public_address(wire).map(|public| public.ip());
        known.unwrap_or_else(|| wire.address_toward(self.registrar().map(|(_, registrar)| registrar.ip())))
    }

    /// Takes the routes of a 200 to REGISTER; none of it is ours to change (RFC 3608 §5).
    pub(super) fn set_service_routes(&self, reply: &Reply) {
        let routes = header::service_routes(reply.headers("Service-Route"));
        let mut known = self.service_routes.write().unwrap_or_else(PoisonError::into_inner);
        if **known != *routes {
            *known = routes.into();
        }
    }

    /// The Route of requests that begin something: the outbound proxy, then what the registrar has asked for.
    pub fn routes(&self) -> Vec<String> {
        let account = self.account();
        let proxy = account.outbound_proxy.as_ref().map(|proxy| route_to(proxy, account.transport));
        let service = self.service_routes.read().unwrap_or_else(PoisonError::into_inner).clone();
        proxy.into_iter().chain(service.iter().cloned()).collect()
    }

    /// The way to the registrar that last worked.
    pub(super) fn set_flow(&self, flow: Option<Flow>) {
        lock(&self.known).1 = flow.as_ref().map(|flow| self.door.hold(flow.remote.ip()));
        *lock(&self.flow) = flow;
    }

    /// How often the way to the registrar is pinged; zero is never.
    pub fn keepalive(&self, wire: &Wire) -> Duration {
        self.account().upkeep.keepalive_s.map_or(wire.keepalive_every, |s| Duration::from_secs(u64::from(s)))
    }

    /// Resolves when the connection to the registrar has gone; never over UDP.
    pub(super) async fn flow_closed(&self) {
        let flow = lock(&self.flow).clone().filter(|flow| flow.transport.is_stream());
        match flow {
            Some(flow) => flow.closed().await,
            None => std::future::pending().await,
        }
    }

    /// Other details from now on.
    pub(super) fn change(&self, account: Account) {
        *self.account.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(account);
        self.changed.notify_one();
    }

    /// Our Contact URI toward a peer.
    pub fn contact_uri(&self, wire: &Wire, flow: &Flow) -> String {
        let seen = lock(&self.seen_at).filter(|(transport, _)| *transport == flow.transport);
        let here = seen.map_or_else(|| self.here(wire, flow), |(_, seen)| seen);
        let transport = match flow.transport {
            Transport::Udp => "",
            // Without it a registrar reaches us by UDP, on a port where nobody listens.
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        format!("{}:{}@{here}{transport}", self.account().scheme(), self.token)
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

    /// The first hop of requests outside a dialog: the outbound proxy, else what the registrar asked for, else the registrar.
    pub async fn first_hop(&self, wire: &Arc<Wire>) -> Result<Flow, SipError> {
        let account = self.account();
        let known = lock(&self.flow).clone().filter(|flow| !flow.is_closed() && flow.transport == account.transport);
        if account.outbound_proxy.is_none()
            && let Some(flow) = self.to_service_route(wire, known.as_ref()).await
        {
            return Ok(flow);
        }
        match known {
            Some(flow) => Ok(flow),
            None => hops::first_that_takes(wire, self, &hops::find(wire, self).await?).await,
        }
    }

    /// A registrar that is reached at all is better than a route that leads nowhere.
    async fn to_service_route(&self, wire: &Arc<Wire>, known: Option<&Flow>) -> Option<Flow> {
        let service = self.service_routes.read().unwrap_or_else(PoisonError::into_inner).clone();
        let target = header::redirect_targets(service.first().map(String::as_str).into_iter()).into_iter().next()?;
        let transport = target.transport.unwrap_or(self.account().transport);
        let address = wire.resolver.first(&target.host.host, target.host.port, transport).await.ok()?;
        match known {
            Some(flow) if (flow.transport, flow.remote) == (transport, address) => Some(flow.clone()),
            _ => wire.flow_to(transport, address, Hop::of(&self.account(), &target.host.host)).await.ok(),
        }
    }
}
