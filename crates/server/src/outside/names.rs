//! Names to addresses, for the client that connects to these addresses and to no others. What a name meant a moment ago, when
//! somebody looked, decides nothing: it may mean something else by now.

use super::address::{is_in, is_public};
use crate::config::PrivateTargets;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Asks for the addresses of a name.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The system's own.
pub(super) fn system() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// A host that may not be reached; or not under any of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host} leads to {address}, which is no public address; if that is meant, the operator allows it by CALLIE_ALLOW_PRIVATE_TARGETS"
)]
pub(super) struct Forbidden {
    pub host: String,
    pub address: IpAddr,
}

/// Which addresses may be connected to. Cheap to clone.
#[derive(Clone)]
pub(super) struct Names {
    allowed: Arc<PrivateTargets>,
    lookup: Lookup,
}

impl Names {
    pub fn new(allowed: PrivateTargets, lookup: Lookup) -> Self {
        Self { allowed: Arc::new(allowed), lookup }
    }

    /// Whether a host under this address may be reached.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        if is_public(address) || is_in(address, &self.allowed.nets) || self.allowed.has_host(host) {
            return Ok(());
        }
        Err(Forbidden { host: host.to_owned(), address })
    }

    async fn addresses(self, host: String) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let found = (self.lookup)(host.clone()).await?;
        let mut refused = None;
        let mut may = Vec::new();
        for address in found {
            match self.check(&host, address) {
                Ok(()) => may.push(SocketAddr::new(address, 0)),
                Err(forbidden) => refused = Some(forbidden),
            }
        }
        match refused {
            Some(forbidden) if may.is_empty() => Err(Box::new(forbidden)),
            _ => Ok(Box::new(may.into_iter())),
        }
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(self.clone().addresses(name.as_str().to_owned()))
    }
}
