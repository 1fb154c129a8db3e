//! Which frames nobody would miss: those near the line's own noise.

/// Quieter than this is silence on any line: −42 dBFS.
const ALWAYS_SILENT: f32 = 260.0;
/// Louder than this (−28 dBFS) is speech or music, be it ever so even.
const NEVER_SILENT: f32 = 1_300.0;
/// Still noise so far above the floor: 2.3 dB.
const NEAR: f32 = 1.3;
/// The floor rises by 6 dB in 16 s.
const RISE: f32 = 1.000_87;

#[derive(Debug, Clone, Copy)]
pub(super) struct NoiseFloor {
    rms: f32,
}

impl Default for NoiseFloor {
    fn default() -> Self {
        Self { rms: NEVER_SILENT }
    }
}

impl NoiseFloor {
    /// Learns from a frame and tells whether it is near silence.
    pub fn is_near(&mut self, rms: f32) -> bool {
        self.rms = (self.rms * RISE).min(rms).clamp(1.0, NEVER_SILENT);
        rms <= (self.rms * NEAR).clamp(ALWAYS_SILENT, NEVER_SILENT)
    }
}
