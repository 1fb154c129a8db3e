//! SRTP and SRTCP (RFC 3711) with the two suites that telephones have, AES_CM_128_HMAC_SHA1_80 and _32.
//!
//! In place, without an allocation per packet. Keys come from SDP (RFC 4568); nothing here knows how.
//!
//! ```text
//! sender:   packet → encrypt → tag over it and the rounds of its sequence number → wire
//! receiver: wire → guess the round → seen before? → tag right? → decrypt → remember
//! ```

mod key;
mod packet;
mod receiver;
mod sender;
mod session_keys;
mod sources;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod window;

pub use key::{KEY_LEN, SrtpKey, SrtpParams, SrtpSuite};
pub use receiver::SrtpReceiver;
pub use sender::SrtpSender;

/// Octets that protection adds to an RTP packet at most.
pub const MAX_TAG_LEN: usize = 10;
/// Octets of the tag of RTCP, whatever the suite (RFC 4568 §6.2.2).
const RTCP_TAG_LEN: usize = 10;
/// Octets that protection adds to an RTCP packet: the index and the tag.
pub const RTCP_TRAILER_LEN: usize = 4 + RTCP_TAG_LEN;

/// Why a packet is not to be sent or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    #[error("the packet ends inside its header or tag")]
    Short,
    #[error("the packet is not of rtp version 2")]
    NotRtp,
    #[error("the buffer has no room for the tag")]
    NoRoom,
    #[error("the packet has come before or is too old to tell")]
    Replayed,
    #[error("the tag is not that of this key")]
    Unauthentic,
    #[error("the index has been used under this key")]
    KeyUsedUp,
}
