//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): 16 kHz speech in one byte per two samples, whole in both ways.
//!
//! A quadrature mirror filter parts the band in two; each half is coded as the difference to what was predicted, six bits
//! for the lower band and two for the higher. In integers throughout, as the Recommendation has it: coder and decoder stay in
//! step only if both round alike.
//!
//! Not here: modes 2 and 3 (56 and 48 kbit/s), which RTP does not carry (RFC 3551 §4.5.2).

mod band;
mod tables;
#[cfg(test)]
mod tests;

use super::pcm16;
use band::{Band, HIGH, LOW, clip};
use tables::{HIGH_2, HIGH_LEVEL, HIGH_STEPS, LOW_4, LOW_6, LOW_LEVELS, LOW_STEPS, MIRROR};

/// Samples before the two of now that the filters look at.
const PAST: usize = 22;

/// Bits 6 and 7 of the code of a small and of a large difference, by its sign.
const HIGH_CODES: [[u8; 2]; 2] = [[3, 2], [1, 0]];

/// Makes codes of samples; of one stream, in order.
#[derive(Debug, Clone)]
pub struct G722Encoder {
    past: [i32; PAST],
    low: Band,
    high: Band,
}

impl Default for G722Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl G722Encoder {
    pub fn new() -> Self {
        Self { past: [0; PAST], low: Band::new(32), high: Band::new(8) }
    }

    /// Encodes as many pairs of samples as there is room for; rounds to nearest, clips at 16 bits.
    pub fn encode(&mut self, samples: &[f32], codes: &mut [u8]) {
        for (pair, code) in samples.as_chunks::<2>().0.iter().zip(codes) {
            let (low, high) = self.split(pair.map(pcm16));
            *code = self.code_low(low) | (self.code_high(high) << 6);
        }
    }

    /// The transmit filter: a sample of each band.
    fn split(&mut self, pair: [i32; 2]) -> (i32, i32) {
        let (mut odd, mut even) = (pair[0] * MIRROR[11], pair[1] * MIRROR[0]);
        for (i, past) in self.past.as_chunks::<2>().0.iter().enumerate() {
            odd += past[0] * MIRROR[i];
            even += past[1] * MIRROR[11 - i];
        }
        push(&mut self.past, pair);
        ((even + odd) >> 14, (even - odd) >> 14)
    }

    fn code_low(&mut self, sample: i32) -> u8 {
        let (negative, magnitude) = difference(sample, &self.low);
        // Levels rise, so those below the magnitude come first.
        let scale = self.low.scale;
        let above = LOW_LEVELS.partition_point(|level| magnitude >= (level * scale) >> 12) as u8;
        let code = match (negative, above) {
            (false, _) => 61 - above,
            (true, 0..2) => 63 - above,
            (true, _) => 33 - above,
        };
        let upper = usize::from(code >> 2);
        self.low.adapt(self.low.scaled(LOW_4[upper]), LOW_STEPS[upper], LOW);
        code
    }

    fn code_high(&mut self, sample: i32) -> u8 {
        let (negative, magnitude) = difference(sample, &self.high);
        let large = magnitude >= (HIGH_LEVEL * self.high.scale) >> 12;
        let code = HIGH_CODES[usize::from(negative)][usize::from(large)];
        let at = usize::from(code);
        self.high.adapt(self.high.scaled(HIGH_2[at]), HIGH_STEPS[at], HIGH);
        code
    }
}

/// Makes samples of codes; of one stream, in order.
#[derive(Debug, Clone)]
pub struct G722Decoder {
    past: [i32; PAST],
    low: Band,
    high: Band,
}

impl Default for G722Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl G722Decoder {
    pub fn new() -> Self {
        Self { past: [0; PAST], low: Band::new(32), high: Band::new(8) }
    }

    /// Decodes as many codes as there is room for pairs of samples.
    pub fn decode(&mut self, codes: &[u8], samples: &mut [f32]) {
        for (pair, &code) in samples.as_chunks_mut::<2>().0.iter_mut().zip(codes) {
            let low = self.low_of(code & 63);
            let high = self.high_of(code >> 6);
            *pair = self.join(low, high).map(|sample| sample as f32);
        }
    }

    fn low_of(&mut self, code: u8) -> i32 {
        let band = &mut self.low;
        let sample = band.predicted + band.scaled(LOW_6[usize::from(code & 63)]);
        let upper = usize::from(code >> 2 & 15);
        band.adapt(band.scaled(LOW_4[upper]), LOW_STEPS[upper], LOW);
        sample.clamp(-16_384, 16_383)
    }

    fn high_of(&mut self, code: u8) -> i32 {
        let band = &mut self.high;
        let at = usize::from(code & 3);
        let difference = band.scaled(HIGH_2[at]);
        let sample = band.predicted + difference;
        band.adapt(difference, HIGH_STEPS[at], HIGH);
        sample.clamp(-16_384, 16_383)
    }

    /// The receive filter: two samples of the whole.
    fn join(&mut self, low: i32, high: i32) -> [i32; 2] {
        let pair = [low + high, low - high];
        let (mut second, mut first) = (pair[0] * MIRROR[11], pair[1] * MIRROR[0]);
        for (i, past) in self.past.as_chunks::<2>().0.iter().enumerate() {
            second += past[0] * MIRROR[i];
            first += past[1] * MIRROR[11 - i];
        }
        push(&mut self.past, pair);
        [clip(first >> 11), clip(second >> 11)]
    }
}

/// Sign and magnitude of what the band did not foresee; negative ones by one's complement.
fn difference(sample: i32, band: &Band) -> (bool, i32) {
    let difference = clip(sample - band.predicted);
    (difference < 0, difference ^ (difference >> 31))
}

fn push(past: &mut [i32; PAST], pair: [i32; 2]) {
    past.copy_within(2.., 0);
    past[PAST - 2..].copy_from_slice(&pair);
}
