//! Reading WAV files of 16-bit PCM (RIFF/WAVE), also those whose writer was killed.

/// Why bytes are not a WAV file that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    #[error("not a riff/wave file")]
    NotWave,
    #[error("wave file without a format chunk before its data")]
    NoFormat,
    #[error("wave file without a data chunk")]
    NoData,
    #[error("wave format {format}, {bits} bits, {channels} channels; only 16-bit pcm with one or two channels is read")]
    Unsupported { format: u16, bits: u16, channels: u16 },
}

/// A parsed file; the samples stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wav<'a> {
    pub sample_rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Little-endian samples, channels interleaved; whole sample groups only.
    pub data: &'a [u8],
}

impl<'a> Wav<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WavError> {
        let _ = bytes;
        Err(WavError::NotWave)
    }

    /// The samples of one channel (0 is left); nothing for a channel that is not there.
    pub fn channel(&self, index: usize) -> impl Iterator<Item = i16> + 'a {
        let channels = usize::from(self.channels).max(1);
        self.data.chunks_exact(2 * channels).filter_map(move |group| {
            let (pairs, _) = group.as_chunks::<2>();
            pairs.get(index).map(|&pair| i16::from_le_bytes(pair))
        })
    }
}
