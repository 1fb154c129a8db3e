//! The places where an account may register, best first, and what is known of each: a pure value beside the machine.
//!
//! The resolver says where the account's hosts are (RFC 3263); this says which of them is next. One that failed is avoided
//! for a while and tried again after that (§4.3); one that works is kept as long as none that is better is worth a try, so
//! that equal ones are not hopped between.

use callie_domain::Transport;
use std::net::SocketAddr;
use std::sync::Arc;

/// Which of the account's hosts a place belongs to. Each is a registrar of its own, with bindings of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The server, or the outbound proxy on the way to it.
    Primary,
    Backup,
}

/// Where a REGISTER can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name that it was found under: an SRV target, or the host itself.
    pub host: Arc<str>,
    pub address: SocketAddr,
    pub transport: Transport,
    pub role: Role,
    /// 0 is best; equal ones are as good as each other (RFC 2782's priority).
    pub tier: u16,
}
