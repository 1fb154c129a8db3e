//! One band: the adaptive scale of its quantiser and the adaptive prediction, the same in coder and decoder
//! (ITU-T G.722 §3.5 and §3.6, §6.2).

use super::tables::POWERS;

/// Which band it is: the bounds of its scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaling {
    /// Highest logarithm of the scale.
    pub ceiling: i32,
    /// Its power of two at the ceiling of the table.
    pub shift: i32,
}

pub(super) const LOW: Scaling = Scaling { ceiling: 18_432, shift: 8 };
pub(super) const HIGH: Scaling = Scaling { ceiling: 22_528, shift: 10 };

/// Coefficients of the prediction from past differences.
const ZEROS: usize = 6;

#[derive(Debug, Clone)]
pub(super) struct Band {
    /// Logarithm of the scale (NABLA).
    log_scale: i32,
    /// The scale (DETL, DETH).
    pub scale: i32,
    /// What is predicted for the next sample.
    pub predicted: i32,
    /// The part of it that comes from past differences.
    from_zeros: i32,
    poles: [i32; 2],
    zeros: [i32; ZEROS],
    /// Past reconstructions, the latest first.
    reconstructed: [i32; 2],
    /// Signs of past partial reconstructions: −1 or 0, the latest first.
    partial_signs: [i32; 2],
    /// Past quantised differences, the latest first.
    differences: [i32; ZEROS],
}

impl Band {
    pub fn new(scale: i32) -> Self {
        Self {
            log_scale: 0,
            scale,
            predicted: 0,
            from_zeros: 0,
            poles: [0; 2],
            zeros: [0; ZEROS],
            reconstructed: [0; 2],
            partial_signs: [0; 2],
            differences: [0; ZEROS],
        }
    }

    /// A difference of one of the quantiser's levels, at the scale of now.
    pub fn scaled(&self, level: i32) -> i32 {
        (self.scale * level) >> 15
    }

    /// Takes a quantised difference: the scale moves by `step`, and the next sample is predicted.
    pub fn adapt(&mut self, difference: i32, step: i32, scaling: Scaling) {
        self.rescale(step, scaling);
        let partial_sign = clip(self.from_zeros + difference) >> 31;
        let reconstructed = clip(self.predicted + difference);
        self.adapt_poles(partial_sign);
        self.adapt_zeros(difference);
        self.differences.copy_within(..ZEROS - 1, 1);
        self.differences[0] = difference;
        self.partial_signs = [partial_sign, self.partial_signs[0]];
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.predict();
    }

    /// LOGSCL, LOGSCH, SCALEL, SCALEH.
    fn rescale(&mut self, step: i32, scaling: Scaling) {
        self.log_scale = (leak(self.log_scale, 7) + step).clamp(0, scaling.ceiling);
        let power = POWERS[(self.log_scale >> 6) as usize & 31];
        let shift = scaling.shift - (self.log_scale >> 11);
        self.scale = (if shift < 0 { power << -shift } else { power >> shift }) << 2;
    }

    /// UPPOL1, UPPOL2: towards the signs that partial reconstructions have in common.
    fn adapt_poles(&mut self, sign: i32) {
        let [before, twice_before] = self.partial_signs;
        let four_times = clip(self.poles[0] << 2);
        let pull = if sign == before { (-four_times).min(32_767) } else { four_times };
        let push = if sign == twice_before { 128 } else { -128 };
        let second = (push + (pull >> 7) + leak(self.poles[1], 7)).clamp(-12_288, 12_288);
        let push = if sign == before { 192 } else { -192 };
        let limit = 15_360 - second;
        let first = (push + leak(self.poles[0], 8)).clamp(-limit, limit);
        self.poles = [first, second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        let sign = difference >> 31;
        for (zero, past) in self.zeros.iter_mut().zip(&self.differences) {
            // +push where the signs are equal, −push where not.
            let opposite = (past >> 31) ^ sign;
            *zero = leak(*zero, 8) + ((push ^ opposite) - opposite);
        }
    }

    /// FILTEP, FILTEZ, PREDIC.
    fn predict(&mut self) {
        let term = |coefficient: i32, past: i32| (coefficient * clip(2 * past)) >> 15;
        let from_poles = clip(term(self.poles[0], self.reconstructed[0]) + term(self.poles[1], self.reconstructed[1]));
        let sum = self.zeros.iter().zip(&self.differences).map(|(&zero, &past)| term(zero, past)).sum();
        self.from_zeros = clip(sum);
        self.predicted = clip(from_poles + self.from_zeros);
    }
}

/// `value` · (1 − 2⁻ⁿ), rounded down: `value` times 32,640 (n = 8), 32,512 (7) by 2¹⁵, or 127 (7) by 2⁷.
fn leak(value: i32, n: u32) -> i32 {
    value + (-value >> n)
}

/// To 16 bits.
pub(super) fn clip(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}
