//! Our resolver as the stack sees it where it resolves by itself (the target of an ACK).

use crate::resolver::Resolver;
use async_trait::async_trait;
use callie_domain::Transport;
use rsipstack::sip::{Host, Transport as StackTransport};
use rsipstack::transport::SipAddr;
use rsipstack::transport::transport_layer::DomainResolver;

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
