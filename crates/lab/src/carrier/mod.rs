//! A telephone company in a box: registrar and switch on one address, with faults on cue.
//!
//! ```text
//! wire ─Heard─▶ task ─▶ switch (pure) ─Send─▶ wire
//!                        ├ registrar ─ auth, bindings
//!                        ├ relay       calls between bindings, lines and strangers
//!                        ├ fault       what goes wrong on purpose
//!                        └ ledger      what was seen
//! ```
//!
//! A call goes to the newest binding of a subscriber; there is no forking and no media.

mod auth;
mod bindings;
mod directory;
mod fault;
mod ledger;
mod registrar;
mod relay;
mod switch;
mod task;
#[cfg(test)]
mod tests;

pub use bindings::Binding;
pub use directory::{Algorithms, Destination, Subscriber};
pub use fault::Fault;
pub use ledger::{CarrierEvent, SeenRegister};

use crate::certificate::Authority;
use crate::waiting::TooLate;
use crate::wire::Wire;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use switch::Switch;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// A carrier's TLS: with a certificate made at its start by an authority of its own ([`Carrier::authority`]).
#[derive(Clone, Debug)]
pub struct CarrierTls {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What the certificate is for: names and addresses.
    pub names: Vec<String>,
}

/// How a carrier is set up.
#[derive(Clone, Debug)]
pub struct CarrierOptions {
    /// UDP and TCP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS, too.
    pub tls: Option<CarrierTls>,
    /// Realm of the challenges; the carrier's own address if `None`.
    pub domain: Option<String>,
    pub subscribers: Vec<Subscriber>,
    /// Callers who are no subscribers may call without a password.
    pub open_to_strangers: bool,
    /// Given when a REGISTER names no time, in seconds.
    pub default_expires_s: u32,
    /// Less is answered by 423, in seconds.
    pub min_expires_s: u32,
    /// More is cut down to this, in seconds.
    pub max_expires_s: u32,
    /// After it a nonce is stale.
    pub nonce_life: Duration,
    /// Offer `qop="auth"`.
    pub qop: bool,
}

impl Default for CarrierOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            domain: None,
            subscribers: Vec::new(),
            open_to_strangers: true,
            default_expires_s: 3600,
            min_expires_s: 1,
            max_expires_s: 3600,
            nonce_life: Duration::from_secs(300),
            qop: true,
        }
    }
}

#[derive(Debug)]
struct Secure {
    local: SocketAddr,
    authority: Authority,
}

impl Secure {
    async fn open(options: &CarrierTls, wire: &Arc<Wire>) -> io::Result<Self> {
        let authority = Authority::new()?;
        let acceptor = authority.acceptor(options.names.clone())?;
        let listener = TcpListener::bind(options.listen).await?;
        let local = listener.local_addr()?;
        wire.listen_tls(listener, acceptor);
        Ok(Self { local, authority })
    }
}

/// A running carrier. Dropping it ends its tasks; [`Carrier::stop`] also waits for them.
#[derive(Debug)]
pub struct Carrier {
    wire: Arc<Wire>,
    secure: Option<Secure>,
    /// Taken once per message and per question, never across an await.
    switch: Arc<Mutex<Switch>>,
    events: broadcast::Sender<CarrierEvent>,
    changed: watch::Receiver<u64>,
    tracker: TaskTracker,
    _running: DropGuard,
}

