//! Speech from and to WAV files.

use callie_media::wav::Wav;
use std::{error::Error, fs, io, path::Path};

/// Of all speech that goes in.
pub const RATE_HZ: u32 = 24_000;
/// Between two files, and before the first.
const PAUSE: usize = RATE_HZ as usize / 2;

/// All files in a row with pauses between them, at [`RATE_HZ`].
pub fn read_all(files: &[impl AsRef<Path>]) -> Result<Vec<i16>, Box<dyn Error>> {
    let mut speech = vec![0; PAUSE];
    for file in files {
        let bytes = fs::read(file)?;
        let wav = Wav::parse(&bytes)?;
        if wav.sample_rate_hz != RATE_HZ {
            return Err(format!("{} is not of {RATE_HZ} Hz", file.as_ref().display()).into());
        }
        speech.extend(wav.channel(0));
        speech.resize(speech.len() + PAUSE, 0);
    }
    Ok(speech)
}

/// Writes one channel of 16-bit PCM.
pub fn write(file: &Path, rate_hz: u32, samples: &[i16]) -> io::Result<()> {
    let data_len = 2 * samples.len() as u32;
    let mut bytes = Vec::with_capacity(44 + data_len as usize);
    bytes.extend(b"RIFF");
    bytes.extend((36 + data_len).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((2 * rate_hz).to_le_bytes());
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend(data_len.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    fs::write(file, bytes)
}
