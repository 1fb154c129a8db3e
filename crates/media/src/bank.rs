//! How much of each of some frequencies a block holds, and where their waves stand: Goertzel's correlations, all at once, so that
//! the compiler can vectorise them. A bank is made once and shared by all calls.

use std::f64::consts::TAU;

/// `WAVES` is twice the number of frequencies: their cosines, then their sines.
#[derive(Debug)]
pub struct Bank<const BLOCK: usize, const WAVES: usize> {
    /// For each sample of a block.
    waves: [[f32; WAVES]; BLOCK],
}

impl<const BLOCK: usize, const WAVES: usize> Bank<BLOCK, WAVES> {
    /// `hertz`: the frequency of each tone, counted from 0, at 8 kHz.
    pub fn new(hertz: impl Fn(usize) -> f32) -> Self {
        let wave = |sample: usize, wave: usize| {
            let angle = TAU * f64::from(hertz(wave % (WAVES / 2))) * sample as f64 / 8_000.0;
            (if wave < WAVES / 2 { angle.cos() } else { angle.sin() }) as f32
        };
        Self { waves: std::array::from_fn(|sample| std::array::from_fn(|of| wave(sample, of))) }
    }

    /// The sums of every `STEP`th sample of the block with each wave, and their energy. A tone alone has
    /// `BLOCK / STEP / 2` times its energy.
    pub fn correlate<const STEP: usize>(&self, block: &[f32; BLOCK]) -> ([f32; WAVES], f32) {
        let mut sums = [0.0; WAVES];
        let mut energy = 0.0;
        for (sample, waves) in block.iter().step_by(STEP).zip(self.waves.iter().step_by(STEP)) {
            for (sum, wave) in sums.iter_mut().zip(waves) {
                *sum += sample * wave;
            }
            energy += sample * sample;
        }
        (sums, energy)
    }
}

/// Cosine and sine sum of a tone.
pub fn parts<const WAVES: usize>(sums: &[f32; WAVES], tone: usize) -> [f32; 2] {
    [sums[tone], sums[tone + WAVES / 2]]
}

pub fn power([cosine, sine]: [f32; 2]) -> f32 {
    cosine * cosine + sine * sine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_at_its_frequency() {
        let bank = Bank::<80, 6>::new(|tone| [400.0, 1_000.0, 1_700.0][tone]);
        let block: [f32; 80] = std::array::from_fn(|i| (std::f32::consts::TAU * i as f32 / 8.0).sin());
        let (sums, energy) = bank.correlate::<1>(&block);
        let shares = [0, 1, 2].map(|tone| power(parts(&sums, tone)) / (energy * 40.0));
        assert!(shares[1] > 0.999 && shares[0] < 1e-3 && shares[2] < 1e-3, "{shares:?}");
        let (sums, energy) = bank.correlate::<2>(&block);
        assert!(power(parts(&sums, 1)) / (energy * 20.0) > 0.999);
    }
}
