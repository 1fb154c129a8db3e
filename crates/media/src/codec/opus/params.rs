//! What the far end's `fmtp` line says about the Opus that it wants to receive (RFC 7587 §6.1).

/// Only what changes what we send. The defaults are those of a line without `fmtp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpusParams {
    /// `maxplaybackrate`, hertz: the far end plays nothing above half of it.
    pub max_playback_rate_hz: u32,
    /// `maxaveragebitrate`, bits per second.
    pub max_average_bitrate: Option<u32>,
    /// `useinbandfec`: the far end makes use of it.
    pub use_inband_fec: bool,
}

impl Default for OpusParams {
    fn default() -> Self {
        Self { max_playback_rate_hz: 48_000, max_average_bitrate: None, use_inband_fec: false }
    }
}
