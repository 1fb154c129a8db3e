//! The parts of a packet that stay in clear, which SRTP must find in any octets.

use super::SrtpError;
use crate::rtp::header::HEADER_LEN;

/// Octets of an RTCP packet that are not encrypted: the first header with the sender's SSRC.
pub(super) const RTCP_CLEAR_LEN: usize = 8;
/// The E flag of SRTCP (RFC 3711 §3.4).
pub(super) const ENCRYPTED: u32 = 1 << 31;

#[derive(Debug, Clone, Copy)]
pub(super) struct RtpHead {
    /// Octets before the payload: fixed header, contributing sources, header extension.
    pub len: usize,
    pub sequence: u16,
    pub ssrc: u32,
}

pub(super) fn rtp_head(packet: &[u8]) -> Result<RtpHead, SrtpError> {
    let fixed = packet.first_chunk::<HEADER_LEN>().ok_or(SrtpError::Short)?;
    let &[flags, _, s0, s1, _, _, _, _, c0, c1, c2, c3] = fixed;
    if flags >> 6 != 2 {
        return Err(SrtpError::NotRtp);
    }
    let mut len = HEADER_LEN + 4 * usize::from(flags & 0x0f);
    if flags & 0x10 != 0 {
        let &[_, _, high, low] = packet.get(len..).and_then(<[u8]>::first_chunk).ok_or(SrtpError::Short)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
    }
    if len > packet.len() {
        return Err(SrtpError::Short);
    }
    Ok(RtpHead { len, sequence: u16::from_be_bytes([s0, s1]), ssrc: u32::from_be_bytes([c0, c1, c2, c3]) })
}

pub(super) fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    let &[flags, _, _, _, c0, c1, c2, c3] = packet.first_chunk::<RTCP_CLEAR_LEN>().ok_or(SrtpError::Short)?;
    if flags >> 6 != 2 {
        return Err(SrtpError::NotRtp);
    }
    Ok(u32::from_be_bytes([c0, c1, c2, c3]))
}

/// Compares in a time that tells nothing of where tags differ.
pub(super) fn is_same_tag(ours: &[u8], theirs: &[u8]) -> bool {
    ours.len() == theirs.len() && std::hint::black_box(ours.iter().zip(theirs).fold(0, |differs, (a, b)| differs | (a ^ b))) == 0
}
