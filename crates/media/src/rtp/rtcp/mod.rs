//! RTCP as far as a telephone call needs it: reports, the name of the source, and goodbye (RFC 3550 §6).
//!
//! Nothing here knows of sockets or calls: [`crate::session`] says when to report on what.

mod compound;
mod interval;
mod params;
mod reception;
mod report;
mod write;

pub use compound::{Blocks, Compound, RtcpError, RtcpPacket};
pub use interval::Intervals;
pub use params::{CNAME_LEN, CNAME_SEED_LEN, Cname, RtcpParams};
pub use reception::Reception;
pub use report::{Ntp, ReportBlock, SenderInfo, from_units, to_units};
pub(crate) use write::Report;
pub use write::RtcpBuffer;

/// Whether a datagram on an RTP port is RTCP: its packet types read as payload types 64–95 under either marker
/// (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [flags, kind, ..] if flags >> 6 == 2 && (64..=95).contains(&(kind & 0x7f)))
}
