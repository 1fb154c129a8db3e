//! Watches our public address for an account that names a STUN server, and tells when it has changed.

use super::Line;
use crate::stack::Wire;
use crate::stun;
use callie_domain::Transport;
use std::sync::Arc;
use std::time::Duration;

/// Between questions, where the account has no keepalive.
const ASK_EVERY: Duration = Duration::from_secs(25);
/// The first REGISTER waits for so many T1 for the first answer.
const FIRST_ANSWER_WITHIN_T1: u32 = 6;

/// Whether the account is to be watched: over UDP, without an address that somebody has set.
pub(super) fn is_watched(wire: &Wire, line: &Line) -> bool {
    let account = line.account();
    account.upkeep.stun_server.is_some() && account.transport == Transport::Udp && !line.has_external(wire)
}

/// Asks once, before the first REGISTER.
pub(super) async fn find(wire: &Arc<Wire>, line: &Line) {
    if is_watched(wire, line) {
        tokio::time::timeout(wire.t1 * FIRST_ANSWER_WITHIN_T1, ask(wire, line)).await.ok();
    }
}

/// Resolves when the address has changed, and the line knows the new one.
pub(super) async fn changed(wire: Arc<Wire>, line: Arc<Line>) {
    loop {
        if !is_watched(&wire, &line) {
            return std::future::pending().await;
        }
        let every = line.keepalive(&wire);
        tokio::time::sleep(if every.is_zero() { ASK_EVERY } else { every }).await;
        if ask(&wire, &line).await {
            return;
        }
    }
}

/// `true` when the answer is news. Silence is none.
async fn ask(wire: &Arc<Wire>, line: &Line) -> bool {
    let account = line.account();
    let Some(server) = &account.upkeep.stun_server else { return false };
    let port = Some(server.port.unwrap_or(stun::DEFAULT_PORT));
    let Ok(address) = wire.resolver.first(&server.host, port, Transport::Udp).await else { return false };
    let Some(seen) = wire.address_by_stun(address).await else { return false };
    line.is_seen_at(seen)
}
