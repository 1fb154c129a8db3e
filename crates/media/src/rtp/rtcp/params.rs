//! What SDP settles about RTCP, and the name under which we report.

use std::{fmt, net::SocketAddr};

/// Octets of a [`Cname`].
pub const CNAME_LEN: usize = 16;
/// Random octets from which a [`Cname`] is made.
pub const CNAME_SEED_LEN: usize = 12;

/// RTCP of a call. By default there is none: nothing is sent, and what comes on the RTP port is counted and thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RtcpParams {
    /// RTCP shares the RTP port, both ways (`a=rtcp-mux`, RFC 5761).
    pub mux: bool,
    /// Where the far end takes RTCP (`a=rtcp`, RFC 3605, else its RTP port and one). Without meaning if `mux`; with neither there is
    /// no RTCP.
    pub remote: Option<SocketAddr>,
    pub cname: Cname,
}

impl RtcpParams {
    /// Reports are sent and read.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.mux || self.remote.is_some()
    }
}

/// A canonical name of 96 random bits in base64, made for one call: it says nothing about who or where we are
/// (RFC 7022 §4.2, short-term persistent).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cname([u8; CNAME_LEN]);

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Cname {
    #[must_use]
    pub fn new(seed: [u8; CNAME_SEED_LEN]) -> Self {
        let mut name = [0; CNAME_LEN];
        for (digits, octets) in name.as_chunks_mut::<4>().0.iter_mut().zip(seed.as_chunks::<3>().0) {
            let bits = u32::from_be_bytes([0, octets[0], octets[1], octets[2]]);
            *digits = [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize]);
        }
        Self(name)
    }

    #[must_use]
    pub fn octets(&self) -> &[u8; CNAME_LEN] {
        &self.0
    }
}

impl Default for Cname {
    fn default() -> Self {
        Self::new([0; CNAME_SEED_LEN])
    }
}

impl fmt::Debug for Cname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_seed_in_base64() {
        assert_eq!(Cname::new(*b"Many hands m").octets(), b"TWFueSBoYW5kcyBt");
        assert_eq!(Cname::new([0xff; 12]).octets(), b"////////////////");
        assert_eq!(format!("{:?}", Cname::default()), "AAAAAAAAAAAAAAAA");
    }

    #[test]
    fn by_default_there_is_no_rtcp() {
        assert!(!RtcpParams::default().is_on());
        assert!(RtcpParams { mux: true, ..RtcpParams::default() }.is_on());
        assert!(RtcpParams { remote: "192.0.2.1:4001".parse().ok(), ..RtcpParams::default() }.is_on());
    }
}
