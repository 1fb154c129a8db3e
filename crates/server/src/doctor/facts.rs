//! What an examination saw, before anybody judged it.

use callie_domain::record::{Cdr, SipMessage};
use callie_domain::registration::RegistrationStatus;
use callie_domain::{Account, HostPort};
use callie_sip::{Answered, LookedUp};
use std::net::{IpAddr, SocketAddr};

/// Everything, in the order in which it was learned. What could not be tried is an error that says why.
#[derive(Debug, Clone)]
pub struct Facts {
    pub account: Account,
    pub looked_up: Result<LookedUp, String>,
    pub asked: Result<Answered, String>,
    /// The line runs for calls, and not only for this examination.
    pub connected: bool,
    pub registration: RegistrationStatus,
    /// The account's REGISTERs and what came back, oldest first.
    pub messages: Vec<SipMessage>,
    /// Our end toward the provider.
    pub local: SocketAddr,
    pub call: Result<SelfCall, String>,
}

/// The call of the account to itself.
#[derive(Debug, Clone, Default)]
pub struct SelfCall {
    pub number: String,
    /// The end that we dialled, and the one that rang.
    pub out: Option<End>,
    pub back: Option<End>,
    pub keys_sent: String,
    pub hold: Option<Held>,
}

/// One end of it.
#[derive(Debug, Clone, Default)]
pub struct End {
    pub cdr: Option<Cdr>,
    pub messages: Vec<SipMessage>,
    /// Of the time that it listened, how much it heard the other end's tone: 0 to 1.
    pub tone_share: f32,
    pub keys_heard: String,
}

/// What became of our holding the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Held and taken back.
    Accepted,
    /// With this status.
    Refused(u16),
    /// No answer in time, or the call broke.
    Broken,
}

impl Facts {
    /// The host that people know.
    pub fn server(&self) -> &HostPort {
        self.account.outbound_proxy.as_ref().unwrap_or(&self.account.server)
    }

    /// An address that only its own network reaches (RFC 1918, RFC 6598, RFC 4193, link-local).
    pub fn is_private(address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, ..] = v4.octets();
                v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
            }
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        }
    }
}
