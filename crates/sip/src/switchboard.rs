//! The one endpoint with its accounts and legs: what `lib.rs` gives to the rest of the product.

use crate::account::{self, AccountHandle, Line};
use crate::door::Refused;
use crate::error::SipError;
use crate::inbound::{self, InboundCall};
use crate::leg::registry::Legs;
use crate::leg::{self, Leg};
use crate::options::SipOptions;
use crate::outbound::{self, DialOptions};
use crate::register::RegisterPolicy;
use crate::stack::Wire;
use callie_domain::{Account, ContactToken, DialTarget};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// REGISTERs in flight at once: a start with ten thousand accounts must not look like an attack.
const REGISTERS_IN_FLIGHT: usize = 64;
/// How often we look which registrar is due for a ping.
const PING_TICK: Duration = Duration::from_secs(5);

/// What the parts share.
pub(crate) struct Switchboard {
    pub wire: Arc<Wire>,
    pub legs: Arc<Legs>,
    lines: RwLock<HashMap<String, Arc<Line>>>,
}

impl Switchboard {
    /// The account whose Contact has this user part.
    pub fn line(&self, token: &str) -> Option<Arc<Line>> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    fn add(&self, line: Arc<Line>) {
        self.lines.write().unwrap_or_else(PoisonError::into_inner).insert(line.token.as_str().to_owned(), line);
    }

    fn remove(&self, line: &Line) {
        self.lines.write().unwrap_or_else(PoisonError::into_inner).remove(line.token.as_str());
    }

    fn lines(&self) -> usize {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The registrars reached by UDP, each with the shortest time between pings that one of its accounts wishes.
    fn udp_registrars(&self) -> HashMap<SocketAddr, Duration> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let mut registrars = HashMap::<SocketAddr, Duration>::new();
        for line in lines.values() {
            let every = line.keepalive(&self.wire);
            if let Some((callie_domain::Transport::Udp, address)) = line.registrar().filter(|_| !every.is_zero()) {
                registrars.entry(address).and_modify(|known| *known = every.min(*known)).or_insert(every);
            }
        }
        registrars
    }
}

/// What is up, and what was turned away. At rest all but the counters (`datagrams`, `garbage`, `lost_events`
/// and those of what was refused) are back where they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StackStats {
    pub accounts: usize,
    /// Legs whose dialog has not ended.
    pub dialogs: usize,
    pub running_transactions: usize,
    /// Kept for 64·T1 to answer repeated requests.
    pub finished_transactions: usize,
    pub waiting_ack: usize,
    /// Open TCP and TLS connections.
    pub connections: usize,
    pub datagrams: u64,
    /// Datagrams that were no SIP message.
    pub garbage: u64,
    /// Messages on connections that could not be read; each was dropped and its connection went on.
    pub malformed_messages: u64,
    /// Connections closed for what the peer sent, or did not take.
    pub broken_connections: u64,
    /// Connections of strangers turned away because there were too many.
    pub refused_connections: u64,
    /// Calls that wait for their ACK.
    pub setting_up: usize,
    /// What was turned away before any leg saw it.
    pub refused: Refused,
    /// Events of all legs lost because nobody took them.
    pub lost_events: u64,
}

/// One SIP endpoint for all accounts, UDP and TCP.
#[derive(Clone)]
pub struct SipStack {
    switchboard: Arc<Switchboard>,
    policy: RegisterPolicy,
    pace: Arc<Semaphore>,
}

impl SipStack {
    /// Listens. All tasks run in `tracker` until `cancel`; stop the accounts first, or their bindings stay behind.
    pub async fn start(
        options: SipOptions,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<InboundCall>), SipError> {
        let (wire, requests) = Wire::start(&options, tracker, cancel).await?;
        let (calls, taken) = mpsc::channel(inbound::CALLS);
        let switchboard = Arc::new(Switchboard { wire, legs: Arc::default(), lines: RwLock::default() });
        tracker.spawn(inbound::serve(switchboard.clone(), requests, calls));
        tracker.spawn(ping(switchboard.clone()));
        let pace = Arc::new(Semaphore::new(REGISTERS_IN_FLIGHT));
        Ok((Self { switchboard, policy: options.register, pace }, taken))
    }