impl Carrier {
    /// Binds and begins to serve.
    pub async fn start(options: CarrierOptions) -> io::Result<Self> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let (wire, inbox) = Wire::open(options.listen, &tracker, &token).await?;
        let secure = match &options.tls {
            Some(tls) => Some(Secure::open(tls, &wire).await?),
            None => None,
        };
        // The live feed: a listener that is more than this many events behind misses the oldest.
        let (events, _) = broadcast::channel(1024);
        let (revision, changed) = watch::channel(0);
        let switch = Arc::new(Mutex::new(Switch::new(options, wire.local(), secure.as_ref().map(|s| s.local), events.clone())));
        let task = task::CarrierTask { wire: Arc::clone(&wire), switch: Arc::clone(&switch), revision };
        tracker.spawn(token.clone().run_until_cancelled_owned(task.run(inbox)));
        Ok(Self { wire, secure, switch, events, changed, tracker, _running: token.drop_guard() })
    }

    /// Ends every task and socket.
    pub async fn stop(self) {
        let Self { tracker, _running, .. } = self;
        drop(_running);
        tracker.close();
        tracker.wait().await;
    }

    /// Where to send SIP, over UDP or TCP.
    pub fn address(&self) -> SocketAddr {
        self.wire.local()
    }

    /// Where to send SIP over TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.secure.as_ref().map(|secure| secure.local)
    }

    /// Whom its clients over TLS have to trust, PEM.
    pub fn authority(&self) -> Option<String> {
        self.secure.as_ref().map(|secure| secure.authority.pem())
    }

    pub fn events(&self) -> broadcast::Receiver<CarrierEvent> {
        self.events.subscribe()
    }

    /// Adds a subscriber, or replaces the one of that name.
    pub fn add_subscriber(&self, subscriber: Subscriber) {
        self.switch().directory.add(subscriber);
    }

    /// Lets `number` reach a subscriber or a telephone that does not register.
    pub fn add_number(&self, number: &str, destination: Destination) {
        self.switch().directory.add_number(number, destination);
    }

    /// Makes a fault happen to everybody from now on.
    pub fn fault(&self, fault: Fault) {
        self.set_fault(None, fault);
    }

    /// Makes a fault happen to one subscriber from now on.
    pub fn fault_for(&self, username: &str, fault: Fault) {
        self.set_fault(Some(username), fault);
    }

    /// All is well again.
    pub fn clear_faults(&self) {
        self.switch().faults.clear();
    }

    /// What this subscriber's REGISTERs were, oldest first (the last thousand).
    pub fn registers(&self, username: &str) -> Vec<SeenRegister> {
        self.switch().ledger.registers(username)
    }

    /// Every binding that has not expired.
    pub fn bindings(&self) -> Vec<Binding> {
        self.switch().bindings.all(Instant::now())
    }

    /// How many requests of that method came in, repeated ones too.
    pub fn seen(&self, method: &str) -> u64 {
        self.switch().ledger.requests(method)
    }

    /// How many responses with that code came in for relaying.
    pub fn seen_responses(&self, code: u16) -> u64 {
        self.switch().ledger.responses(code)
    }

    /// Datagrams and streams that were not SIP.
    pub fn garbage_count(&self) -> u64 {
        self.wire.garbage_count()
    }

    /// Calls that have begun and not ended.
    pub fn calls_up(&self) -> usize {
        self.switch().relay.calls_up()
    }

    /// Waits until the subscriber has a binding.
    pub async fn wait_registered(&self, username: &str, deadline: Duration) -> Result<(), TooLate> {
        self.wait_until(&format!("registration of {username}"), deadline, |carrier| {
            carrier.bindings().iter().any(|binding| binding.username == username)
        })
        .await
    }

    /// Waits until the subscriber has no binding.
    pub async fn wait_unregistered(&self, username: &str, deadline: Duration) -> Result<(), TooLate> {
        self.wait_until(&format!("end of the registration of {username}"), deadline, |carrier| {
            carrier.bindings().iter().all(|binding| binding.username != username)
        })
        .await
    }

    /// Waits until `condition` holds; it is asked again after every message and ten times a second.
    pub async fn wait_until(&self, what: &str, deadline: Duration, condition: impl Fn(&Self) -> bool) -> Result<(), TooLate> {
        let mut changed = self.changed.clone();
        let waiting = async {
            while !condition(self) {
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(deadline, waiting).await.map_err(|_| TooLate::new(what, deadline))
    }

    fn set_fault(&self, username: Option<&str>, fault: Fault) {
        let mut switch = self.switch();
        if fault == Fault::Restart {
            switch.restart();
            drop(switch);
            self.wire.close_streams();
        } else {
            switch.faults.set(username, fault);
        }
    }

    fn switch(&self) -> MutexGuard<'_, Switch> {
        self.switch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
