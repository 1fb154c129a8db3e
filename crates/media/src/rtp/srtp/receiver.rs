//! Unprotecting what we receive: guess the index, refuse what came before, check the tag, and only then decrypt and remember
//! (RFC 3711 §3.3 and §3.4).

use super::{
    RTCP_TAG_LEN, RTCP_TRAILER_LEN, SrtpError, SrtpKey, SrtpSuite,
    packet::{self, ENCRYPTED, RTCP_CLEAR_LEN, RtpHead},
    session_keys::{self, SessionKeys},
    sources::Sources,
    window::{Window, estimate},
};

/// A first packet with a sequence number below this may be of the second round: those before it may have been lost.
const EARLY_IN_A_ROUND: u16 = 0x1000;

/// All sources that send to us under one key.
#[derive(Debug)]
pub struct SrtpReceiver {
    tag_len: usize,
    rtp: SessionKeys,
    rtcp: SessionKeys,
    sources: Sources,
    /// The sources under the key before this one: there are peers that count on across a change of key, as RFC 3711 §3.3.1 asks,
    /// and peers that begin anew, as RFC 4568 §7.1.4 does.
    former: Sources,
}

impl SrtpReceiver {
    #[must_use]
    pub fn new(suite: SrtpSuite, key: &SrtpKey) -> Self {
        Self {
            tag_len: suite.tag_len(),
            rtp: SessionKeys::derive(key, session_keys::RTP),
            rtcp: SessionKeys::derive(key, session_keys::RTCP),
            sources: Sources::default(),
            former: Sources::default(),
        }
    }

    /// The receiver for another key of the same stream.
    #[must_use]
    pub fn successor(&self, suite: SrtpSuite, key: &SrtpKey) -> Self {
        Self { former: self.sources.clone(), ..Self::new(suite, key) }
    }

    /// Checks and decrypts an RTP packet in place; returns the length without the tag. `packet` is as it was if it fails.
    ///
    /// # Errors
    /// The packet must not be used.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(self.tag_len).ok_or(SrtpError::Short)?;
        let (body, tag) = packet.split_at_mut(len);
        let head = packet::rtp_head(body)?;
        let index = match self.sources.get(head.ssrc).and_then(|source| source.rtp) {
            Some(window) => {
                let index = estimate(window.newest(), head.sequence);
                if !window.is_fresh(index) {
                    return Err(SrtpError::Replayed);
                }
                self.authenticates(body, tag, index).then_some(index)
            }
            None => self.first_index(&head, body, tag),
        };
        let index = index.ok_or(SrtpError::Unauthentic)?;
        self.rtp.apply_keystream(head.ssrc, index, body.get_mut(head.len..).unwrap_or_default());
        self.sources.touch(head.ssrc).rtp.get_or_insert(Window::begin(index)).note(index);
        Ok(len)
    }

    /// Checks and decrypts a compound RTCP packet in place; returns the length without what SRTCP added.
    ///
    /// # Errors
    /// The packet must not be used.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let len = packet.len().checked_sub(RTCP_TRAILER_LEN).ok_or(SrtpError::Short)?;
        let (body, trailer) = packet.split_at_mut(len);
        let ssrc = packet::rtcp_ssrc(body)?;
        let (word, tag) = trailer.split_first_chunk::<4>().ok_or(SrtpError::Short)?;
        let index = u32::from_be_bytes(*word);
        if index & ENCRYPTED == 0 {
            // UNENCRYPTED_SRTCP is nothing that we negotiate (RFC 4568 §6.3.2).
            return Err(SrtpError::Unauthentic);
        }
        let index = u64::from(index & !ENCRYPTED);
        if self.sources.get(ssrc).and_then(|source| source.rtcp).is_some_and(|window| !window.is_fresh(index)) {
            return Err(SrtpError::Replayed);
        }
        if !packet::is_same_tag(&self.rtcp.tag(body, word)[..RTCP_TAG_LEN], tag) {
            return Err(SrtpError::Unauthentic);
        }
        self.rtcp.apply_keystream(ssrc, index, body.get_mut(RTCP_CLEAR_LEN..).unwrap_or_default());
        self.sources.touch(ssrc).rtcp.get_or_insert(Window::begin(index)).note(index);
        Ok(len)
    }

    /// The index of a source's first packet.
    fn first_index(&self, head: &RtpHead, body: &[u8], tag: &[u8]) -> Option<u64> {
        let first = u64::from(head.sequence);
        let second = (head.sequence < EARLY_IN_A_ROUND).then_some(first | 1 << 16);
        let former = self.former.get(head.ssrc).and_then(|source| source.rtp);
        let continued = former.map(|window| estimate(window.newest(), head.sequence)).filter(|index| *index != first);
        [Some(first), continued, second].into_iter().flatten().find(|index| self.authenticates(body, tag, *index))
    }

    fn authenticates(&self, body: &[u8], tag: &[u8], index: u64) -> bool {
        let rounds = (index >> 16) as u32;
        packet::is_same_tag(&self.rtp.tag(body, &rounds.to_be_bytes())[..self.tag_len], tag)
    }
}
