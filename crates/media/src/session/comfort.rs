//! Comfort noise (RFC 3389): what a sender that has fallen silent wants to be heard meanwhile. Only the level is heeded; the
//! spectrum, which few send, is not.

/// Noise as loud as the far end's silence.
#[derive(Debug, Clone, Copy)]
pub(super) struct ComfortNoise {
    /// Of even distribution: √3 times the root mean square.
    amplitude: f32,
    dice: u32,
    /// Speech has come since: the next frame of it ends the noise.
    pub ends: bool,
}

impl ComfortNoise {
    /// The first byte is the level in −dBov (§3).
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let level = f32::from(payload.first()? & 0x7f);
        let rms = 32_768.0 * 10_f32.powf(-level / 20.0);
        Some(Self { amplitude: rms * 3_f32.sqrt(), dice: 0x9e37_79b9, ends: false })
    }

    pub fn fill(&mut self, frame: &mut [f32]) {
        for sample in frame {
            self.dice ^= self.dice << 13;
            self.dice ^= self.dice >> 17;
            self.dice ^= self.dice << 5;
            *sample = self.amplitude * (self.dice as i32 as f32 / 2_147_483_648.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::rms;

    #[test]
    fn noise_is_as_loud_as_told() {
        for (level, want) in [(20, 3_276.8), (40, 327.7), (60, 32.77), (127, 0.0), (128 + 40, 327.7)] {
            let mut frame = [0.0; 3_200];
            ComfortNoise::parse(&[level, 9, 9]).expect("a level").fill(&mut frame);
            let heard = rms(&frame);
            assert!((heard - want).abs() < 0.05 * want + 0.1, "{level}: {heard}");
        }
        assert!(ComfortNoise::parse(&[]).is_none());
    }
}
