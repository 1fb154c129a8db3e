//! From a high rate to an `M`th of it.

use super::filter::{BLOCK, Phase, WINDOW, design};
use std::sync::LazyLock;

/// Divides the sampling rate by `M` with `M × K` taps.
#[derive(Debug, Clone)]
pub struct Downsampler<const M: usize, const K: usize> {
    phases: &'static [Phase<K>; M],
    /// The last samples, every `M`th in a row of its own; the first of each row is not used.
    history: [[f32; K]; M],
}

impl Downsampler<2, 40> {
    pub fn new() -> Self {
        static PHASES: LazyLock<[Phase<40>; 2]> = LazyLock::new(|| design(8.0));
        Self { phases: &PHASES, history: [[0.0; 40]; 2] }
    }
}

impl Downsampler<3, 32> {
    pub fn new() -> Self {
        static PHASES: LazyLock<[Phase<32>; 3]> = LazyLock::new(|| design(7.0));
        Self { phases: &PHASES, history: [[0.0; 32]; 3] }
    }
}

impl Default for Downsampler<2, 40> {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for Downsampler<3, 32> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const M: usize, const K: usize> Downsampler<M, K> {
    /// Converts `input`, whose length is a multiple of `M`, and returns how many samples it wrote: `input.len() / M`.
    ///
    /// Input beyond a whole multiple, or beyond what `output` can hold, is not taken.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let n = (input.len() / M).min(output.len());
        for (input, output) in input[..n * M].chunks(BLOCK * M).zip(output[..n].chunks_mut(BLOCK)) {
            self.block(input, output);
        }
        n
    }

    fn block(&mut self, input: &[f32], output: &mut [f32]) {
        let n = output.len();
        let mut windows = [[0.0; WINDOW]; M];
        for (window, history) in windows.iter_mut().zip(&self.history) {
            window[..K - 1].copy_from_slice(&history[1..]);
        }
        for (i, group) in input.as_chunks::<M>().0.iter().enumerate() {
            for (window, sample) in windows.iter_mut().zip(group) {
                window[K - 1 + i] = *sample;
            }
        }
        let mut filtered = [0.0; BLOCK];
        // The first phase weighs the newest sample of each group.
        for (phase, window) in self.phases.iter().zip(windows.iter().rev()) {
            phase.add(window, &mut filtered, n);
        }
        output.copy_from_slice(&filtered[..n]);
        for (window, history) in windows.iter().zip(&mut self.history) {
            history[1..].copy_from_slice(&window[n..n + K - 1]);
        }
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.history = [[0.0; K]; M];
    }
}
