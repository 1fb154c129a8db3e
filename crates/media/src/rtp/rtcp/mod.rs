//! RTCP as far as a telephone call needs it: reports, the name of the source, and goodbye (RFC 3550 §6).

mod params;

pub use params::{CNAME_LEN, CNAME_SEED_LEN, Cname, RtcpParams};

/// Whether a datagram on an RTP port is RTCP: its packet types read as payload types 64–95 under either marker
/// (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [flags, kind, ..] if flags >> 6 == 2 && (64..=95).contains(&(kind & 0x7f)))
}
