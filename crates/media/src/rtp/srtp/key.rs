//! Suites and master keys, as SDP carries them (RFC 4568 §6).

use zeroize::Zeroize;

/// Octets of master key and master salt together (RFC 4568 §6.2).
pub const KEY_LEN: usize = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpSuite {
    /// Tag of 80 bits: the one that everybody has.
    AesCm128HmacSha1_80,
    /// Tag of 32 bits on RTP; RTCP has 80 all the same (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
}

impl SrtpSuite {
    pub const ALL: [Self; 2] = [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// As in `a=crypto`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Octets of the tag on RTP packets.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
        }
    }
}

/// 16 octets of master key, then 14 of master salt. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SrtpKey([u8; KEY_LEN]);

impl SrtpKey {
    pub fn new(octets: [u8; KEY_LEN]) -> Self {
        Self(octets)
    }

    pub fn octets(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl Drop for SrtpKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for SrtpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SrtpKey(redacted)")
    }
}

/// What SDP settled: one suite, a key for each way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrtpParams {
    pub suite: SrtpSuite,
    /// Of what we send.
    pub send: SrtpKey,
    /// Of what we receive.
    pub receive: SrtpKey,
}
