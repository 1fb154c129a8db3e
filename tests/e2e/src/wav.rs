//! Recordings read back: RIFF/WAVE with 16-bit PCM, written here from the format's description alone.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    /// Hertz.
    pub rate: u32,
    /// One vector of samples per channel.
    pub channels: Vec<Vec<i16>>,
}

impl Wav {
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        Self::parse(&bytes).with_context(|| path.display().to_string())
    }

    /// Every length in the file has to be true: a header that promises more than there is, is an error.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() >= 12 && &bytes[..4] == b"RIFF" && &bytes[8..12] == b"WAVE", "not a RIFF/WAVE file");
        let riff_len = u32_at(bytes, 4)? as usize;
        ensure!(riff_len + 8 <= bytes.len(), "RIFF says {riff_len} bytes, the file has {}", bytes.len() - 8);
        let mut at = 12;
        let mut format = None;
        while at + 8 <= bytes.len() {
            let len = u32_at(bytes, at + 4)? as usize;
            let body = bytes.get(at + 8..at + 8 + len).with_context(|| format!("chunk at {at} says {len} bytes"))?;
            match &bytes[at..at + 4] {
                b"fmt " => format = Some(Format::parse(body)?),
                b"data" => return Ok(format.context("data before fmt")?.samples(body)),
                _ => {}
            }
            at += 8 + len + len % 2;
        }
        bail!("no data chunk")
    }

    pub fn seconds(&self) -> f64 {
        self.channels.first().map_or(0.0, |samples| samples.len() as f64 / f64::from(self.rate))
    }
}

struct Format {
    channels: usize,
    rate: u32,
}

impl Format {
    fn parse(body: &[u8]) -> Result<Self> {
        ensure!(body.len() >= 16, "fmt chunk of {} bytes", body.len());
        let u16_at = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
        ensure!(u16_at(0) == 1 && u16_at(14) == 16, "format {} with {} bits, not 16-bit PCM", u16_at(0), u16_at(14));
        let channels = usize::from(u16_at(2));
        ensure!(channels > 0, "no channel");
        Ok(Self { channels, rate: u32_at(body, 4)? })
    }

    fn samples(&self, body: &[u8]) -> Wav {
        let mut channels = vec![Vec::with_capacity(body.len() / 2 / self.channels); self.channels];
        for (i, pair) in body.chunks_exact(2).enumerate() {
            channels[i % self.channels].push(i16::from_le_bytes([pair[0], pair[1]]));
        }
        Wav { rate: self.rate, channels }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..at + 4).context("file ends in a header")?;
    Ok(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}
