//! What can go wrong between us and a peer, told apart by what a caller can do about it.

use crate::stack::TlsFault;
use std::net::SocketAddr;

#[derive(Debug, thiserror::Error)]
pub enum SipError {
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot resolve {host}: {reason}")]
    Resolve { host: String, reason: String },
    #[error("cannot connect to {address}: {reason}")]
    Connect { address: SocketAddr, reason: String },
    #[error("no secure connection to {address}: {fault}")]
    Tls { address: SocketAddr, fault: TlsFault },
    #[error("cannot send to {address}: {reason}")]
    Send { address: SocketAddr, reason: String },
    /// A value that would break out of its header field. It is never sent.
    #[error("value for {0} has characters that a header must not have")]
    UnsafeHeader(&'static str),
    #[error("{0:?} is not a sip uri")]
    BadUri(String),
    #[error("the sip stack failed: {0}")]
    Stack(String),
}
