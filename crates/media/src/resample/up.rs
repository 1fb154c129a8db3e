//! From a low rate to `L` times that rate.

use super::filter::{BLOCK, Phase, WINDOW, design, interpolating};
use std::sync::LazyLock;

/// Multiplies the sampling rate by `L` with `K` taps per output sample.
#[derive(Debug, Clone)]
pub struct Upsampler<const L: usize, const K: usize> {
    phases: &'static [Phase<K>; L],
    /// The last samples; the first of them is not used (`K − 1` is no array length yet).
    history: [f32; K],
}

impl Upsampler<2, 40> {
    pub fn new() -> Self {
        static PHASES: LazyLock<[Phase<40>; 2]> = LazyLock::new(|| interpolating(design(8.0)));
        Self { phases: &PHASES, history: [0.0; 40] }
    }
}

impl Upsampler<3, 32> {
    pub fn new() -> Self {
        static PHASES: LazyLock<[Phase<32>; 3]> = LazyLock::new(|| interpolating(design(7.0)));
        Self { phases: &PHASES, history: [0.0; 32] }
    }
}

impl Default for Upsampler<2, 40> {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Upsampler<3, 32> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const L: usize, const K: usize> Upsampler<L, K> {
    /// Converts all of `input` (any length) and returns how many samples it wrote: `L × input.len()`.
    ///
    /// Input beyond what `output` can hold is not taken.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let n = input.len().min(output.len() / L);
        for (input, output) in input[..n].chunks(BLOCK).zip(output[..n * L].chunks_mut(BLOCK * L)) {
            self.block(input, output);
        }
        n * L
    }

    fn block(&mut self, input: &[f32], output: &mut [f32]) {
        let n = input.len();
        let mut window = [0.0; WINDOW];
        window[..K - 1].copy_from_slice(&self.history[1..]);
        window[K - 1..K - 1 + n].copy_from_slice(input);
        let mut filtered = [[0.0; BLOCK]; L];
        for (phase, out) in self.phases.iter().zip(&mut filtered) {
            phase.add(&window, out, n);
        }
        for (i, group) in output.as_chunks_mut::<L>().0.iter_mut().enumerate() {
            *group = std::array::from_fn(|p| filtered[p][i]);
        }
        self.history[1..].copy_from_slice(&window[n..n + K - 1]);
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.history = [0.0; K];
    }
}
