//! Telephony peers: registrars, callers and called parties, over the wrapped SIP stack.
//!
//! | module | holds |
//! |---|---|
//! | [`SipStack`] | one endpoint for all accounts: the way in |
//! | [`AccountHandle`] | one account, kept registered by its task |
//! | [`InboundCall`], [`Leg`] | a call that came in; one call leg, either way |
//! | [`digest`] | challenges read and answered, nonces reused (pure) |
//! | [`header`] | the header values that we read ourselves (pure) |
//! | [`framing`] | messages out of a stream of bytes (pure) |
//! | [`register`] | one account's registration as a machine (pure) |
//! | [`sdp`] | offer and answer (pure) |
//! | [`stun`] | our address as a STUN server sees it (pure) |
//! | [`CallTrace`] | the messages of a call as they were on the wire |

mod account;
pub mod digest;
mod door;
mod error;
mod examination;
pub mod header;
mod inbound;
mod leg;
mod options;
mod outbound;
pub mod register;
mod resolver;
pub mod sdp;
mod stack;
pub mod stun;
mod switchboard;
mod trace;

pub use account::AccountHandle;
pub use door::{Refused, Strangers};
pub use error::SipError;
pub use examination::{Answered, FoundTarget, LookedUp};
pub use inbound::InboundCall;
pub use leg::{
    DialogId, HangUpCause, Leg, LegControl, LegEvent, LegFailure, LocalOrder, LocalPeer, PeerAbilities, ReferTo, RequestFailure,
};
pub use options::{SipOptions, TlsListen};
pub use outbound::{DialOptions, GoOn};
pub use register::RegisterPolicy;
pub use stack::{TlsFault, framing};
pub use switchboard::{SipStack, StackStats};
pub use trace::CallTrace;
