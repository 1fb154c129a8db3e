//! G.711, exact to the ITU-T algorithm.

/// The two laws of G.711, each with its static RTP payload type (RFC 3551 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum G711 {
    /// μ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl G711 {
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    pub const fn from_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// Encoding name as in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The code of the smallest positive amplitude.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcmu => 0xff,
            Self::Pcma => 0xd5,
        }
    }

    /// Encodes as many samples as both slices hold; rounds to nearest, clips at 16 bits.
    pub fn encode(self, samples: &[f32], codes: &mut [u8]) {
        let _ = (samples, codes);
    }

    /// Encodes as many samples as both slices hold.
    pub fn encode_i16(self, samples: &[i16], codes: &mut [u8]) {
        let _ = (samples, codes);
    }

    /// Decodes as many codes as both slices hold.
    pub fn decode(self, codes: &[u8], samples: &mut [f32]) {
        let _ = (samples, codes);
    }

    /// Decodes as many codes as both slices hold.
    pub fn decode_i16(self, codes: &[u8], samples: &mut [i16]) {
        let _ = (samples, codes);
    }
}
