//! What the SIP side is started with.

use crate::register::RegisterPolicy;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How to listen, how to be reached, and how patient to be.
#[derive(Debug, Clone)]
pub struct SipOptions {
    /// UDP and TCP on the same port. Port 0 picks one that is free for both.
    pub listen: SocketAddr,
    /// The address others reach us under, when it is not that of the interface (a fixed NAT mapping).
    pub external_address: Option<IpAddr>,
    /// Names resolved here instead of in the DNS, like `curl --resolve`.
    pub hosts: HashMap<String, SocketAddr>,
    /// Name servers to ask; with none, those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// RFC 3261's estimate of the round trip; every other time of a transaction is a multiple. 500 ms on a network.
    pub t1: Duration,
    pub register: RegisterPolicy,
}

impl SipOptions {
    /// RFC 3261's times, no name overridden.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            external_address: None,
            hosts: HashMap::new(),
            dns_servers: Vec::new(),
            t1: Duration::from_millis(500),
            register: RegisterPolicy::default(),
        }
    }
}
