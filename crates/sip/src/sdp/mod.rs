//! Offer and answer for one audio stream in G.711 (RFC 3264, RFC 8866, RFC 4733). Pure: bytes and addresses in, text out.
//!
//! Not a general SDP library: parsing is `sdp-types`, behind a size limit; no encryption, ICE or video yet.

mod answer;
mod description;
mod direction;
mod error;
mod offer;

pub use answer::{negotiate, read_answer};
pub use callie_media::codec::G711;
pub use direction::Direction;
pub use error::SdpError;
pub use offer::offer;

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
    pub codecs: Vec<G711>,
}

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaParams {
    pub codec: G711,
    /// RTP payload type to send and to expect.
    pub payload_type: u8,
    /// RTP payload type of telephone-event (RFC 4733), when the peer has it.
    pub dtmf_payload_type: Option<u8>,
    /// Where to send RTP to. Unspecified (`0.0.0.0`) while the peer holds the call the old way; `direction` then forbids
    /// sending.
    pub remote: SocketAddr,
    pub direction: Direction,
    /// Milliseconds of sound per packet that the peer would like to receive.
    pub ptime_ms: u16,
}

/// The answer to send, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    pub answer: String,
    pub media: MediaParams,
}

#[cfg(test)]
mod tests;
