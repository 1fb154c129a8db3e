//! What a recording holds: is there a voice on either side?

use anyhow::Context;
use callie_lab::analysis;
use callie_media::wav::Wav;
use std::path::Path;

/// Seconds of voice in each channel.
#[derive(Debug, Clone, Copy)]
pub struct Voices {
    pub left_s: f64,
    pub right_s: f64,
}

pub fn voices(path: &Path) -> anyhow::Result<Voices> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let wav = Wav::parse(&bytes).with_context(|| format!("{} is not a WAV file", path.display()))?;
    let channel = |index: usize| -> Vec<i16> { wav.channel(index).collect() };
    Ok(Voices { left_s: analysis::voiced_seconds(&channel(0)), right_s: analysis::voiced_seconds(&channel(1)) })
}
