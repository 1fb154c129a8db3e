//! Which frames nobody would miss: those near the line's own noise.

use crate::{FRAME_SAMPLES, codec::G711};

/// The mean of the codes' seven magnitude bits, a logarithmic scale on which 16 are 6 dB.
const ALWAYS_SILENT: f32 = 20.0;
/// Louder than this (about −31 dBFS) is speech or music, be it ever so even.
const NEVER_SILENT: f32 = 48.0;
/// Still noise so far above the floor.
const NEAR: f32 = 6.0;
/// The floor rises by 6 dB in 16 s.
const RISE: f32 = 0.02;

#[derive(Debug, Clone, Copy)]
pub(super) struct NoiseFloor {
    level: f32,
}

impl Default for NoiseFloor {
    fn default() -> Self {
        Self { level: NEVER_SILENT }
    }
}

impl NoiseFloor {
    /// Learns from the frame and tells whether it is near silence.
    pub fn is_near(&mut self, codec: G711, frame: &[u8; FRAME_SAMPLES]) -> bool {
        let level = level(codec, frame);
        self.level = (self.level + RISE).min(level).min(NEVER_SILENT);
        level <= (self.level + NEAR).clamp(ALWAYS_SILENT, NEVER_SILENT)
    }
}

fn level(codec: G711, frame: &[u8; FRAME_SAMPLES]) -> f32 {
    let flip = match codec {
        G711::Pcmu => 0xff,
        G711::Pcma => 0x55,
    };
    let sum: u32 = frame.iter().map(|code| u32::from((code ^ flip) & 0x7f)).sum();
    sum as f32 / FRAME_SAMPLES as f32
}
