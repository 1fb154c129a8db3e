//! Why a description could not be used, and which response says so.

/// A description that we cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("session description has {0} bytes, more than allowed")]
    TooLarge(usize),
    #[error("session description cannot be read: {0}")]
    Malformed(String),
    #[error("session description has no audio stream that is not rejected")]
    NoAudio,
    #[error("no audio codec and profile in common")]
    NoCommonCodec,
    #[error("the audio is not encrypted, which the user's srtp requires")]
    NotEncrypted,
    #[error("the audio is encrypted (RTP/SAVP), which the user's srtp switches off")]
    Encrypted,
    #[error("no key for the audio that can be used: one of AES_CM_128_HMAC_SHA1_80 or _32 without MKI")]
    NoUsableKey,
    /// Resolving it is not done here.
    #[error("media address {0} is a name, not an address")]
    HostName(String),
    /// A group, another network, or an address family that our socket does not speak.
    #[error("media address {0} cannot be reached")]
    UnusableAddress(String),
}

impl SdpError {
    /// The SIP response that fits: 413 or 400 for what cannot be read, 488 for what we do not do.
    pub fn status_code(&self) -> u16 {
        match self {
            Self::TooLarge(_) => 413,
            Self::Malformed(_) => 400,
            Self::NoAudio
            | Self::NoCommonCodec
            | Self::NotEncrypted
            | Self::Encrypted
            | Self::NoUsableKey
            | Self::HostName(_)
            | Self::UnusableAddress(_) => 488,
        }
    }
}
