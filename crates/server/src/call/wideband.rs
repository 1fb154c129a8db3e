//! The offline voice on a wideband line: 8 kHz speech at 24 kHz, chunk by chunk without a seam.

use callie_media::{FRAME_SAMPLES, resample::Up8To24};

pub struct Wideband(Box<Up8To24>);

impl Wideband {
    pub fn new() -> Self {
        Self(Box::new(Up8To24::new()))
    }

    /// Mono 16-bit samples at 8 kHz to three times as many at 24 kHz.
    pub fn lift(&mut self, narrow: &[i16]) -> Vec<i16> {
        let mut wide = Vec::with_capacity(narrow.len() * 3);
        let (mut from, mut to) = ([0.0; FRAME_SAMPLES], [0.0; 3 * FRAME_SAMPLES]);
        for frame in narrow.chunks(FRAME_SAMPLES) {
            for (sample, &code) in from.iter_mut().zip(frame) {
                *sample = f32::from(code);
            }
            let written = self.0.process(&from[..frame.len()], &mut to);
            wide.extend(to[..written].iter().map(|&sample| sample as i16));
        }
        wide
    }
}

impl Default for Wideband {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_level() {
        let narrow: Vec<i16> = (0..1_000).map(|n| ((n as f32 * 0.4).sin() * 8_000.0) as i16).collect();
        let wide = Wideband::new().lift(&narrow);
        assert_eq!(wide.len(), 3_000);
        let settled = &wide[600..2_400];
        let crossings = settled.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
        assert!((76..=77).contains(&crossings), "{crossings}");
        let peak = settled.iter().map(|s| s.unsigned_abs()).max();
        assert!(peak.is_some_and(|peak| (7_800..8_200).contains(&peak)), "{peak:?}");
    }
}
