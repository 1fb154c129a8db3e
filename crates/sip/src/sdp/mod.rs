//! Offer and answer for one audio stream (RFC 3264, RFC 8866): codecs, keys, telephone events, RTCP, hold. Pure: bytes,
//! addresses and keys in, text out.
//!
//! Not a general SDP library: parsing is `sdp-types`, behind a size limit. ICE, bundles, DTLS and video are passed over.
//!
//! | module | holds |
//! |---|---|
//! | [`offer()`], [`reoffer`] | what we write first |
//! | [`negotiate`], [`read_answer`] | what comes of what the other side writes |
//! | `description` | a stranger's description, read |
//! | `format` | payload types: codecs, telephone events, comfort noise |
//! | `crypto` | keys in SDP (RFC 4568) |
//! | [`renewed`] | which version of ours a description is |

mod answer;
mod crypto;
mod description;
mod direction;
mod error;
mod format;
mod offer;
mod version;

pub use answer::{negotiate, read_answer, read_reanswer};
pub use callie_media::codec::Codec;
pub use crypto::OurKeys;
pub use direction::Direction;
pub use error::SdpError;
pub use offer::{offer, reoffer};
pub use version::renewed;

use callie_domain::audio::SrtpPolicy;
use callie_media::codec::OpusParams;
use callie_media::rtp::srtp::{SrtpParams, SrtpSuite};
use std::net::{IpAddr, SocketAddr};

/// Our side of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalMedia {
    pub address: IpAddr,
    pub port: u16,
    /// `o=` session id, the same over the life of a dialog.
    pub session_id: u64,
    /// `o=` version: one more with each changed description.
    pub version: u64,
    /// In our order of preference.
    pub codecs: Vec<Codec>,
    /// The order of the two laws of G.711 is nobody's wish: the other side's counts, since it knows which its network has.
    pub either_law: bool,
    pub srtp: SrtpPolicy,
    pub keys: OurKeys,
    /// What we would like; the other side may allow less.
    pub direction: Direction,
}

impl LocalMedia {
    /// What can be agreed on within the call: the codec and whether it is encrypted stay.
    #[must_use]
    pub fn settled(&self, media: &MediaParams) -> Self {
        let srtp = if media.srtp.is_some() { SrtpPolicy::Required } else { SrtpPolicy::Off };
        Self { codecs: vec![media.codec], srtp, ..self.clone() }
    }
}

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaParams {
    pub codec: Codec,
    /// RTP payload type to send and to expect.
    pub payload_type: u8,
    /// What the peer wants of our Opus; of no meaning for other codecs.
    pub opus: OpusParams,
    /// RTP payload type of telephone-event (RFC 4733), when the peer has it.
    pub dtmf_payload_type: Option<u8>,
    /// Clock of the events: the codec's, but for telephones that know 8,000 only (RFC 4733 §2.4.1).
    pub dtmf_clock_hz: u32,
    /// RTP payload type of the peer's comfort noise (RFC 3389).
    pub comfort_noise_payload_type: Option<u8>,
    /// Where to send RTP to. Unspecified (`0.0.0.0`) while the peer holds the call the old way; `direction` then forbids
    /// sending.
    pub remote: SocketAddr,
    /// RTCP shares the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Where the peer takes RTCP, when not on the port of RTP (RFC 3605).
    pub rtcp: Option<SocketAddr>,
    /// What goes on now.
    pub direction: Direction,
    /// What the peer allows, whatever we would like.
    pub allowed: Direction,
    /// Milliseconds of sound per packet that the peer would like to receive.
    pub ptime_ms: u16,
    pub srtp: Option<SrtpParams>,
    place: Place,
}

impl MediaParams {
    /// The peer does not want to hear us, or does not speak (RFC 3264 §8.4).
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.allowed != Direction::SendRecv
    }

    /// Of the encryption, as in `a=crypto`.
    #[must_use]
    pub fn srtp_suite(&self) -> Option<SrtpSuite> {
        self.srtp.as_ref().map(|srtp| srtp.suite)
    }
}

/// Where our stream stands in a description: offers within the call repeat the rest (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    profile: &'static str,
    /// The rejected streams before and behind ours.
    before: String,
    behind: String,
}

/// The answer to send, and what it means.
#[derive(Clone, PartialEq, Eq)]
pub struct Negotiated {
    pub answer: String,
    pub media: MediaParams,
}

/// Without the answer, which may hold a key.
impl std::fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Negotiated").field("media", &self.media).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
