//! The places that an account's requests outside a dialog can go to, looked up anew for each REGISTER.

use super::Line;
use crate::error::SipError;
use crate::register::{Role, Target};
use crate::resolver::Places;
use crate::stack::{Flow, Hop, Wire};
use callie_domain::{Account, HostPort};
use std::net::IpAddr;
use std::sync::Arc;

/// What the account's hosts resolve to now.
#[derive(Debug)]
pub(crate) struct Hops {
    /// Best first; never empty.
    pub targets: Vec<Target>,
    /// The DNS is silent: these are the last ones known.
    pub stale: Option<String>,
}

/// Looks up the proxy or else the server, then the backup. Whoever may call this account is found on the way: the line takes
/// note of it ([`Line::is_peer`]).
pub(crate) async fn find(wire: &Arc<Wire>, line: &Line) -> Result<Hops, SipError> {
    let account = line.account();
    let look_up = async |host: &HostPort| wire.resolver.resolve(host, account.transport).await;
    let server = look_up(&account.server).await;
    let proxy = match &account.outbound_proxy {
        Some(proxy) => Some(look_up(proxy).await),
        None => None,
    };
    let backup = match &account.backup_server {
        Some(backup) => Some(look_up(backup).await),
        None => None,
    };
    line.set_peers(addresses([Some(&server), proxy.as_ref(), backup.as_ref()]));
    let mut hops = Hops { targets: Vec::new(), stale: None };
    let mut failure = None;
    for (role, found) in [(Role::Primary, Some(proxy.unwrap_or(server))), (Role::Backup, backup)] {
        match found {
            Some(Ok(found)) => {
                let target = |place: &crate::resolver::Place| Target {
                    host: place.host.clone(),
                    address: place.address,
                    transport: account.transport,
                    role,
                    tier: place.tier,
                };
                hops.targets.extend(found.places.iter().map(target));
                hops.stale = hops.stale.or(found.stale);
            }
            Some(Err(error)) => failure = failure.or(Some(error)),
            None => {}
        }
    }
    match failure {
        Some(error) if hops.targets.is_empty() => Err(error),
        _ => Ok(hops),
    }
}

fn addresses(found: [Option<&Result<Places, SipError>>; 3]) -> Vec<IpAddr> {
    let found = found.into_iter().flatten().filter_map(|found| found.as_ref().ok());
    found.flat_map(|found| found.places.iter()).map(|place| place.address.ip().to_canonical()).collect()
}

/// The way to the first of them that can be sent to.
pub(crate) async fn first_that_takes(wire: &Arc<Wire>, line: &Line, hops: &Hops) -> Result<Flow, SipError> {
    let account = line.account();
    let mut failure = SipError::Resolve { host: account.server.host.clone(), reason: "no address".into() };
    for target in &hops.targets {
        match wire.flow_to(target.transport, target.address, configured(&account, target.role)).await {
            Ok(flow) => return Ok(flow),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// What the account calls it. Over TLS this is whom it must prove to be, whatever name the DNS led to (RFC 5922 §4).
pub(super) fn configured(account: &Account, role: Role) -> Hop<'_> {
    let host = match role {
        Role::Primary => account.outbound_proxy.as_ref(),
        Role::Backup => account.backup_server.as_ref(),
    };
    Hop::of(account, &host.unwrap_or(&account.server).host)
}
