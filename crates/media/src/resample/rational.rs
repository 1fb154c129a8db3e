//! Between 16 and 24 kHz: by `L` of every `M` samples.

use super::filter::{BLOCK, Phase, WINDOW, low_pass};
use std::sync::LazyLock;

/// Multiplies the sampling rate by `L / M` with `M × K` taps per output sample; cut at 8 kHz, half of the lower rate.
#[derive(Debug, Clone)]
pub struct Rational<const L: usize, const M: usize, const K: usize> {
    /// For each output sample of a group, one for each of its input samples.
    phases: &'static [[Phase<K>; M]; L],
    /// The last samples, every `M`th in a row of its own; the first of each row is not used.
    history: [[f32; K]; M],
}

impl Rational<3, 2, 20> {
    pub fn new() -> Self {
        static PHASES: LazyLock<[[Phase<20>; 2]; 3]> = LazyLock::new(design);
        Self { phases: &PHASES, history: [[0.0; 20]; 2] }
    }
}

impl Rational<2, 3, 20> {
    pub fn new() -> Self {
        static PHASES: LazyLock<[[Phase<20>; 3]; 2]> = LazyLock::new(design);
        Self { phases: &PHASES, history: [[0.0; 20]; 3] }
    }
}

impl Default for Rational<3, 2, 20> {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Rational<2, 3, 20> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const L: usize, const M: usize, const K: usize> Rational<L, M, K> {
    /// Converts `input`, whose length is a multiple of `M`, and returns how many samples it wrote: `L / M` times as many.
    ///
    /// Input beyond a whole multiple, or beyond what `output` can hold, is not taken.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let n = (input.len() / M).min(output.len() / L);
        for (input, output) in input[..n * M].chunks(BLOCK * M).zip(output[..n * L].chunks_mut(BLOCK * L)) {
            self.block(input, output);
        }
        n * L
    }

    fn block(&mut self, input: &[f32], output: &mut [f32]) {
        let n = input.len() / M;
        let mut windows = [[0.0; WINDOW]; M];
        for (window, history) in windows.iter_mut().zip(&self.history) {
            window[..K - 1].copy_from_slice(&history[1..]);
        }
        for (i, group) in input.as_chunks::<M>().0.iter().enumerate() {
            for (window, sample) in windows.iter_mut().zip(group) {
                window[K - 1 + i] = *sample;
            }
        }
        let mut filtered = [[0.0; BLOCK]; L];
        for (phases, out) in self.phases.iter().zip(&mut filtered) {
            for (phase, window) in phases.iter().zip(&windows) {
                phase.add(window, out, n);
            }
        }
        for (i, group) in output.as_chunks_mut::<L>().0.iter_mut().enumerate() {
            *group = std::array::from_fn(|p| filtered[p][i]);
        }
        for (window, history) in windows.iter().zip(&mut self.history) {
            history[1..].copy_from_slice(&window[n..n + K - 1]);
        }
    }
}

/// The filter runs at the rate that both rates divide, `L` times the input's: there output `j` of a group stands at `M × j`, input
/// `r` at `L × r`, and tap `t` weighs the input `t` before the output.
fn design<const L: usize, const M: usize, const K: usize>() -> [[Phase<K>; M]; L] {
    // What K groups of inputs reach back to, from each output.
    let prototype = low_pass(L * M * (K - 1) + 1, 0.5 / L.max(M) as f64, 7.0);
    std::array::from_fn(|j| {
        std::array::from_fn(|r| {
            // In order of the samples: the oldest sample's tap comes first.
            Phase::Taps(std::array::from_fn(|k| {
                let tap = (L * M * (K - 1 - k) + M * j).checked_sub(L * r).and_then(|t| prototype.get(t));
                tap.map_or(0.0, |tap| (tap * L as f64) as f32)
            }))
        })
    })
}
