//! From a host to places: fixed names first, then literal addresses, then the DNS (RFC 3263).
//!
//! A DNS that is silent must not cost a line its registrar: [`Resolver::resolve`] remembers the last complete answer for
//! the hosts of accounts, and says so when it has to give an old one.

mod dns;
mod locate;

pub(crate) use dns::Families;

use crate::error::SipError;
use callie_domain::{HostPort, Transport};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Hosts remembered: they come from users' accounts, never from the network.
const REMEMBERED: usize = 16_384;

/// One address of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The name that it was found under: an SRV target, or the host itself.
    pub host: Arc<str>,
    pub address: SocketAddr,
    /// 0 is best.
    pub tier: u16,
}

/// The places of a host, best first; never empty.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub places: Arc<[Place]>,
    /// Why these are the last ones known and not today's.
    pub stale: Option<String>,
}

type Key = (HostPort, Transport);

#[derive(Clone)]
pub(crate) struct Resolver {
    hosts: Arc<HashMap<String, SocketAddr>>,
    servers: Arc<[SocketAddr]>,
    families: Families,
    /// Made when it is first needed: it reads the system's configuration.
    dns: Arc<OnceLock<Result<dns::Dns, String>>>,
    last_good: Arc<Mutex<HashMap<Key, Arc<[Place]>>>>,
}

impl Resolver {
    /// `servers` are asked; with none, those of the system.
    pub fn new(hosts: HashMap<String, SocketAddr>, servers: Vec<SocketAddr>, families: Families) -> Self {
        let hosts = hosts.into_iter().map(|(name, address)| (name.to_ascii_lowercase(), address)).collect();
        let (dns, last_good) = (Arc::default(), Arc::default());
        Self { hosts: Arc::new(hosts), servers: servers.into(), families, dns, last_good }
    }

    /// All places of an account's host.
    pub async fn resolve(&self, host: &HostPort, transport: Transport) -> Result<Places, SipError> {
        if let Some(place) = self.without_dns(&host.host, host.port, transport) {
            return Ok(Places { places: [place].into(), stale: None });
        }
        let key = (host.clone(), transport);
        let found = self.locate(&host.host, host.port, transport).await;
        let complete = found.doubt.is_none() && !found.places.is_empty();
        let mut last_good = self.last_good.lock().unwrap_or_else(PoisonError::into_inner);
        if !complete && let Some(known) = last_good.get(&key) {
            let why = found.doubt.unwrap_or_else(|| "the name has no address any more".into());
            return Ok(Places { places: known.clone(), stale: Some(why) });
        }
        let places: Arc<[Place]> = found.places.into();
        if complete && (last_good.len() < REMEMBERED || last_good.contains_key(&key)) {
            last_good.insert(key, places.clone());
        }
        drop(last_good);
        match places.is_empty() {
            true => Err(no_address(&host.host, found.doubt)),
            false => Ok(Places { places, stale: None }),
        }
    }

    /// The best address of a host that a peer has named. Nothing is remembered.
    pub async fn first(&self, host: &str, port: Option<u16>, transport: Transport) -> Result<SocketAddr, SipError> {
        if let Some(place) = self.without_dns(host, port, transport) {
            return Ok(place.address);
        }
        let found = self.locate(host, port, transport).await;
        found.places.first().map(|place| place.address).ok_or_else(|| no_address(host, found.doubt))
    }

    async fn locate(&self, host: &str, port: Option<u16>, transport: Transport) -> locate::Located {
        let dns = self.dns.get_or_init(|| dns::Dns::new(&self.servers, self.families).map_err(|e| e.to_string()));
        match dns {
            Ok(dns) => locate::locate(dns, host, port, transport, rand::random).await,
            Err(why) => locate::Located { doubt: Some(why.clone()), ..locate::Located::default() },
        }
    }

    fn without_dns(&self, host: &str, port: Option<u16>, transport: Transport) -> Option<Place> {
        let place = |address| Place { host: host.into(), address, tier: 0 };
        if let Some(fixed) = self.hosts.get(&host.to_ascii_lowercase()) {
            return Some(place(*fixed));
        }
        let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
        Some(place(SocketAddr::new(ip, port.unwrap_or(transport.default_port()))))
    }
}

fn no_address(host: &str, doubt: Option<String>) -> SipError {
    SipError::Resolve { host: host.to_owned(), reason: doubt.unwrap_or_else(|| "no address".into()) }
}

#[cfg(test)]
mod tests;
