//! Why a description could not be used, and which response says so.

/// A description that we cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("session description has {0} bytes, more than allowed")]
    TooLarge(usize),
    #[error("session description cannot be read: {0}")]
    Malformed(String),
    #[error("session description has no audio stream that we can use")]
    NoAudio,
    #[error("no audio codec in common")]
    NoCommonCodec,
    #[error("media address {0} is a name, not an address")]
    HostName(String),
}

impl SdpError {
    /// The SIP response that fits: 400 for what cannot be read, 488 for what we do not do.
    pub fn status_code(&self) -> u16 {
        match self {
            Self::TooLarge(_) | Self::Malformed(_) => 400,
            Self::NoAudio | Self::NoCommonCodec | Self::HostName(_) => 488,
        }
    }
}
