//! Writes WAV files.

use std::{fs, io, path::Path};

/// One channel of 16-bit PCM.
pub fn write(file: &Path, rate_hz: usize, samples: &[i16]) -> io::Result<()> {
    let (data_bytes, rate_hz) = (2 * samples.len() as u32, rate_hz as u32);
    let mut bytes = Vec::with_capacity(44 + 2 * samples.len());
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_bytes).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((2 * rate_hz).to_le_bytes());
    // Bytes and bits of a sample.
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    fs::write(file, bytes)
}
