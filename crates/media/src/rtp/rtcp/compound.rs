//! Reading compound packets (RFC 3550 §6.1), as strictly as appendix A.2 asks: all of one is right, or nothing of it is used.

use super::report::{BLOCK_LEN, ReportBlock, SENDER_INFO_LEN, SenderInfo, be32};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const BYE: u8 = 203;
/// Octets of the header that all packets have.
const HEADER_LEN: usize = 4;

/// Why a datagram is no compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    #[error("a packet ends behind the datagram or before its own content")]
    Length,
    #[error("rtcp version is {0}, not 2")]
    Version(u8),
    #[error("the first packet is of type {0}, not a report")]
    NoReport(u8),
    #[error("padding in another packet than the last, or more of it than the packet has")]
    Padding,
}

/// A checked compound packet, in the buffer it came in.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a>(&'a [u8]);

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    SenderReport {
        ssrc: u32,
        sender: SenderInfo,
        blocks: Blocks<'a>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Blocks<'a>,
    },
    /// The first of the sources that leave.
    Bye {
        ssrc: Option<u32>,
    },
    /// Of another type: source descriptions, feedback, extended reports.
    Other(u8),
}

impl<'a> Compound<'a> {
    /// # Errors
    /// Nothing of the datagram is to be used.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = datagram;
        let mut first = true;
        while first || !rest.is_empty() {
            let (packet, behind) = split(rest)?;
            if first && !matches!(packet.kind, SENDER_REPORT | RECEIVER_REPORT) {
                return Err(RtcpError::NoReport(packet.kind));
            }
            if packet.padded && !behind.is_empty() {
                return Err(RtcpError::Padding);
            }
            packet.read()?;
            (rest, first) = (behind, false);
        }
        Ok(Self(datagram))
    }

    pub fn packets(self) -> impl Iterator<Item = RtcpPacket<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (packet, behind) = split(rest).ok()?;
            rest = behind;
            packet.read().ok()
        })
    }
}

/// A packet whose length fits into the datagram.
struct Raw<'a> {
    count: usize,
    kind: u8,
    padded: bool,
    /// Without header and padding.
    body: &'a [u8],
}

fn split(datagram: &[u8]) -> Result<(Raw<'_>, &[u8]), RtcpError> {
    let &[flags, kind, high, low] = datagram.first_chunk::<HEADER_LEN>().ok_or(RtcpError::Length)?;
    if flags >> 6 != 2 {
        return Err(RtcpError::Version(flags >> 6));
    }
    let len = HEADER_LEN + 4 * usize::from(u16::from_be_bytes([high, low]));
    let (packet, behind) = datagram.split_at_checked(len).ok_or(RtcpError::Length)?;
    let padded = flags & 0x20 != 0;
    let padding = if padded { packet.last().copied().filter(|padding| *padding > 0).ok_or(RtcpError::Padding)? } else { 0 };
    let end = len.checked_sub(padding.into()).ok_or(RtcpError::Padding)?;
    let body = packet.get(HEADER_LEN..end).ok_or(RtcpError::Padding)?;
    Ok((Raw { count: (flags & 0x1f).into(), kind, padded, body }, behind))
}

impl<'a> Raw<'a> {
    fn read(&self) -> Result<RtcpPacket<'a>, RtcpError> {
        match self.kind {
            SENDER_REPORT => {
                let (ssrc, rest) = self.body.split_first_chunk::<4>().ok_or(RtcpError::Length)?;
                let (sender, rest) = rest.split_first_chunk::<SENDER_INFO_LEN>().ok_or(RtcpError::Length)?;
                let blocks = Blocks::new(rest, self.count)?;
                Ok(RtcpPacket::SenderReport { ssrc: u32::from_be_bytes(*ssrc), sender: SenderInfo::read(sender), blocks })
            }
            RECEIVER_REPORT => {
                let (ssrc, rest) = self.body.split_first_chunk::<4>().ok_or(RtcpError::Length)?;
                Ok(RtcpPacket::ReceiverReport { ssrc: u32::from_be_bytes(*ssrc), blocks: Blocks::new(rest, self.count)? })
            }
            BYE if self.count * 4 > self.body.len() => Err(RtcpError::Length),
            BYE => Ok(RtcpPacket::Bye { ssrc: (self.count > 0).then(|| be32(self.body, 0)) }),
            other => Ok(RtcpPacket::Other(other)),
        }
    }
}

/// The report blocks of a packet: at most 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [[u8; BLOCK_LEN]]);

