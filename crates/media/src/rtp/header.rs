//! The RTP packet: RFC 3550 §5.1.

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 12;

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
        let _ = datagram;
        Err(RtpError::Short)
    }
}

impl RtpHeader {
    /// Writes version 2 without padding, extension or contributing sources.
    pub fn write(&self, out: &mut [u8; HEADER_LEN]) {
        let _ = out;
    }
}
