//! Protecting what we send: encrypt, then append the tag (RFC 3711 §3.3 and §3.4).

use super::{
    RTCP_TAG_LEN, RTCP_TRAILER_LEN, SrtpError, SrtpKey, SrtpSuite,
    packet::{self, RTCP_CLEAR_LEN},
    session_keys::{self, SessionKeys},
    window::estimate,
};

/// Packets under one key (RFC 3711 §9.2).
const MAX_RTP_INDEX: u64 = (1 << 48) - 1;
const MAX_RTCP_INDEX: u32 = (1 << 31) - 1;

/// One stream of ours. Sequence numbers must go up: the same keystream is never used twice.
#[derive(Debug)]
pub struct SrtpSender {
    tag_len: usize,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    /// SSRC and index of the last packet.
    last: Option<(u32, u64)>,
    next_rtcp_index: u32,
}

impl SrtpSender {
    #[must_use]
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Self {
        Self {
            tag_len: suite.tag_len(),
            rtp: SessionKeys::derive(key, session_keys::RTP),
            rtcp: SessionKeys::derive(key, session_keys::RTCP),
            last: None,
            next_rtcp_index: 0,
        }
    }

    /// Protects the RTP packet that is the first `len` octets of `buffer`; returns its new length.
    ///
    /// # Errors
    /// Nothing may be sent then: it is no RTP packet, the buffer has no room for the tag, or the sequence number does not go on.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let (body, rest) = buffer.split_at_mut_checked(len).ok_or(SrtpError::Short)?;
        let head = packet::rtp_head(body)?;
        let tag = rest.get_mut(..self.tag_len).ok_or(SrtpError::NoRoom)?;
        let index = match self.last {
            Some((ssrc, last)) if ssrc == head.ssrc => {
                let index = estimate(last, head.sequence);
                if index <= last || index > MAX_RTP_INDEX {
                    return Err(SrtpError::KeyUsedUp);
                }
                index
            }
            _ => head.sequence.into(),
        };
        self.last = Some((head.ssrc, index));
        self.rtp.apply_keystream(head.ssrc, index, body.get_mut(head.len..).unwrap_or_default());
        let rounds = (index >> 16) as u32;
        tag.copy_from_slice(&self.rtp.tag(body, &rounds.to_be_bytes())[..self.tag_len]);
        Ok(len + self.tag_len)
    }

    /// Protects the compound RTCP packet that is the first `len` octets of `buffer`; returns its new length.
    ///
    /// # Errors
    /// As for [`Self::protect`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let total = len + RTCP_TRAILER_LEN;
        let packet = buffer.get_mut(..total).ok_or(SrtpError::NoRoom)?;
        let ssrc = packet::rtcp_ssrc(packet.get(..len).ok_or(SrtpError::Short)?)?;
        let index = self.next_rtcp_index;
        if index > MAX_RTCP_INDEX {
            return Err(SrtpError::KeyUsedUp);
        }
        self.next_rtcp_index += 1;
        self.rtcp.apply_keystream(ssrc, index.into(), packet.get_mut(RTCP_CLEAR_LEN..len).unwrap_or_default());
        let (body, trailer) = packet.split_at_mut(len);
        let (word, tag) = trailer.split_at_mut(RTCP_TRAILER_LEN - RTCP_TAG_LEN);
        word.copy_from_slice(&(packet::ENCRYPTED | index).to_be_bytes());
        tag.copy_from_slice(&self.rtcp.tag(body, word)[..RTCP_TAG_LEN]);
        Ok(total)
    }
}
