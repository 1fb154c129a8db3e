//! DNS by the stack's resolver (SRV with weights, then A and AAAA: RFC 3263 §4.2 without NAPTR), and our resolver as the
//! stack sees it where it resolves by itself (the target of an ACK).

use crate::resolver::Resolver;
use async_trait::async_trait;
use callie_domain::Transport;
use rsipstack::resolver::SipResolver;
use rsipstack::sip::{Domain, Host, Transport as StackTransport};
use rsipstack::transport::SipAddr;
use rsipstack::transport::transport_layer::DomainResolver;
use std::net::SocketAddr;

#[derive(Debug, Clone, Default)]
pub(crate) struct Dns(SipResolver);

impl Dns {
    /// The addresses of a host, best first. Without a port SRV records decide.
    pub async fn lookup(&self, host: &str, port: Option<u16>, transport: Transport) -> Result<Vec<SocketAddr>, String> {
        let transport = match transport {
            Transport::Udp => StackTransport::Udp,
            Transport::Tcp => StackTransport::Tcp,
            Transport::Tls => StackTransport::Tls,
        };
        let found = self.0.lookup(&Domain(host.to_owned()), port.map(Into::into), Some(transport), false).await?;
        Ok(found.into_iter().filter(|target| target.transport == transport).map(|target| target.addr).collect())
    }
}

pub(super) struct ForStack(pub Resolver);

#[async_trait]
impl DomainResolver for ForStack {
    async fn resolve(&self, target: &SipAddr) -> rsipstack::Result<SipAddr> {
        let Host::Domain(domain) = &target.addr.host else { return Ok(target.clone()) };
        let transport = match target.r#type {
            Some(StackTransport::Tcp) => Transport::Tcp,
            Some(StackTransport::Tls) => Transport::Tls,
            None | Some(StackTransport::Udp) => Transport::Udp,
            Some(other) => return Err(rsipstack::Error::DnsResolutionError(format!("no transport {other}"))),
        };
        let port = target.addr.port.map(|port| port.value());
        match self.0.first(&domain.0, port, transport).await {
            Ok(address) => Ok(SipAddr { r#type: target.r#type, addr: address.into() }),
            Err(error) => Err(rsipstack::Error::DnsResolutionError(error.to_string())),
        }
    }
}
