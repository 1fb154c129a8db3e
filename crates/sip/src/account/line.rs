//! What an account's task, its calls and its handles share.

use super::hops;
use crate::digest::{AuthAttempt, Credentials, DigestCache, Verdict, parse_challenges};
use crate::error::SipError;
use crate::stack::{Field, Flow, Method, Reply, Wire};
use crate::trace::AccountTrace;
use callie_domain::{Account, ContactToken, Transport};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
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
    /// Where the registrar saw us, when that is not where we think we are (NAT).
    seen_at: Mutex<Option<SocketAddr>>,
    /// What the account's hosts resolved to last.
    peers: RwLock<Arc<[IpAddr]>>,
    pub(super) changed: Notify,
    pub(super) stopping: CancellationToken,
    pub(super) gone: CancellationToken,
    pub(super) kill: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    pub fn new(account: Account, token: ContactToken, trace: Arc<AccountTrace>, cancel: &CancellationToken) -> Self {
        Self {
            account: RwLock::new(Arc::new(account)),
            token,
            trace,
            digest: Mutex::default(),
            flow: Mutex::default(),
            seen_at: Mutex::default(),
            peers: RwLock::new([].into()),
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

    /// The addresses of the account's server, backup and proxy, as of the last REGISTER, and of the one registered at.
    pub fn is_peer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner).clone();
        peers.contains(&address) || self.registrar().is_some_and(|(_, at)| at.ip().to_canonical() == address)
    }

    pub(super) fn set_peers(&self, mut peers: Vec<IpAddr>) {
        peers.sort_unstable();
        peers.dedup();
        let mut known = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if **known != *peers {
            *known = peers.into();
        }
    }

    /// Takes note of where the registrar saw us.
    pub(super) fn learn(&self, seen_at: Option<SocketAddr>) {
        *lock(&self.seen_at) = seen_at;
    }

    /// The way to the registrar that last worked.
    pub(super) fn set_flow(&self, flow: Option<Flow>) {
        *lock(&self.flow) = flow;
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
        let here = match *lock(&self.seen_at) {
            Some(seen) if wire.is_reached_by(flow) => seen,
            _ => wire.socket_of(flow),
        };
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

    /// The first hop of requests outside a dialog: the outbound proxy, else the registrar.
    pub async fn first_hop(&self, wire: &Arc<Wire>) -> Result<Flow, SipError> {
        let account = self.account();
        let known = lock(&self.flow).clone().filter(|flow| !flow.is_closed() && flow.transport == account.transport);
        match known {
            Some(flow) => Ok(flow),
            None => hops::first_that_takes(wire, self, &hops::find(wire, self).await?).await,
        }
    }
}
