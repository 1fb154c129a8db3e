//! Speech codecs of the telephone's side.

pub mod g711;
pub mod g722;
pub mod opus;

pub use g711::G711;
pub(crate) use g711::pcm16;
pub use opus::OpusParams;

use crate::playout::LineRate;

/// What the two sides of a call may agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 μ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// 64 kbit/s sub-band ADPCM: 16 kHz speech, though its RTP clock says 8 (RFC 3551 §4.5.2).
    G722,
    /// RFC 6716; RTP clock 48 kHz always (RFC 7587 §4.1).
    Opus,
}

impl Codec {
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Encoding name as in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// Timestamp units per second, hertz.
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// Sampling rate of what is heard and said; not always the clock's.
    pub const fn rate(self) -> LineRate {
        match self {
            Self::Pcmu | Self::Pcma => LineRate::Hz8000,
            Self::G722 | Self::Opus => LineRate::Hz16000,
        }
    }

    /// Static RTP payload type (RFC 3551 §6).
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }
}

impl From<G711> for Codec {
    fn from(law: G711) -> Self {
        match law {
            G711::Pcmu => Self::Pcmu,
            G711::Pcma => Self::Pcma,
        }
    }
}
