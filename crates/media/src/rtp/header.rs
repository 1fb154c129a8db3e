//! The RTP packet: RFC 3550 §5.1.

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 12;

const VERSION: u8 = 2;

/// The fixed header without its list of contributing sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    pub marker: bool,
    /// 0–127.
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
}

/// A packet in the buffer it arrived in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    pub header: RtpHeader,
    /// Without contributing sources, header extension and padding.
    pub payload: &'a [u8],
}

/// Why a datagram is not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    #[error("datagram ends inside the rtp header")]
    Short,
    #[error("rtp version is {0}, not 2")]
    Version(u8),
    #[error("padding is longer than the payload")]
    Padding,
    /// RFC 5761 §4.
    #[error("an rtcp packet on the rtp port")]
    Rtcp,
}

impl<'a> RtpPacket<'a> {
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let (&[flags, kind, ..], _) = datagram.split_first_chunk::<2>().ok_or(RtpError::Short)?;
        if flags >> 6 != VERSION {
            return Err(RtpError::Version(flags >> 6));
        }
        // RTCP's packet types 192–223 read as payload types 64–95 under either marker (RFC 5761 §4).
        if (64..=95).contains(&(kind & 0x7f)) {
            return Err(RtpError::Rtcp);
        }
        let (fixed, rest) = datagram.split_first_chunk::<HEADER_LEN>().ok_or(RtpError::Short)?;
        let &[_, _, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = fixed;
        let header = RtpHeader {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        let rest = rest.get(4 * usize::from(flags & 0x0f)..).ok_or(RtpError::Short)?;
        let rest = if flags & 0x10 != 0 { after_extension(rest)? } else { rest };
        let payload = if flags & 0x20 != 0 { without_padding(rest)? } else { rest };
        Ok(Self { header, payload })
    }
}

/// RFC 3550 §5.3.1: 16 bits of the profile's, 16 bits of length in words.
fn after_extension(rest: &[u8]) -> Result<&[u8], RtpError> {
    let (&[_, _, high, low], rest) = rest.split_first_chunk::<4>().ok_or(RtpError::Short)?;
    rest.get(4 * usize::from(u16::from_be_bytes([high, low]))..).ok_or(RtpError::Short)
}

/// The last byte counts the padding, itself included.
fn without_padding(rest: &[u8]) -> Result<&[u8], RtpError> {
    let padding = usize::from(*rest.last().ok_or(RtpError::Padding)?);
    let kept = rest.len().checked_sub(padding).filter(|_| padding > 0).ok_or(RtpError::Padding)?;
    rest.get(..kept).ok_or(RtpError::Padding)
}

impl RtpHeader {
    /// Writes version 2 without padding, extension or contributing sources.
    pub fn write(&self, out: &mut [u8; HEADER_LEN]) {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let kind = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        *out = [VERSION << 6, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: RtpHeader =
        RtpHeader { marker: true, payload_type: 8, sequence: 0x1234, timestamp: 0xdead_beef, ssrc: 0x0102_0304 };

    /// A datagram with HEADER, its first byte replaced, followed by `rest`.
    fn datagram(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = [0; HEADER_LEN];
        HEADER.write(&mut bytes);
        bytes[0] = first;
        [&bytes[..], rest].concat()
    }

    #[test]
    fn options_are_stripped_or_refused() {
        let ok = |first, rest: &[u8], payload: &[u8]| {
            let bytes = datagram(first, rest);
            assert_eq!(RtpPacket::parse(&bytes), Ok(RtpPacket { header: HEADER, payload }), "{first:#x} {rest:?}");
        };
        let bad = |first, rest: &[u8], error| {
            assert_eq!(RtpPacket::parse(&datagram(first, rest)), Err(error), "{first:#x} {rest:?}");
        };
        ok(0x80, &[], &[]);
        ok(0x80, &[1, 2], &[1, 2]);
        ok(0x82, &[9, 9, 9, 9, 9, 9, 9, 9, 7], &[7]);
        ok(0x90, &[0xbe, 0xde, 0, 1, 9, 9, 9, 9, 7], &[7]);
        ok(0x90, &[0xbe, 0xde, 0, 0], &[]);
        ok(0xa0, &[7, 7, 0, 2], &[7, 7]);
        ok(0xa0, &[1], &[]);
        ok(0xb1, &[8, 8, 8, 8, 0, 0, 0, 1, 9, 9, 9, 9, 7, 1], &[7]);
        bad(0x00, &[], RtpError::Version(0));
        bad(0x81, &[1, 2, 3], RtpError::Short);
        bad(0x90, &[0, 0, 0], RtpError::Short);
        bad(0x90, &[0, 0, 0xff, 0xff, 1], RtpError::Short);
        bad(0xa0, &[], RtpError::Padding);
        bad(0xa0, &[1, 0], RtpError::Padding);
        bad(0xa0, &[1, 3], RtpError::Padding);
        // Padding may not reach into the contributing sources.
        bad(0xa1, &[1, 2, 3, 4, 2], RtpError::Padding);
    }

    #[test]
    fn rtcp_is_told_apart() {
        for kind in [200, 201, 202, 203, 204, 205, 206, 207] {
            assert_eq!(RtpPacket::parse(&[0x80, kind, 0, 1, 0, 0, 0, 1]), Err(RtpError::Rtcp), "{kind}");
        }
        assert_eq!(RtpPacket::parse(&[]), Err(RtpError::Short));
        assert_eq!(RtpPacket::parse(&[0x80, 0]), Err(RtpError::Short));
    }

    proptest! {
        #[test]
        fn junk_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(packet) = RtpPacket::parse(&bytes) {
                prop_assert!(packet.payload.len() + HEADER_LEN <= bytes.len());
            }
        }

        #[test]
        fn what_is_written_is_read(marker: bool, payload_type in (0u8..64).prop_union(96u8..128), sequence: u16,
                                   timestamp: u32, ssrc: u32, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let header = RtpHeader { marker, payload_type, sequence, timestamp, ssrc };
            let mut bytes = [0; HEADER_LEN];
            header.write(&mut bytes);
            let datagram = [&bytes[..], &payload].concat();
            prop_assert_eq!(RtpPacket::parse(&datagram), Ok(RtpPacket { header, payload: &payload }));
        }
    }
}
