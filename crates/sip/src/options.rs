//! What the SIP side is started with.

use crate::door::Strangers;
use crate::register::RegisterPolicy;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen for TLS, and the certificate to show there: PEM files, read again when they change.
#[derive(Debug, Clone)]
pub struct TlsListen {
    pub listen: SocketAddr,
    /// The chain, our own certificate first.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How to listen, how to be reached, and how patient to be.
#[derive(Debug, Clone)]
pub struct SipOptions {
    /// UDP and TCP on the same port. Port 0 picks one that is free for both.
    pub listen: SocketAddr,
    /// SIP over TLS for peers that connect to us; connections that we open need none.
    pub tls: Option<TlsListen>,
    /// The address others reach us under, when it is not that of the interface (a fixed NAT mapping).
    pub external_address: Option<IpAddr>,
    /// Names resolved here instead of in the DNS, like `curl --resolve`.
    pub hosts: HashMap<String, SocketAddr>,
    /// Name servers to ask; with none, those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// RFC 3261's estimate of the round trip; every other time of a transaction is a multiple. 500 ms on a network.
    pub t1: Duration,
    pub register: RegisterPolicy,
    /// What those hear who know no Contact of ours.
    pub strangers: Strangers,
    /// How often the way to a registrar is pinged, where the account does not say. NAT mappings for UDP live for 30 s and more
    /// (RFC 4787 REQ-5 asks for 120 s; many give less).
    pub keepalive_every: Duration,
    /// How often the peer of a call without a session timer is asked whether it is still there.
    pub ask_peer_every: Duration,
}

impl SipOptions {
    /// RFC 3261's times, no name overridden.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            external_address: None,
            hosts: HashMap::new(),
            dns_servers: Vec::new(),
            t1: Duration::from_millis(500),
            register: RegisterPolicy::default(),
            strangers: Strangers::default(),
            keepalive_every: Duration::from_secs(25),
            ask_peer_every: Duration::from_secs(180),
        }
    }
}