impl<'a> Blocks<'a> {
    /// What follows them is an extension of a profile.
    fn new(octets: &'a [u8], count: usize) -> Result<Self, RtcpError> {
        octets.as_chunks::<BLOCK_LEN>().0.get(..count).map(Self).ok_or(RtcpError::Length)
    }

    /// The one about a source.
    pub fn about(self, ssrc: u32) -> Option<ReportBlock> {
        self.0.iter().map(ReportBlock::read).find(|block| block.ssrc == ssrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::rtcp::report::Ntp;
    use proptest::prelude::*;

    fn packet(first: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let words = (body.len() / 4) as u16;
        [&[first, kind], &words.to_be_bytes()[..], body].concat()
    }

    #[test]
    fn a_report_with_a_name_and_a_goodbye_is_read() {
        let block =
            ReportBlock { ssrc: 7, fraction_lost: 3, lost: -2, highest: 0x1_0005, jitter: 40, last_sr: 5, since_last_sr: 6 };
        let other = ReportBlock { ssrc: 6, ..block };
        let sender = SenderInfo { ntp: Ntp(99), timestamp: 5, packets: 3, octets: 480 };
        let report = [&9u32.to_be_bytes()[..], &sender.write(), &other.write(), &block.write(), &[0; 8]].concat();
        let datagram = [
            packet(0x82, 200, &report),
            packet(0x81, 202, &[0, 0, 0, 9, 1, 1, b'a', 0]),
            packet(0xa1, 203, &[0, 0, 0, 9, 0, 0, 0, 4]),
        ]
        .concat();
        let compound = Compound::parse(&datagram).expect("right");
        let packets: Vec<_> = compound.packets().collect();
        let [
            RtcpPacket::SenderReport { ssrc: 9, sender: read, blocks },
            RtcpPacket::Other(202),
            RtcpPacket::Bye { ssrc: Some(9) },
        ] = packets[..]
        else {
            panic!("{packets:?}");
        };
        assert_eq!(read, sender);
        assert_eq!((blocks.about(7), blocks.about(6), blocks.about(8)), (Some(block), Some(other), None));
    }

    #[test]
    fn what_is_wrong_anywhere_is_wrong_as_a_whole() {
        let rr = packet(0x80, 201, &[0, 0, 0, 9]);
        let with = |more: &[u8]| [&rr[..], more].concat();
        for (datagram, error) in [
            (vec![], RtcpError::Length),
            (vec![0x80, 201, 0], RtcpError::Length),
            (packet(0x80, 201, &[]), RtcpError::Length),
            (packet(0x80, 200, &[0; 20]), RtcpError::Length),
            (packet(0x81, 201, &[0; 24]), RtcpError::Length),
            (packet(0x9f, 200, &[0; 120]), RtcpError::Length),
            (packet(0x40, 201, &[0; 4]), RtcpError::Version(1)),
            (packet(0x81, 202, &[0, 0, 0, 9, 1, 1, b'a', 0]), RtcpError::NoReport(202)),
            (packet(0xa0, 201, &[0, 0, 0, 9, 0, 0, 0, 9]), RtcpError::Padding),
            (packet(0xa0, 201, &[0, 0, 0, 0]), RtcpError::Padding),
            ([packet(0xa0, 201, &[0, 0, 0, 9, 0, 0, 0, 4]), rr.clone()].concat(), RtcpError::Padding),
            (with(&[0x80]), RtcpError::Length),
            (with(&[0x80, 202, 0xff, 0xff]), RtcpError::Length),
            (with(&[0x00, 202, 0, 0]), RtcpError::Version(0)),
            (with(&packet(0x82, 203, &[0, 0, 0, 9])), RtcpError::Length),
        ] {
            assert_eq!(Compound::parse(&datagram).err(), Some(error), "{datagram:x?}");
        }
        assert!(Compound::parse(&rr).is_ok());
        assert!(Compound::parse(&packet(0xa0, 201, &[0, 0, 0, 9, 0, 0, 0, 4])).is_ok(), "padding in the last");
    }

    proptest! {
        #[test]
        fn junk_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), looks_right: bool) {
            if looks_right && bytes.len() >= 4 {
                (bytes[0], bytes[1], bytes[2], bytes[3]) = (0x80 | bytes[0] & 0x3f, 200 | bytes[1] & 1, 0, bytes[3] % 64);
            }
            if let Ok(compound) = Compound::parse(&bytes) {
                prop_assert!(compound.packets().count() >= 1 && compound.packets().count() <= bytes.len() / 4);
            }
        }
    }
}
