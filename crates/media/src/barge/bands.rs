//! What a frame sounds like: its level in six bands, 10 ms at a time, of what was heard and of what was sent side by side.

use crate::FRAME_SAMPLES;
use std::f32::consts::TAU;

pub(super) const BANDS: usize = 6;
/// Of telephone speech.
const CENTRES_HZ: [f32; BANDS] = [300.0, 520.0, 880.0, 1_400.0, 2_150.0, 3_050.0];
const QUALITY: f32 = 2.0;
/// A side's filters, padded to a whole vector.
const SIDE: usize = 8;
const LANES: usize = 2 * SIDE;
pub(super) const BLOCKS: usize = 2;
const BLOCK_SAMPLES: usize = FRAME_SAMPLES / BLOCKS;
/// Nothing is softer: −75 dBFS, the idle noise of G.711.
pub(super) const SILENCE_DB: f32 = 15.0;
/// Keeps the filters' memory from shrinking to numbers that processors are slow with.
const TRICKLE: f32 = 1e-3;

/// Decibels of 16-bit samples, by band.
pub(super) type Levels = [f32; BANDS];

/// 10 ms of both sides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    pub heard: Levels,
    pub sent: Levels,
}

/// A band-pass filter for each band and side.
#[derive(Debug)]
pub(super) struct Bands {
    gain: [f32; LANES],
    a1: [f32; LANES],
    a2: [f32; LANES],
    s1: [f32; LANES],
    s2: [f32; LANES],
}

impl Bands {
    pub fn new() -> Self {
        let none = [0.0; LANES];
        let mut bands = Self { gain: none, a1: none, a2: none, s1: none, s2: none };
        for (band, centre) in CENTRES_HZ.iter().enumerate() {
            let (sin, cos) = (TAU * centre / 8_000.0).sin_cos();
            let alpha = sin / (2.0 * QUALITY);
            for lane in [band, SIDE + band] {
                bands.gain[lane] = alpha / (1.0 + alpha);
                bands.a1[lane] = -2.0 * cos / (1.0 + alpha);
                bands.a2[lane] = (1.0 - alpha) / (1.0 + alpha);
            }
        }
        bands
    }

    pub fn split(&mut self, heard: &[f32; FRAME_SAMPLES], sent: &[f32; FRAME_SAMPLES]) -> [Block; BLOCKS] {
        let mut blocks = [Block::default(); BLOCKS];
        let halves = heard.as_chunks::<BLOCK_SAMPLES>().0.iter().zip(sent.as_chunks::<BLOCK_SAMPLES>().0);
        for (block, (heard, sent)) in blocks.iter_mut().zip(halves) {
            *block = self.block(heard, sent);
        }
        blocks
    }

    fn block(&mut self, heard: &[f32; BLOCK_SAMPLES], sent: &[f32; BLOCK_SAMPLES]) -> Block {
        let Self { gain, a1, a2, .. } = self;
        let (mut s1, mut s2, mut sums) = (self.s1, self.s2, [0.0; LANES]);
        for (heard, sent) in heard.iter().zip(sent) {
            for lane in 0..LANES {
                let input = gain[lane] * (TRICKLE + if lane < SIDE { heard } else { sent });
                let output = input + s1[lane];
                s1[lane] = s2[lane] - a1[lane] * output;
                s2[lane] = -input - a2[lane] * output;
                sums[lane] += output * output;
            }
        }
        (self.s1, self.s2) = (s1, s2);
        let level = |side: usize| std::array::from_fn(|band| decibels(sums[side + band] / BLOCK_SAMPLES as f32));
        Block { heard: level(0), sent: level(SIDE) }
    }
}

/// Of a mean square; right to 0.1.
pub(super) fn decibels(power: f32) -> f32 {
    let bits = power.max(f32::MIN_POSITIVE).to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    let fraction = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000) - 1.0;
    let log2 = exponent + fraction * (1.345 - 0.345 * fraction);
    (3.0103 * log2).max(SILENCE_DB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_are_right_to_a_tenth() {
        let mut power = 40.0_f32;
        while power < 1e9 {
            assert!((decibels(power) - 10.0 * power.log10()).abs() < 0.1, "{power}");
            power *= 1.07;
        }
        assert_eq!([0.0, 1.0, -1.0].map(decibels), [SILENCE_DB; 3]);
    }

    #[test]
    fn a_tone_is_heard_in_its_band_and_on_its_side() {
        for (band, hz) in CENTRES_HZ.iter().enumerate() {
            let mut bands = Bands::new();
            let tone = |frame: usize| std::array::from_fn(|i| 10_000.0 * (TAU * hz * (160 * frame + i) as f32 / 8_000.0).sin());
            let [_, block] = (0..5).map(|frame| bands.split(&tone(frame), &[0.0; FRAME_SAMPLES])).last().expect("five");
            assert!((block.heard[band] - 77.0).abs() < 0.3, "{hz}: {block:?}");
            let others = (0..BANDS).filter(|other| *other != band).map(|other| block.heard[other]).fold(0.0, f32::max);
            assert!(others < 77.0 - 5.0, "{hz}: {block:?}");
            assert_eq!(block.sent, [SILENCE_DB; BANDS]);
        }
    }
}