    pub(crate) fn wire(&self) -> &Arc<Wire> {
        &self.switchboard.wire
    }

    /// Where we listen, UDP and TCP.
    pub fn local_address(&self) -> SocketAddr {
        self.switchboard.wire.local
    }

    /// Where we listen for TLS, if we do.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.switchboard.wire.tls_local
    }

    /// The address of ours that this peer can answer to.
    pub fn media_address_toward(&self, peer: Option<IpAddr>) -> IpAddr {
        self.switchboard.wire.address_toward(peer)
    }

    /// The address to write into the account's SDP: the one that its provider sees, where that is known.
    pub fn media_address_of(&self, account: &AccountHandle) -> IpAddr {
        account.line().media_address(&self.switchboard.wire)
    }

    /// Our own address toward a peer, whatever others see of us.
    pub fn interface_toward(&self, peer: Option<IpAddr>) -> IpAddr {
        self.switchboard.wire.interface_toward(peer)
    }

    /// Registers an account and keeps it registered, under a Contact of its own that nobody can guess.
    pub fn open_account(&self, account: Account) -> AccountHandle {
        let wire = self.switchboard.wire.clone();
        let line = Arc::new(Line::new(account, ContactToken::new(rand::random()), &wire));
        self.switchboard.add(line.clone());
        let (handle, task) = account::open(wire.clone(), line.clone(), self.policy.clone(), self.pace.clone());
        let switchboard = self.switchboard.clone();
        wire.tracker.spawn(async move {
            task.await;
            switchboard.remove(&line);
            line.gone();
        });
        handle
    }

    /// Calls `target` with our SDP offer.
    pub fn dial(&self, account: &AccountHandle, target: &DialTarget, sdp_offer: String) -> Leg {
        self.dial_with(account, target, sdp_offer, DialOptions::default())
    }

    /// The same, in another call's place or at another's bidding.
    pub fn dial_with(&self, account: &AccountHandle, target: &DialTarget, sdp_offer: String, options: DialOptions) -> Leg {
        outbound::dial(&self.switchboard, account.line(), target, sdp_offer, options)
    }

    /// The URI under which `account` calls `target`, for [`crate::ReferTo`].
    pub fn uri_of(&self, account: &AccountHandle, target: &DialTarget) -> String {
        outbound::callee_uri(&account.line().account(), target)
    }

    pub fn stats(&self) -> StackStats {
        let wire = self.switchboard.wire.stats();
        StackStats {
            accounts: self.switchboard.lines(),
            dialogs: self.switchboard.legs.count(),
            running_transactions: wire.running_transactions,
            finished_transactions: wire.finished_transactions,
            waiting_ack: wire.waiting_ack,
            connections: wire.connections,
            datagrams: wire.datagrams,
            garbage: wire.garbage,
            malformed_messages: wire.malformed_messages,
            broken_connections: wire.broken_connections,
            refused_connections: wire.refused_connections,
            setting_up: self.switchboard.wire.door.setting_up(),
            refused: self.switchboard.wire.door.counts.snapshot(),
            lost_events: leg::lost_events(),
        }
    }
}

/// Keeps the NAT mappings toward all UDP registrars open, one datagram for each registrar however many accounts.
async fn ping(switchboard: Arc<Switchboard>) {
    let mut pinged = HashMap::<SocketAddr, Instant>::new();
    loop {
        tokio::select! {
            () = switchboard.wire.cancel.cancelled() => return,
            () = tokio::time::sleep(PING_TICK.min(switchboard.wire.keepalive_every)) => {}
        }
        let registrars = switchboard.udp_registrars();
        pinged.retain(|registrar, _| registrars.contains_key(registrar));
        for (registrar, every) in registrars {
            if pinged.get(&registrar).is_none_or(|at| at.elapsed() >= every) {
                switchboard.wire.ping_udp(registrar).await;
                pinged.insert(registrar, Instant::now());
            }
        }
    }
}
