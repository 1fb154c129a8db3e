//! From a host to addresses: fixed names first, then literal addresses, then the DNS.

use crate::error::SipError;
use crate::stack::Dns;
use callie_domain::Transport;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

const DEFAULT_PORT: u16 = 5060;

#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    hosts: Arc<HashMap<String, SocketAddr>>,
    /// Made when it is first needed: it reads the system's configuration.
    dns: Arc<OnceLock<Dns>>,
}

impl Resolver {
    pub fn new(hosts: HashMap<String, SocketAddr>) -> Self {
        let hosts = hosts.into_iter().map(|(name, address)| (name.to_ascii_lowercase(), address)).collect();
        Self { hosts: Arc::new(hosts), dns: Arc::default() }
    }

    /// All addresses, best first; never empty.
    pub async fn resolve(&self, host: &str, port: Option<u16>, transport: Transport) -> Result<Vec<SocketAddr>, SipError> {
        if let Some(known) = self.without_dns(host, port) {
            return Ok(vec![known]);
        }
        let failed = |reason: String| SipError::Resolve { host: host.to_owned(), reason };
        let dns = self.dns.get_or_init(Dns::default).clone();
        let found = dns.lookup(host, port, transport).await.map_err(failed)?;
        if found.is_empty() { Err(failed("no address".into())) } else { Ok(found) }
    }

    /// The best address.
    pub async fn first(&self, host: &str, port: Option<u16>, transport: Transport) -> Result<SocketAddr, SipError> {
        let all = self.resolve(host, port, transport).await?;
        all.first().copied().ok_or_else(|| SipError::Resolve { host: host.to_owned(), reason: "no address".into() })
    }

    fn without_dns(&self, host: &str, port: Option<u16>) -> Option<SocketAddr> {
        if let Some(fixed) = self.hosts.get(&host.to_ascii_lowercase()) {
            return Some(*fixed);
        }
        let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
        Some(SocketAddr::new(ip, port.unwrap_or(DEFAULT_PORT)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn fixed_names_and_literals_need_no_dns() {
        let hosts = HashMap::from([("SIP.zoho.com".to_owned(), SocketAddr::from(([127, 0, 0, 1], 5070)))]);
        let resolver = Resolver::new(hosts);
        for (host, port, want) in [
            ("sip.ZOHO.com", Some(5060), "127.0.0.1:5070"),
            ("192.0.2.7", None, "192.0.2.7:5060"),
            ("192.0.2.7", Some(5080), "192.0.2.7:5080"),
            ("[2001:db8::1]", Some(5061), "[2001:db8::1]:5061"),
        ] {
            let found = resolver.resolve(host, port, Transport::Udp).await.expect(host);
            assert_eq!(found, vec![want.parse::<SocketAddr>().expect("address")], "{host}");
        }
    }
}
