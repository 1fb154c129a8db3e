//! Asks whether anybody listens at a UDP address. The socket for everything is connected to nobody, so it never hears of
//! an ICMP refusal; a small one that is connected to the peer does, within a round trip instead of 32 s.

use super::Wire;
use super::flow::Flow;
use crate::error::SipError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::UdpSocket;

/// What keeps a mapping open says nothing to a SIP server (RFC 5626 §3.5.1).
const KNOCK: &[u8] = b"\r\n\r\n";

impl Wire {
    /// Resolves with the error when the peer's host says that nobody listens there, or that there is no way to it. Never
    /// before an answer would have come, and never for connections: those tell by themselves.
    pub async fn refused(&self, flow: &Flow) -> SipError {
        if !flow.transport.is_stream() {
            for pause in [1, 2, 4] {
                tokio::time::sleep(self.t1 * pause).await;
                if let Some(error) = knock(flow.remote, self.t1 * pause).await {
                    return SipError::Send { address: flow.remote, reason: error.kind().to_string() };
                }
            }
        }
        std::future::pending().await
    }
}

/// The error that a datagram meets; `None` when it meets none in time.
async fn knock(peer: SocketAddr, within: std::time::Duration) -> Option<std::io::Error> {
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    tokio::time::timeout(within, error_of(&socket, peer)).await.ok()
}

async fn error_of(socket: &UdpSocket, peer: SocketAddr) -> std::io::Error {
    if let Err(error) = socket.connect(peer).await {
        return error;
    }
    if let Err(error) = socket.send(KNOCK).await {
        return error;
    }
    loop {
        // Whatever comes back is no refusal.
        if let Err(error) = socket.recv(&mut [0; 64]).await {
            return error;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_told_from_one_that_is_silent() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
        let address = silent.local_addr().expect("bound");
        assert!(knock(address, Duration::from_millis(50)).await.is_none());
        drop(silent);
        let error = knock(address, Duration::from_secs(5)).await.expect("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
