//! Writing what we report: a report, our name and, at the end, goodbye.

use super::{
    CNAME_LEN, Cname,
    report::{BLOCK_LEN, ReportBlock, SENDER_INFO_LEN, SenderInfo},
};
use crate::rtp::srtp::RTCP_TRAILER_LEN;

const SDES_LEN: usize = 28;
const BYE_LEN: usize = 8;
/// The longest that we write, with room for what SRTCP adds.
const MAX_LEN: usize = 8 + SENDER_INFO_LEN + BLOCK_LEN + SDES_LEN + BYE_LEN + RTCP_TRAILER_LEN;

/// One compound packet of ours. A driver keeps one and reuses it for all its calls.
#[derive(Debug, Clone)]
pub struct RtcpBuffer {
    octets: [u8; MAX_LEN],
    len: usize,
}

impl Default for RtcpBuffer {
    fn default() -> Self {
        Self { octets: [0; MAX_LEN], len: 0 }
    }
}

/// What there is to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub ssrc: u32,
    pub cname: Cname,
    /// If we have sent RTP of late.
    pub sender: Option<SenderInfo>,
    /// If we have received any.
    pub block: Option<ReportBlock>,
    pub bye: bool,
}

impl RtcpBuffer {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The packet to send.
    #[must_use]
    pub fn packet(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    /// For SRTCP: all of the buffer, and how much of it is the packet.
    pub(crate) fn parts(&mut self) -> (&mut [u8], &mut usize) {
        (&mut self.octets, &mut self.len)
    }

    pub(crate) fn write(&mut self, report: &Report) {
        self.len = 0;
        let ssrc = report.ssrc.to_be_bytes();
        let blocks = u8::from(report.block.is_some());
        let block_words = BLOCK_LEN as u8 / 4 * blocks;
        match &report.sender {
            Some(sender) => {
                self.put(&[0x80 | blocks, 200, 0, 1 + SENDER_INFO_LEN as u8 / 4 + block_words]);
                self.put(&ssrc);
                self.put(&sender.write());
            }
            None => {
                self.put(&[0x80 | blocks, 201, 0, 1 + block_words]);
                self.put(&ssrc);
            }
        }
        if let Some(block) = &report.block {
            self.put(&block.write());
        }
        // One chunk with a CNAME, ended by a zero and filled up to a word (RFC 3550 §6.5).
        self.put(&[0x81, 202, 0, SDES_LEN as u8 / 4 - 1]);
        self.put(&ssrc);
        self.put(&[1, CNAME_LEN as u8]);
        self.put(report.cname.octets());
        self.put(&[0, 0]);
        if report.bye {
            self.put(&[0x81, 203, 0, 1]);
            self.put(&ssrc);
        }
    }

    fn put(&mut self, octets: &[u8]) {
        if let Some(room) = self.octets.get_mut(self.len..self.len + octets.len()) {
            room.copy_from_slice(octets);
            self.len += octets.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp::{Compound, RtcpPacket};

    #[test]
    fn what_we_write_is_a_compound_that_we_read() {
        let block = ReportBlock { ssrc: 9, lost: 4, highest: 77, ..ReportBlock::default() };
        let sender = SenderInfo { packets: 3, ..SenderInfo::default() };
        for (sender, block, bye, len) in [
            (None, None, false, 36),
            (None, Some(block), false, 60),
            (Some(sender), None, true, 64),
            (Some(sender), Some(block), true, MAX_LEN - RTCP_TRAILER_LEN),
        ] {
            let mut buffer = RtcpBuffer::new();
            buffer.write(&Report { ssrc: 5, cname: Cname::new([7; 12]), sender, block, bye });
            assert_eq!(buffer.packet().len(), len);
            let compound = Compound::parse(buffer.packet()).expect("right");
            let packets: Vec<_> = compound.packets().collect();
            let (told, blocks) = match packets[0] {
                RtcpPacket::SenderReport { ssrc: 5, sender, blocks } => (Some(sender), blocks),
                RtcpPacket::ReceiverReport { ssrc: 5, blocks } => (None, blocks),
                other => panic!("{other:?}"),
            };
            assert_eq!((told, blocks.about(9)), (sender, block));
            assert_eq!(packets[1], RtcpPacket::Other(202));
            assert_eq!(packets.get(2), bye.then_some(&RtcpPacket::Bye { ssrc: Some(5) }));
        }
    }
}
