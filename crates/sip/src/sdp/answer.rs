//! Answering an offer, and reading the answer to ours.

use super::{LocalMedia, MediaParams, Negotiated, SdpError};

/// Answers an offer (RFC 3264 §6).
pub fn negotiate(_offer: &[u8], _local: &LocalMedia) -> Result<Negotiated, SdpError> {
    Err(SdpError::NoAudio)
}

/// Reads the answer to the offer that `local` gave.
pub fn read_answer(_answer: &[u8], _local: &LocalMedia) -> Result<MediaParams, SdpError> {
    Err(SdpError::NoAudio)
}
